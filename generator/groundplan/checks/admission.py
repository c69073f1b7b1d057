"""What the repository's own admission policies say of its objects."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from groundplan.admission.judging import Judge, Verdict
from groundplan.admission.policies import declaring, policies
from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.sharing import once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository


def _refused(repository: Repository) -> Iterator[Outcome]:
    """Find objects that a policy of their own cluster would refuse."""
    yield from _outcomes(repository, REFUSED, denies=True)


def _noted(repository: Repository) -> Iterator[Outcome]:
    """Find objects that a policy of their own cluster would warn of or take note of."""
    yield from _outcomes(repository, NOTED, denies=False)


def _outcomes(repository: Repository, check: Check, *, denies: bool) -> Iterator[Outcome]:
    unknown: Counter[tuple[str, str]] = Counter()
    judge = Judge()
    part = once(declaring)
    for cluster in repository.clusters:
        units = [unit.resources for unit in cluster.units]
        declared = policies(resource for resources in units for resource in part(resources))
        bound = [policy for policy in declared if policy.denies is denies]
        for verdicts in judge.verdicts(bound, units):
            yield Passed(sum(verdicts.content.values()))
            for verdict in verdicts.others:
                if verdict.message:
                    yield _failed(repository, check, verdict)
                else:
                    unknown[f"policy {verdict.policy.name}", verdict.unknown] += 1
    yield from (Skipped(*cause, count) for cause, count in unknown.items())


def _failed(repository: Repository, check: Check, verdict: Verdict) -> Outcome:
    source = verdict.candidate.source
    return check.fail(
        f"{source.id}: policy {verdict.policy.name}: {verdict.message}",
        repository.locate(source.origin, verdict.candidate.pointer),
        source.id,
    )


REFUSED = Check(
    "ADM001",
    "No object breaks a policy that its own cluster enforces",
    Severity.HIGH,
    "Change the object as the policy says, or have the policy's owner agree to an exception.",
    _refused,
)
NOTED = Check(
    "ADM002",
    "No object breaks a policy that its own cluster reports",
    Severity.LOW,
    "Change the object as the policy says: the next tier refuses what this one reports.",
    _noted,
)
CHECKS = (REFUSED, NOTED)
