"""What a check can say: passed, failed, skipped or errored. Not run is never passed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundplan.resources import ResourceId


class Severity(IntEnum):
    """How much a finding matters."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file of the repository."""

    path: str
    """Relative to the repository, with `/`."""
    line: int = 0
    """From 1; 0 when the whole file is meant."""
    pointer: str = ""
    """JSON pointer (RFC 6901) inside the YAML document."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, where it is, and how to mend it."""

    check_id: str
    message: str
    severity: Severity
    location: Location
    remediation: str
    resource: ResourceId | None = None
    fix_owner: str = ""
    """Who mends it; empty where nobody was asked for."""
    affected_owner: str = ""
    """Who lives with it until then."""
    known_as: str = ""
    """A fingerprint of its own, where a place may have several findings of one check."""

    @property
    def fingerprint(self) -> str:
        """Stays the same when the file is moved, reformatted or reworded."""
        if self.known_as:
            return self.known_as
        subject = "/".join(self.resource.key) if self.resource else self.location.path
        text = f"{self.check_id}\x00{subject}\x00{self.location.pointer}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Passed:
    """Subjects that were evaluated and found right."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Failed:
    """A subject that was evaluated and found wrong."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Skipped:
    """Subjects that were not evaluated, and why."""

    subject: str
    """What was not evaluated, such as a kind or a file."""
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Errored:
    """A subject whose evaluation broke off, and why."""

    subject: str
    reason: str


Outcome = Passed | Failed | Skipped | Errored


@dataclass(frozen=True, slots=True)
class Result:
    """All that one check said."""

    check_id: str
    title: str
    outcomes: tuple[Outcome, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong."""
        return tuple(o.finding for o in self.outcomes if isinstance(o, Failed))

    @property
    def evaluated(self) -> int:
        """How many subjects were looked at to the end; one with two findings counts once."""
        passed = sum(o.count for o in self.outcomes if isinstance(o, Passed))
        failed = {(finding.resource, finding.location.path) for finding in self.findings}
        return passed + len(failed)

    @property
    def not_evaluated(self) -> tuple[Skipped | Errored, ...]:
        """What nobody looked at, with reasons."""
        return tuple(o for o in self.outcomes if isinstance(o, Skipped | Errored))


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one run, in check order."""

    results: tuple[Result, ...]
    subject: str = ""
    """What was looked at, as the user named it."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong, by file and line."""
        found = (finding for result in self.results for finding in result.findings)
        return tuple(sorted(found, key=_reading_order))

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings that matter at least this much."""
        return tuple(finding for finding in self.findings if finding.severity >= severity)


def _reading_order(finding: Finding) -> tuple[str, int, str, str]:
    place = finding.location
    return place.path, place.line, finding.check_id, finding.message
