"""The RBAC dimension: what service accounts, users, groups and workloads may do."""

from groundplan.posture.rbac.comparison import compare

__all__ = ["compare"]
