"""The totals that every format tells, counted in one place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.findings import Errored, Report, Severity, Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping

VALIDATED = "SCH001"
"""The check whose subjects are the objects that were validated."""
NOT_VALIDATED = "SCH002"
"""The check whose skipped subjects are the objects that were not."""


@dataclass(frozen=True, slots=True)
class Objects:
    """How much of what goes to a cluster was validated."""

    validated: int
    not_evaluated: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A report in numbers."""

    checks: int
    """How many ran."""
    idle: tuple[str, ...]
    """The ids of those that found nothing to look at."""
    findings: int
    severities: Mapping[Severity, int]
    objects: Objects | None
    """Absent when objects were not validated in this run."""
    errored: int
    """How many evaluations broke off."""


def summarise(report: Report) -> Summary:
    """Count what a report says."""
    by_id = {result.check_id: result for result in report.results}
    objects = None
    if VALIDATED in by_id:
        schemaless = by_id.get(NOT_VALIDATED)
        skipped = schemaless.not_evaluated if schemaless else ()
        objects = Objects(
            by_id[VALIDATED].evaluated,
            sum(outcome.count for outcome in skipped if isinstance(outcome, Skipped)),
        )
    outcomes = [outcome for result in report.results for outcome in result.not_evaluated]
    return Summary(
        len(report.results),
        tuple(r.check_id for r in report.results if not r.evaluated and not r.not_evaluated),
        len(report.findings),
        Counter(finding.severity for finding in report.findings),
        objects,
        sum(isinstance(outcome, Errored) for outcome in outcomes),
    )
