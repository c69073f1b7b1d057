"""The posture of one revision: what the policies say, what is excepted, and who mends the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from groundplan import checks, template
from groundplan.admission.judging import Judge, Verdict
from groundplan.findings import Failed, Finding, Outcome, Passed, Report, Result, Severity, Skipped
from groundplan.posture.catalogue import UNOWNED, tier_of
from groundplan.posture.exceptions.model import State
from groundplan.posture.owners import NOBODY, Owners, of_policy
from groundplan.posture.pod_security_checks import mapping
from groundplan.posture.rules import TENANT
from groundplan.posture.rules import rules as built_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundplan.gitops.model import Cluster
    from groundplan.posture.exceptions.states import Standing
    from groundplan.posture.owners import Owner
    from groundplan.posture.rules import Rule
    from groundplan.repository import Repository
    from groundplan.resources import Resource, ResourceId

_WORDS = {
    State.EXPIRED: "has expired",
    State.EXPIRING: "ends within two weeks",
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


def policies(repository: Repository, tier: str | None = None) -> tuple[Rule, ...]:
    """The built-in policies of a tier, or of the one that the repository is of."""
    level = tier or tier_of(repository.answers)
    return built_in(template.locate().root, level, teams=has_teams(repository))


def examine(
    repository: Repository, rules: Sequence[Rule], standings: Sequence[Standing], subject: str = ""
) -> Report:
    """Judge every object by every rule; what an exception covers is skipped and says why.

    Exceptions that have expired or have no owner cover nothing.
    """
    benches = [
        _Bench(repository, cluster, Owners.read(repository.tree, cluster), standings)
        for cluster in repository.clusters
    ]
    said = {
        rule.id: (*_checked(rule, benches), *about_exceptions(rule, standings)) for rule in rules
    }
    said |= _admitted([rule for rule in rules if rule.policy], benches)
    return Report(tuple(Result(rule.id, rule.title, said[rule.id]) for rule in rules), subject)


def _admitted(rules: Sequence[Rule], benches: Sequence[_Bench]) -> dict[str, tuple[Outcome, ...]]:
    """What the API server would say of every object, by policy."""
    said: dict[str, dict[Outcome, None]] = {rule.id: {} for rule in rules}
    passed = dict.fromkeys(said, 0)
    by_id = {rule.id: rule for rule in rules}
    judge = Judge()
    policies = [rule.policy for rule in rules if rule.policy]
    by_name = {policy.name: rule for policy, rule in zip(policies, rules, strict=True)}
    for bench in benches:
        for verdicts in judge.verdicts(policies, bench.applied):
            for name, count in verdicts.content.items():
                passed[by_name[name].id] += count
            for verdict in verdicts.others:
                rule = by_name[verdict.policy.name]
                outcome = bench.outcome(rule, verdict)
                # Clusters share files: the same fault is said once.
                said[rule.id][outcome] = None
                nobody = said.keys() & {UNOWNED} and bench.unowned(by_id[UNOWNED], verdict, outcome)
                if nobody:
                    said[UNOWNED][nobody] = None
    return {name: (*outcomes, Passed(passed[name])) for name, outcomes in said.items()}


def _checked(rule: Rule, benches: Sequence[_Bench]) -> Iterator[Outcome]:
    """What the checks of a policy say, in the policy's name and with its severity."""
    if not rule.checks or not benches:
        return
    report = checks.run(benches[0].repository, only=rule.checks)
    for outcome in (outcome for result in report.results for outcome in result.outcomes):
        if not isinstance(outcome, Failed):
            yield outcome
            continue
        about = outcome.finding.resource
        bench = next((b for b in benches if about and b.has(about)), benches[0])
        yield bench.renamed(rule, outcome.finding)


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
    cluster: Cluster
    owners: Owners
    standings: Sequence[Standing]

    @property
    def applied(self) -> list[tuple[Resource, ...]]:
        """What each unit applies to the cluster."""
        return [unit.resources for unit in self.cluster.units]

    def has(self, identity: ResourceId) -> bool:
        """Whether an object is applied to the cluster."""
        return identity.key in self.owners.resources

    def renamed(self, rule: Rule, finding: Finding) -> Outcome:
        """What a check found, as a finding of the policy; an exception is from that too."""
        about = finding.resource
        excepted = self._excepted(rule, about) if about else None
        resource = self.owners.resources.get(about.key) if about else None
        fix = self._owner(rule, resource, finding.location.path)
        return excepted or Failed(
            replace(
                finding,
                check_id=rule.id,
                severity=rule.severity,
                fix_owner=fix.name,
                affected_owner=fix.name,
            )
        )

    def _owner(self, rule: Rule, resource: Resource | None, path: str) -> Owner:
        """Who mends something: whoever owns the object or the file, else whoever the rule names."""
        named = self.owners.of(resource) if resource else None
        return named or self.owners.of_path(path) or of_policy(rule.id, rule.owner)

    def unowned(self, rule: Rule, verdict: Verdict, outcome: Outcome) -> Failed | None:
        """Say that whoever mends something is not named, where that is so."""
        source = verdict.candidate.source
        known = self._owner(rule, source, source.origin.path).known
        if known or not isinstance(outcome, Failed) or outcome.finding.check_id == rule.id:
            return None
        return Failed(
            Finding(
                check_id=rule.id,
                message=f"{source.id}: nobody is named who mends what is found here",
                severity=rule.severity,
                location=self.repository.locate(source.origin, ""),
                remediation="Label it or its namespace groundplan.dev/owner.",
                resource=source.id,
                fix_owner=rule.owner,
                affected_owner=rule.owner,
            )
        )

    def outcome(self, rule: Rule, verdict: Verdict) -> Outcome:
        """What comes of a verdict that is not content."""
        source = verdict.candidate.source
        if verdict.unknown:
            return Skipped(str(source.id), verdict.unknown)
        return self._excepted(rule, source.id) or self._failed(rule, verdict)

    def _excepted(self, rule: Rule, about: ResourceId) -> Skipped | None:
        for standing in self.standings:
            exception = standing.exception
            inside = exception.scope.has(self.cluster.name, about)
            if rule.id in exception.policies and inside and not standing.failing:
                until = f" until {exception.expires}" if exception.expires else ""
                reason = f"exception {exception.name} of {exception.owner}{until}"
                return Skipped(str(about), reason)
        return None

    def _failed(self, rule: Rule, verdict: Verdict) -> Failed:
        source = verdict.candidate.source
        fix = self._owner(rule, source, source.origin.path)
        return Failed(
            Finding(
                check_id=rule.id,
                message=f"{source.id}: {verdict.message}",
                severity=rule.severity,
                location=self.repository.locate(source.origin, verdict.candidate.pointer),
                remediation=f"{rule.title}: change the object, or agree on an exception.",
                resource=source.id,
                fix_owner=fix.name,
                affected_owner=fix.name,
            )
        )


def about_exceptions(rule: Rule, standings: Sequence[Standing]) -> Iterator[Outcome]:
    """What a policy about exceptions says of each."""
    for standing in standings if rule.states else ():
        exception = standing.exception
        faults = [state for state in standing.states if state in rule.states]
        if not faults:
            yield Passed()
            continue
        soon = faults == [State.EXPIRING]
        words = " and ".join(_WORDS[fault] for fault in faults)
        yield Failed(
            Finding(
                check_id=rule.id,
                message=f"exception {exception.name} {words}",
                severity=Severity.LOW if soon else rule.severity,
                location=exception.location,
                remediation="Mend what it is about, or renew it with somebody's consent.",
                fix_owner=exception.owner or NOBODY,
                affected_owner=exception.owner or NOBODY,
            )
        )
