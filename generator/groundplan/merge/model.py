"""What a merge speaks in: files, edits, conflicts, and what rules decided."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

Place = tuple[str, ...]
"""Where in a file: the document, then keys and identities of list items."""


class Three(NamedTuple, Generic[T]):
    """One thing as the template had it, as you have it, and as the template has it now."""

    base: T
    yours: T
    template: T


class Mode(StrEnum):
    """What git records of a file beside its content."""

    FILE = "100644"
    EXECUTABLE = "100755"
    LINK = "120000"
    """The content is where it leads to."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's content and mode."""

    content: bytes
    mode: Mode = Mode.FILE

    @property
    def blob(self) -> str:
        """The name that git gives to the content."""
        head = b"blob %d\0" % len(self.content)
        return hashlib.sha1(head + self.content, usedforsecurity=False).hexdigest()


Files = Mapping[str, File]
"""By path relative to the repository, with `/`."""


class Cause(StrEnum):
    """Why an edit could not be merged."""

    BOTH_CHANGED = "both-changed"
    BOTH_ADDED = "both-added"
    BOTH_MOVED = "both-moved"
    REMOVED_BY_YOU = "removed-by-you"
    """And changed by the template."""
    REMOVED_BY_TEMPLATE = "removed-by-template"
    """And changed by you."""
    POSTURE = "posture"
    """One side allows less and the other more."""
    HELD_BACK = "held-back"
    """You chose an older version than the template had."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change of the template that is not in the result because of a change of yours.

    What is in the repository stays yours; nothing of the template's side is applied there.
    """

    path: str
    cause: Cause
    yours: str
    """As it is written; empty when it is not there."""
    template: str
    base: str
    place: Place = ()
    pointer: str = ""
    """JSON pointer inside the document."""
    line: int = 0
    """In the result; 0 when the whole file is meant."""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Both sides changed one value, and a rule says which counts."""

    path: str
    rule: str
    """`newer-version` or `stricter`."""
    kept: str
    """`yours` or `template`."""
    yours: str
    template: str
    place: Place = ()
    pointer: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """A file, or objects of it, that one side put elsewhere and the other side's edits follow."""

    source: str
    target: str
    by: str
    """`you` or `template`."""
    objects: tuple[str, ...] = ()
    """Empty when the whole file moved."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many edits one side made, and what became of them."""

    kept: int = 0
    conflicting: int = 0
    overruled: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.kept + other.kept,
            self.conflicting + other.conflicting,
            self.overruled + other.overruled,
        )

    @property
    def total(self) -> int:
        """All edits."""
        return self.kept + self.conflicting + self.overruled


class Fate(StrEnum):
    """What a merge does to a file that is not the same in all states."""

    ADDED = "added"
    UPDATED = "updated"
    """Only the template changed it."""
    REMOVED = "removed"
    MERGED = "merged"
    """Both changed it."""
    YOURS = "yours"
    """Only you changed, added or removed it."""
    OWNED = "owned"
    """The template changed it, and it is yours alone."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge, complete before anything is written."""

    files: Files
    fates: Mapping[str, Fate]
    """By path; what nobody changed is left out."""
    conflicts: tuple[Conflict, ...] = ()
    decisions: tuple[Decision, ...] = ()
    moves: tuple[Move, ...] = ()
    yours: Tally = field(default_factory=Tally)
    template: Tally = field(default_factory=Tally)
