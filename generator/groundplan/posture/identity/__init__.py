"""The identity dimension: as whom workloads act outside the cluster."""

from groundplan.posture.identity.comparison import compare

__all__ = ["compare"]
