"""The admission dimension: which objects policies and webhooks refuse, and who is let through."""

from groundplan.posture.admission.comparison import compare
from groundplan.posture.admission.files import compare_files

__all__ = ["compare", "compare_files"]
