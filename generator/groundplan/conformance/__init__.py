"""CNCF's Kubernetes AI Conformance: what in a repository meets each requirement, and what cannot.

Nothing here says that a platform conforms. It says which objects are declared, what checks found
wrong with them, and what is left to show elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from groundplan import checks, documents
from groundplan.checks._objects import objects
from groundplan.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.findings import Finding, Report, Result
    from groundplan.repository import Repository
    from groundplan.resources import Resource, ResourceId


class Verdict(StrEnum):
    """What a repository says about a requirement."""

    DECLARED = "declared"
    """Objects are there, and no check found anything wrong."""
    AT_FAULT = "at fault"
    """Objects are there, and a check found something wrong."""
    ABSENT = "absent"
    """Nothing in the repository is meant for it."""


@dataclass(frozen=True, slots=True)
class Look:
    """Which objects may meet a requirement."""

    kinds: frozenset[tuple[str, str]]
    """Group and kind."""
    says: re.Pattern[str] | None
    """What their YAML has to have in it, if anything."""

    def finds(self, resource: Resource) -> bool:
        """Whether this is such an object."""
        if (resource.id.group, resource.id.kind) not in self.kinds:
            return False
        return self.says is None or bool(self.says.search(documents.dump(resource.body)))


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of the checklist."""

    id: str
    level: str
    """`must` or `should`."""
    title: str
    looks: tuple[Look, ...]
    checks: tuple[str, ...]
    proof: str
    """What a command shows beyond reading the repository; empty for none."""
    provider: str
    """What only the cluster's provider can show."""


@dataclass(frozen=True, slots=True)
class Checklist:
    """The requirements for a version of Kubernetes."""

    kubernetes: str
    source: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check said of the whole repository."""

    id: str
    evaluated: int
    wrong: int
    """Findings that matter: of medium severity, or high."""
    unseen: int
    """Subjects that it could not evaluate."""


@dataclass(frozen=True, slots=True)
class Row:
    """A requirement against a repository."""

    requirement: Requirement
    found: tuple[ResourceId, ...]
    checked: tuple[Checked, ...]
    faults: tuple[Finding, ...]
    """What matters, of medium severity or high: of those checks, or in those objects."""

    @property
    def verdict(self) -> Verdict:
        """What the repository says."""
        if not self.found:
            return Verdict.ABSENT
        return Verdict.AT_FAULT if self.faults else Verdict.DECLARED


@cache
def checklist() -> Checklist:
    """The newest checklist that is known."""
    text = files(__name__).joinpath("checklist.yaml").read_text("utf-8")
    said = documents.load(text)
    requirements = tuple(map(_requirement, said["requirements"]))
    return Checklist(said["kubernetes"], said["source"], requirements)


def evidence(repository: Repository, requirement: Requirement) -> tuple[ResourceId, ...]:
    """The objects that are meant for a requirement, by kind and name, each once."""
    found = {
        resource.id
        for resource in objects(repository)
        if any(look.finds(resource) for look in requirement.looks)
    }
    return tuple(sorted(found, key=lambda one: (one.kind, one.namespace, one.name)))


def judge(repository: Repository) -> tuple[Row, ...]:
    """Hold a repository against the checklist; every check is run here and now."""
    report = checks.run(repository)
    return tuple(_row(repository, one, report) for one in checklist().requirements)


def _row(repository: Repository, requirement: Requirement, report: Report) -> Row:
    found = evidence(repository, requirement)
    results = {result.check_id: _checked(result) for result in report.results}
    faults = tuple(
        finding
        for finding in report.at_least(Severity.MEDIUM)
        if finding.check_id in requirement.checks or finding.resource in found
    )
    return Row(requirement, found, tuple(results[check] for check in requirement.checks), faults)


def _requirement(said: Mapping[str, Any]) -> Requirement:
    return Requirement(
        said["id"],
        said["level"],
        said["title"],
        tuple(_looks(said["looks"])),
        tuple(said["checks"]),
        said["proof"],
        said["provider"],
    )


def _looks(said: list[Mapping[str, Any]]) -> Iterator[Look]:
    for look in said:
        kinds = frozenset(
            (kind.rpartition("/")[0], kind.rpartition("/")[2]) for kind in look["kinds"]
        )
        yield Look(kinds, re.compile(look["says"], re.MULTILINE) if "says" in look else None)


def _checked(result: Result) -> Checked:
    wrong = sum(finding.severity >= Severity.MEDIUM for finding in result.findings)
    return Checked(result.check_id, result.evaluated, wrong, len(result.not_evaluated))
