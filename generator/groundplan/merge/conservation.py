"""Whether every edit of both sides is in a result or listed. Computed anew from the four states.

Nothing here knows how the merge came to its result: values and comments of base, yours, template
and result are compared, and what neither side did must not have happened.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan import documents
from groundplan.merge import identities
from groundplan.merge.model import Conflict, Decision, Tally
from groundplan.merge.structure import Where, inside

if TYPE_CHECKING:
    from groundplan.merge.model import Place
    from groundplan.merge.structure import ListKeys

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\n]*", re.MULTILINE)
_ABSENT = object()

Listed = Sequence[Conflict | Decision]
Excuse = Callable[["Atom"], Conflict | Decision | None]


class Atom(NamedTuple):
    """The least that can be edited: one scalar, one comment, one line."""

    place: Place
    path: str
    """Below the place, inside a list whose items nothing tells apart."""
    value: str

    def __str__(self) -> str:
        return f"/{'/'.join(self.place)}{self.path}: {self.value}"


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the edits in one file."""

    yours: Tally
    template: Tally
    lost: tuple[str, ...] = ()
    """Edits that are neither in the result nor listed, and changes that nobody made."""


def of_yaml(sides: Sequence[bytes], listed: Listed, list_keys: ListKeys) -> Account:
    """Account for a YAML file.

    Args:
        sides: Base, yours, template and result.
        listed: The conflicts and decisions about this file.
        list_keys: The keys of lists.
    """
    bodies: list[list[Any]] = []
    for content in sides:
        parsed, problems = documents.parse("", content)
        if problems:
            return Account(Tally(), Tally(), tuple(problem.message for problem in problems))
        bodies.append([document.body for document in parsed])
    counts: list[Counter[Atom]] = [Counter() for _ in sides]
    for names, values in _documents(bodies):
        where = inside(Where(), "stream", names, _first(values)) if names else Where()
        _spread(where, values, list_keys, counts)
    values_ = _account(counts, lambda atom: _at(atom.place, listed))
    return _sum(values_, of_comments(sides, listed))


def of_comments(sides: Sequence[bytes], listed: Listed) -> Account:
    """Account for the comments of a YAML file."""
    counts = [
        Counter(Atom((), "", text) for text in _COMMENT.findall(content.decode()))
        for content in sides
    ]
    return _account(counts, lambda atom: _quoting(atom.value, listed))


def of_lines(sides: Sequence[bytes], listed: Listed) -> Account:
    """Account for a file that is no YAML, line by line."""
    counts = [
        Counter(Atom((), "", line.decode("utf-8", "replace")) for line in content.splitlines())
        for content in sides
    ]
    whole = next((found for found in listed if not found.line), None)
    return _account(counts, lambda atom: whole or _quoting(atom.value, listed))


def _at(place: Place, listed: Listed) -> Conflict | Decision | None:
    """What is listed about this place, something around it or below it."""
    for found in listed:
        size = min(len(place), len(found.place))
        if place[:size] == found.place[:size]:
            return found
    return None


def _quoting(text: str, listed: Listed) -> Conflict | Decision | None:
    """What is listed with this text in it."""
    for found in listed:
        texts = (found.yours, found.template, found.base if isinstance(found, Conflict) else "")
        if any(text in said for said in texts):
            return found
    return None


def _account(counts: Sequence[Counter[Atom]], excuse: Excuse) -> Account:
    base, yours, template, result = counts
    edits: tuple[dict[Any, Counter[str]], ...] = ({}, {})
    lost: list[str] = []
    for atom in {*base, *yours, *template, *result}:
        was = base[atom]
        changes, now = (yours[atom] - was, template[atom] - was), result[atom] - was
        right = _fits(*changes, now)
        excused = None if right else excuse(atom)
        if not right and excused is None:
            lost.append(_sentence(atom, changes))
        for side, change in zip(edits, changes, strict=True):
            if change:
                fate = "kept" if right or now * change > 0 else _fate(excused)
                side.setdefault(atom[:2], Counter())[fate, change > 0] += abs(change)  # type: ignore[index]
    return Account(_tally(edits[0]), _tally(edits[1]), tuple(sorted(lost)))


def _fits(yours: int, template: int, result: int) -> bool:
    """Whether the count of an atom changed as both sides' edits together ask for."""
    if yours * template <= 0:
        return result == yours + template
    # Both did the same; once or twice says the same.
    low, high = sorted((max(yours, template, key=abs), yours + template))
    return low <= result <= high


def _fate(excused: Conflict | Decision | None) -> str:
    return "overruled" if isinstance(excused, Decision) else "conflicting"


def _tally(edits: Mapping[Any, Counter[Any]]) -> Tally:
    """Count edits: a value that replaces another is one."""
    totals: Counter[str] = Counter()
    for fates in edits.values():
        for fate in ("kept", "conflicting", "overruled"):
            totals[fate] += max(fates[fate, True], fates[fate, False])
    return Tally(totals["kept"], totals["conflicting"], totals["overruled"])


def _sentence(atom: Atom, changes: tuple[int, int]) -> str:
    who = "your" if changes[0] else "the template's" if changes[1] else "nobody's"
    return f"{who} edit of {atom}"


def _sum(one: Account, other: Account) -> Account:
    return Account(one.yours + other.yours, one.template + other.template, (*one.lost, *other.lost))


def _documents(bodies: list[list[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Each document by name, as the sides have it."""
    names = identities.document_names(bodies)
    if names is None:
        yield "", list(bodies)
        return
    sides = [dict(zip(own, side, strict=True)) for own, side in zip(names, bodies, strict=True)]
    for name in dict.fromkeys(name for own in names for name in own):
        yield name, [side.get(name, _ABSENT) for side in sides]


def _first(values: Sequence[Any]) -> Any:
    return next(value for value in values if value is not _ABSENT)


def _spread(
    where: Where, values: Sequence[Any], list_keys: ListKeys, counts: Sequence[Counter[Atom]]
) -> None:
    """Count the scalars below a place on all sides."""
    present = [value for value in values if value is not _ABSENT]
    parts: list[Any] | None = None
    kind = "mapping"
    if all(isinstance(value, Mapping) for value in present):
        parts = [{} if value is _ABSENT else value for value in values]
    elif all(isinstance(value, list) for value in present):
        kind = "sequence"
        lists = [[] if value is _ABSENT else value for value in values]
        key = identities.key_of(lists, list_keys(where.api_version, where.kind, where.path))
        parts = [{key(item): item for item in side} for side in lists] if key else None
    lines = all(isinstance(value, str) and "\n" in value for value in present)
    for count, value in zip(counts, values, strict=True):
        if value is not _ABSENT:
            leaves: Mapping[tuple[str, str], int] = {("", kind): 1}
            if lines:
                leaves = Counter(("", line) for line in value.splitlines())
            elif parts is None:
                leaves = identities.leaf_counts(value)
            for (path, leaf), number in leaves.items():
                count[Atom(where.place, path, leaf)] += number
    if parts is not None:
        for name in dict.fromkeys(name for side in parts for name in side):
            below = [side.get(name, _ABSENT) for side in parts]
            _spread(inside(where, kind, name, None), below, list_keys, counts)
