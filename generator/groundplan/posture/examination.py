"""The posture of one revision: what the policies say, what is excepted, and who mends the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.admission.judging import Judge, Verdict
from groundplan.findings import Failed, Finding, Outcome, Passed, Report, Result, Severity, Skipped
from groundplan.posture.exceptions.model import FAILING, State
from groundplan.posture.owners import NOBODY, Owner, Owners
from groundplan.posture.pod_security_checks import mapping
from groundplan.posture.rules import TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundplan.posture.exceptions.states import Standing
    from groundplan.posture.rules import Rule
    from groundplan.repository import Repository
    from groundplan.resources import Resource

STATES = "EXC-002"
"""The id of findings about exceptions themselves."""
_WORDS = {
    State.EXPIRED: "has expired",
    State.UNOWNED: "has no owner",
    State.ENDLESS: "ends later than its policy allows, or never",
    State.SELF_APPROVED: "was agreed to by nobody but its owner",
    State.OVER_BROAD: "covers more than it names",
    State.INERT: "covers nothing that there is",
    State.SHADOWED: "is covered by another exception",
    State.RENEWED: "was put off again and again",
}


def has_teams(repository: Repository) -> bool:
    """Whether namespaces say which team they belong to."""
    return repository.answers is not None or any(
        TENANT in mapping(resource.body, "metadata", "labels")
        for resource in repository.resources
        if resource.id.kind == "Namespace"
    )


def examine(
    repository: Repository, rules: Sequence[Rule], standings: Sequence[Standing], subject: str = ""
) -> Report:
    """Judge every object by every rule; what an exception covers is skipped and says why.

    Exceptions that have expired or have no owner cover nothing.
    """
    said: dict[str, dict[Outcome, None]] = {rule.id: {} for rule in rules}
    passed = dict.fromkeys(said, 0)
    judge = Judge()
    for cluster in repository.clusters:
        owners = Owners.read(repository.tree, cluster)
        bench = _Bench(repository, cluster.name, owners, standings)
        resources = [resource for unit in cluster.units for resource in unit.resources]
        by_name = {rule.policy.name: rule for rule in rules}
        for verdict in judge.verdicts([rule.policy for rule in rules], resources):
            rule = by_name[verdict.policy.name]
            outcome = bench.outcome(rule, verdict)
            if isinstance(outcome, Passed):
                passed[rule.id] += 1
            else:
                # Clusters share files: the same fault is said once.
                said[rule.id][outcome] = None
    results = [
        Result(rule.id, rule.title, (*said[rule.id], Passed(passed[rule.id]))) for rule in rules
    ]
    about = tuple(_about_exceptions(standings))
    return Report((*results, Result(STATES, "Exceptions are in order", about)), subject)


def owned_by(report: Report, owner: str) -> Report:
    """The same report with the findings of one owner only."""
    results = (
        Result(
            result.check_id,
            result.title,
            tuple(
                outcome
                for outcome in result.outcomes
                if not isinstance(outcome, Failed) or outcome.finding.fix_owner == owner
            ),
        )
        for result in report.results
    )
    return Report(tuple(results), report.subject)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What the verdicts about one cluster are read by."""

    repository: Repository
    cluster: str
    owners: Owners
    standings: Sequence[Standing]

    def outcome(self, rule: Rule, verdict: Verdict) -> Outcome:
        """What comes of a verdict."""
        source = verdict.candidate.source
        if verdict.unknown:
            return Skipped(str(source.id), verdict.unknown)
        if not verdict.message:
            return Passed()
        return self._excepted(rule, source) or self._failed(rule, verdict)

    def _excepted(self, rule: Rule, source: Resource) -> Skipped | None:
        for standing in self.standings:
            exception = standing.exception
            inside = exception.scope.has(self.cluster, source.id)
            if rule.id in exception.policies and inside and not standing.failing:
                until = f" until {exception.expires}" if exception.expires else ""
                reason = f"exception {exception.name} of {exception.owner}{until}"
                return Skipped(str(source.id), reason)
        return None

    def _failed(self, rule: Rule, verdict: Verdict) -> Failed:
        source = verdict.candidate.source
        affected = self.owners.of(source) or self.owners.of_path(source.origin.path)
        nobody = NOBODY if rule.owner == "platform" else rule.owner
        fix = affected or Owner(nobody, "nobody is named", known=False)
        return Failed(
            Finding(
                check_id=rule.id,
                message=f"{source.id}: {verdict.message}",
                severity=rule.severity,
                location=self.repository.locate(source.origin, verdict.candidate.pointer),
                remediation=f"{rule.title}: change the object, or agree on an exception.",
                resource=source.id,
                fix_owner=fix.name,
                affected_owner=(affected or fix).name,
            )
        )


def _about_exceptions(standings: Sequence[Standing]) -> Iterator[Outcome]:
    for standing in standings:
        exception = standing.exception
        faults = [_WORDS[state] for state in standing.states if state in _WORDS]
        if not faults:
            yield Passed()
            continue
        grave = bool(FAILING & set(standing.states)) and not exception.suppresses
        yield Failed(
            Finding(
                check_id=STATES,
                message=f"exception {exception.name} {' and '.join(faults)}",
                severity=Severity.HIGH if grave else Severity.LOW,
                location=exception.location,
                remediation="Mend what it is about, or renew it with somebody's consent.",
                fix_owner=exception.owner or NOBODY,
                affected_owner=exception.owner or NOBODY,
            )
        )
