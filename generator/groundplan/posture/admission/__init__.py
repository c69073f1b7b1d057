"""The admission dimension: which objects policies and webhooks refuse, and who is let through."""

from groundplan.posture.admission.comparison import compare

__all__ = ["compare"]
