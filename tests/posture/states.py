"""Two states written as YAML, and what a dimension says about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan import documents
from groundplan.posture.model import State, Verdict
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from types import ModuleType

    from groundplan.posture.model import Change


def state(text: str, path: str = "a.yaml") -> State:
    """A cluster that has the objects of a YAML text."""
    found, problems = documents.parse(path, text.encode())
    assert problems == ()
    bodies = [document.body for document in found if document.body]
    return State("one", tuple(Resource.of(b, Origin(path, i)) for i, b in enumerate(bodies)))


def changes(dimension: ModuleType, base: str, head: str) -> tuple[Change, ...]:
    """All that a dimension says."""
    return dimension.compare(state(base), state(head))


def said(dimension: ModuleType, base: str, head: str) -> dict[str, list[str]]:
    """Subject and atom of every change by verdict."""
    found: dict[str, list[str]] = {}
    for change in changes(dimension, base, head):
        assert change.verdict is not Verdict.EQUAL
        found.setdefault(change.verdict, []).append(f"{change.subject}: {change.atom}")
    return found
