"""Files that are not read, because reading them would leave the repository or never end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Location, Outcome, Passed, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository


def _check(
    id: str, title: str, severity: Severity, remediation: str, kinds: frozenset[str]
) -> Check:
    """Turn what the tree could not read into findings."""

    def run(repository: Repository) -> Iterator[Outcome]:
        for unreadable in repository.tree.unreadable:
            if unreadable.kind in kinds:
                yield check.fail(unreadable.message, Location(unreadable.path))
        yield Passed(len(repository.tree.files))

    check = Check(id, title, severity, remediation, run)
    return check


CHECKS = (
    _check(
        "TREE001",
        "No link leaves the repository",
        Severity.HIGH,
        "Replace the link by a copy of what it points to, or point it inside the repository.",
        frozenset({"symlink-outside"}),
    ),
    _check(
        "TREE002",
        "No link leads back to itself",
        Severity.HIGH,
        "Remove the link, or point it at a file.",
        frozenset({"symlink-loop"}),
    ),
    _check(
        "TREE003",
        "No file is too large to read",
        Severity.MEDIUM,
        "Keep large files out of the repository: engines clone all of it on every change.",
        frozenset({"too-large"}),
    ),
    _check(
        "TREE004",
        "Every file can be read",
        Severity.MEDIUM,
        "Correct the file's permissions, or remove it if it is a device, socket or pipe.",
        frozenset({"unreadable", "special-file"}),
    ),
)
