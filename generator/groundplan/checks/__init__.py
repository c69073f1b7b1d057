"""Checks: metadata and one pure function each; good and bad examples lie beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.findings import Failed, Finding, Location, Outcome, Severity
from groundplan.resources import ResourceId

if TYPE_CHECKING:
    from groundplan.repository import Repository


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a repository must have right."""

    id: str
    """Public and stable, such as `GIT003`."""
    title: str
    severity: Severity
    remediation: str
    """What to do about a finding, in one sentence."""
    run: Callable[[Repository], Iterable[Outcome]]

    def fail(
        self, message: str, location: Location, resource: ResourceId | None = None, fix: str = ""
    ) -> Failed:
        """A finding of this check."""
        finding = Finding(
            self.id, message, self.severity, location, fix or self.remediation, resource
        )
        return Failed(finding)
