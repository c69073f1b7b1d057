"""Exceptions from policies: each can be read, and says whose it is and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Location, Outcome, Passed, Severity
from groundplan.posture.exceptions.reading import read
from groundplan.posture.exceptions.suppressions import suppressions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.exceptions.model import PostureException
    from groundplan.repository import Repository


def _readable(repository: Repository) -> Iterator[Outcome]:
    """Find exception files that are none as they stand."""
    found, faults = read(repository.tree.files)
    yield Passed(len(found))
    for fault in faults:
        yield READABLE.fail(f"{fault.location.path}: {fault.message}", fault.location)


def _complete(repository: Repository) -> Iterator[Outcome]:
    """Find exceptions that leave out what makes them end."""
    for exception in read(repository.tree.files)[0]:
        missing = list(_missing(exception))
        if missing:
            what = f"exception {exception.name} {' and '.join(missing)}"
            yield COMPLETE.fail(what, exception.location)
        else:
            yield Passed()


def _missing(exception: PostureException) -> Iterator[str]:
    if not exception.owner:
        yield "has no owner"
    if not exception.reason:
        yield "has no reason"
    if exception.expires is None:
        yield "has no expiresAt"
    if not exception.lacks_practice and exception.approver in {"", exception.owner}:
        yield "was agreed to by nobody but its owner"


def _declared(repository: Repository) -> Iterator[Outcome]:
    """Find suppressions of other tools that no exception answers for."""
    declared = read(repository.tree.files)[0]
    yield Passed(len(declared))
    for found in suppressions(repository, declared):
        location = Location(found.location.path, found.location.line, found.location.pointer)
        yield DECLARED.fail(f"{found.name} is suppressed, and nobody answers for it", location)


READABLE = Check(
    "EXC001",
    "Every exception can be read",
    Severity.HIGH,
    "Write the file as posture/exceptions/README.md shows it.",
    _readable,
)
COMPLETE = Check(
    "EXC002",
    "Every exception has an owner, an approver, a reason and an end",
    Severity.HIGH,
    "Name who must remove it, somebody else who agreed, why, and the day on which it ends.",
    _complete,
)
DECLARED = Check(
    "EXC003",
    "Every suppression of a scanner or an engine is an exception that somebody owns",
    Severity.LOW,
    "Write an exception with the suppression's id under policies, or remove the suppression.",
    _declared,
)
CHECKS = (READABLE, COMPLETE, DECLARED)
