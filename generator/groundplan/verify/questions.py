"""What only a running cluster can answer."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.findings import Severity


@dataclass(frozen=True, slots=True)
class Question:
    """Something that only a running cluster can answer."""

    id: str
    """Public and stable, like the id of a check."""
    title: str
    severity: Severity
    remediation: str


REJECTED = Question(
    "API001",
    "The API server accepts every object",
    Severity.HIGH,
    "change the object so that the API server takes it",
)
WARNED = Question(
    "API002",
    "The API server has no warning",
    Severity.LOW,
    "follow the warning; what is deprecated now is refused later",
)
TURNED_AWAY = Question(
    "API003",
    "The pods of every workload are admitted",
    Severity.HIGH,
    "change the pod template; the workload would be created, but never its pods",
)
