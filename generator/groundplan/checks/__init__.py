"""Checks: metadata and one pure function each; good and bad examples lie beside them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from groundplan.errors import GroundplanError, UsageError
from groundplan.findings import (
    Errored,
    Failed,
    Finding,
    Location,
    Outcome,
    Passed,
    Report,
    Result,
    Severity,
    Skipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from groundplan.repository import Repository
    from groundplan.resources import ResourceId


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
    policy: str = ""
    """The built-in policy that it judges, which not every tier has: `groundplan posture check` asks
    it then, and `groundplan check` only by its id."""

    def fail(
        self, message: str, location: Location, resource: ResourceId | None = None, fix: str = ""
    ) -> Failed:
        """A finding of this check."""
        finding = Finding(
            self.id, message, self.severity, location, fix or self.remediation, resource
        )
        return Failed(finding)


@cache
def registry() -> tuple[Check, ...]:
    """Every check there is, by id: each public module of this package has `CHECKS`."""
    names = (module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    modules = (import_module(f"{__name__}.{name}") for name in names)
    found = sorted((check for module in modules for check in module.CHECKS), key=lambda c: c.id)
    return tuple(found)


def run(repository: Repository, *, only: Collection[str] = (), subject: str = "") -> Report:
    """Look at a repository with every check that is no policy's, or with those whose ids are given.

    Raises:
        UsageError: `check.unknown-id` when no check has one of the ids.
    """
    known = {check.id for check in registry()}
    for unknown in sorted(set(only) - known):
        raise UsageError(
            "check.unknown-id",
            f"there is no check {unknown}",
            fix="see docs/reference/checks.md for the ids",
        )
    chosen = (c for c in registry() if (c.id in only if only else not c.policy))
    results = (
        Result(check.id, check.title, tuple(_outcomes(check, repository))) for check in chosen
    )
    return Report(tuple(results), subject)


def _outcomes(check: Check, repository: Repository) -> Iterator[Outcome]:
    """Run one check; what breaks it off is an outcome, and the others still run.

    Clusters share files, so the same finding may turn up many times; it is said once.
    """
    passed = 0
    failed: dict[Failed, None] = {}
    skipped: Counter[tuple[str, str]] = Counter()
    errored: list[Errored] = []
    try:
        for outcome in check.run(repository):
            match outcome:
                case Passed(count):
                    passed += count
                case Failed():
                    failed[outcome] = None
                case Skipped(subject, reason, count):
                    skipped[subject, reason] += count
                case Errored():
                    errored.append(outcome)
    except GroundplanError as error:
        errored.append(Errored(check.id, str(error)))
    yield from failed
    yield from (Skipped(*cause, count) for cause, count in skipped.items())
    yield from errored
    yield Passed(passed)
