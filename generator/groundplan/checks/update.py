"""What an update left for somebody to decide, and what nobody may commit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.documents import YamlError
from groundplan.findings import Errored, Location, Outcome, Passed, Severity
from groundplan.merge import conflicts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository

_MARKER = re.compile(rb"^(?:<{7}|>{7})(?= )", re.MULTILINE)
_REJECTED = ".rej"


def _left(repository: Repository) -> Iterator[Outcome]:
    content = repository.tree.files.get(conflicts.FILE)
    if content is None:
        yield Passed()
        return
    try:
        left = conflicts.read(content)
    except (YamlError, KeyError, ValueError) as error:
        yield Errored(conflicts.FILE, f"{error}")
        return
    for conflict in left:
        message = f"{conflict.cause}; {conflict.owner} has to decide"
        yield _LEFT.fail(message, Location(conflict.path, conflict.line, conflict.pointer))


def _marked(repository: Repository) -> Iterator[Outcome]:
    for path, content in repository.tree.files.items():
        if path.endswith(_REJECTED):
            yield _MARKED.fail("a rejected part of an update", Location(path))
        elif found := _MARKER.search(content):
            line = content.count(b"\n", 0, found.start()) + 1
            yield _MARKED.fail("a conflict marker", Location(path, line))
    yield Passed(len(repository.tree.files))


_LEFT = Check(
    "UPD001",
    "No conflict of an update is left",
    Severity.HIGH,
    "Take over what you want of the template's side, and run `groundplan resolve`.",
    _left,
)
_MARKED = Check(
    "UPD002",
    "No file has conflict markers",
    Severity.HIGH,
    "Keep one side of the conflict, and remove the markers and `.rej` files.",
    _marked,
)
CHECKS = (_LEFT, _MARKED)
