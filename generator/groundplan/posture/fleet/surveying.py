"""What there is to say about each cluster of one or many repositories on one day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from groundplan.errors import ExitCode, GroundplanError
from groundplan.posture import examination, revisions, rules
from groundplan.posture.catalogue import tier_of
from groundplan.posture.drift import baseline
from groundplan.posture.drift.repository import Agreed, drift
from groundplan.posture.exceptions import history, reading, states
from groundplan.posture.model import Verdict
from groundplan.repository import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from pathlib import Path

    from groundplan.findings import Report, Severity
    from groundplan.posture.drift.judging import Drift
    from groundplan.posture.exceptions.model import State
    from groundplan.posture.exceptions.states import Standing
    from groundplan.repository import Repository

BUCKETS = (30, 90, 180)
"""Ends of the classes of age, in days."""


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster, or a repository that nothing can be said of."""

    repository: str
    cluster: str = ""
    tier: str = ""
    engine: str = ""
    report: Report | None = None
    standings: tuple[Standing, ...] = ()
    """The exceptions that are for this cluster."""
    drift: Drift | None = None
    """None where no baseline is committed."""
    error: GroundplanError | None = None

    def findings(self, severity: Severity) -> int:
        """How many findings matter this much."""
        return sum(f.severity is severity for f in self.report.findings) if self.report else 0

    def drifted(self, verdict: Verdict) -> int | None:
        """How much of the drift that its tier does not let pass is on this cluster."""
        if self.drift is None:
            return None
        said = self.drift.comparison
        here = (j for j in said.of(verdict) if not j.clusters or self.cluster in j.clusters)
        found = sum(not judged.noted for judged in here)
        if verdict is Verdict.INCOMPARABLE:
            found += sum(gap.cluster in {"", self.cluster} for gap in said.gaps)
        return found

    def exceptions(self, state: State) -> int:
        """How many exceptions are in a state."""
        return sum(state in standing.states for standing in self.standings)

    def ages(self, today: date) -> Counter[int | None]:
        """How many exceptions are in each class of age, by its end; None is beyond the last."""
        days = ((today - one.age.first).days for one in self.standings if one.age)
        return Counter(next((end for end in BUCKETS if age <= end), None) for age in days)

    @property
    def coverage(self) -> float:
        """The share of what was to be judged that was, from 0 to 1."""
        results = self.report.results if self.report else ()
        seen = sum(result.evaluated for result in results)
        missed = sum(len(result.not_evaluated) for result in results)
        return seen / (seen + missed) if seen + missed else 0.0

    def code(self, fail_on: Severity) -> ExitCode:
        """What the row says to the caller."""
        if self.error:
            return self.error.exit_code
        grave = self.report is not None and bool(self.report.at_least(fail_on))
        if grave or self.drifted(Verdict.WIDENED):
            return ExitCode.FINDINGS
        if any(standing.failing for standing in self.standings):
            return ExitCode.EXCEPTION
        unclear = self.drifted(Verdict.INCOMPARABLE) or not self.coverage
        return ExitCode.NOT_EVALUATED if unclear else ExitCode.CLEAN


def survey(repositories: Iterable[tuple[str, Path]], root: Path, today: date) -> tuple[Row, ...]:
    """Judge every cluster; a repository that cannot be read does not hold up the others.

    Args:
        repositories: Name and folder of each.
        root: Of the template, which has the built-in policies.
        today: The day by which exceptions and approvals end.
    """
    rows: list[Row] = []
    for name, folder in repositories:
        try:
            rows += _rows(name, folder, root, today)
        except GroundplanError as error:
            rows.append(Row(name, error=error))
    return tuple(rows)


def _rows(name: str, folder: Path, root: Path, today: date) -> Iterator[Row]:
    repository = load(folder)
    declared, _ = reading.read(repository.tree.files)
    standings = states.standings(repository, declared, history.ages(folder), today)
    tier = tier_of(repository.answers)
    known = rules.rules(root, tier, teams=examination.has_teams(repository))
    tree = revisions.read(str(folder), folder)
    agreed = Agreed.read(tree, baseline.PATH) if baseline.PATH in tree.files else None
    drifted = drift(agreed.beside(tree), agreed, today) if agreed else None
    for cluster in repository.clusters:
        alone: Repository = replace(repository, clusters=(cluster,))
        here = tuple(
            standing
            for standing in standings
            if cluster.name in (standing.exception.scope.clusters or (cluster.name,))
        )
        report = examination.examine(alone, known, here, cluster.name)
        yield Row(name, cluster.name, tier, cluster.engine, report, here, drifted)


def worst(rows: Iterable[Row], fail_on: Severity) -> ExitCode:
    """The gravest of all rows; nothing at all is nothing evaluated."""
    order = (
        ExitCode.INTERNAL,
        ExitCode.TOOL,
        ExitCode.USAGE,
        ExitCode.FINDINGS,
        ExitCode.EXCEPTION,
        ExitCode.NOT_EVALUATED,
    )
    codes = {row.code(fail_on) for row in rows}
    if not codes:
        return ExitCode.NOT_EVALUATED
    return next((code for code in order if code in codes), ExitCode.CLEAN)
