"""YAML as text in slots: what is replaced in one slot leaves every other byte as it was."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCUMENT = re.compile(r"^---(?=[ \t\n]|\Z)", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\n]*", re.MULTILINE)


@dataclass(frozen=True)
class Node:
    """A scalar, or a mapping or list with its entries."""

    kind: str
    """`scalar`, `mapping`, `sequence`, or `stream` for the documents of a file."""
    flow: bool = True
    """Whether it is written within a line, as scalars and `[…]` and `{…}` are."""
    text: str = ""
    """Of a scalar: as it is written. Of a flow collection: what opens it."""
    closing: str = ""
    """Of a flow collection: what closes it."""
    entries: tuple[Entry, ...] = ()
    scalar: Any = None
    """The value that Kubernetes reads, for scalars."""

    @cached_property
    def value(self) -> Any:
        """What Kubernetes reads here."""
        if self.kind == "scalar":
            return self.scalar
        if self.kind == "mapping":
            return {entry.key: entry.value.value for entry in self.entries}
        return [entry.value.value for entry in self.entries]

    @cached_property
    def meaning(self) -> str:
        """The value as a text that differs when the value does; the order of keys is none."""
        return json.dumps(self.value, sort_keys=True)

    @cached_property
    def layout(self) -> str:
        """The text, wherever it is indented to."""
        if self.flow:
            return text(self)
        column = self.entries[0].column if self.entries else 0
        return text(indented(self, -column))

    def get(self, key: str) -> Node | None:
        """The value of a mapping's key."""
        return next((entry.value for entry in self.entries if entry.key == key), None)


@dataclass(frozen=True)
class Entry:
    """A key or a list item with all that stands around it."""

    key: str
    """Empty in lists."""
    value: Node
    lead: str = ""
    """Whole lines before it: comments and empty lines."""
    head: str = ""
    """From the key or the dash to the value."""
    tail: str = ""
    """After the value: a comment, the end of the line, lines that are indented deeper."""
    column: int = 0
    inline: bool = False
    """Whether it stands in a flow collection; the tail is then a comma with space around it."""
    name: str = ""
    """What it is called in a merge."""

    @cached_property
    def layout(self) -> str:
        """The text, wherever it is indented to."""
        if self.inline:
            return f"{self.head}{text(self.value)}{''.join(self.comments)}"
        return "".join(_entry(moved(self, -self.column), compact=False))

    @cached_property
    def comments(self) -> tuple[str, ...]:
        """The comments in it, from top to bottom."""
        own = (*_COMMENT.findall(self.lead), *_COMMENT.findall(self.head))
        inner = (comment for entry in self.value.entries for comment in entry.comments)
        return (*own, *inner, *_COMMENT.findall(self.tail))


def text(node: Node) -> str:
    """Put the text together again."""
    if node.kind == "scalar":
        return node.text
    if node.kind == "stream":
        return "".join(_stream(node))
    if node.flow:
        return node.text + "".join(_flow(node.entries)) + node.closing
    return "".join("".join(_entry(entry, compact=False)) for entry in node.entries)


def indented(node: Node, shift: int) -> Node:
    """The same, further to the right."""
    if node.flow:
        return replace(node, text=shifted(node.text, shift, first=False)) if shift else node
    return replace(node, entries=tuple(moved(entry, shift) for entry in node.entries))


def shifted(lines: str, shift: int, *, first: bool = True) -> str:
    """Indent lines further, or less far; the first one only when it begins a line."""
    if not shift or not lines:
        return lines
    parts = lines.split("\n")
    done = [_shift(part, shift) if part.strip() else part for part in parts]
    return "\n".join(done if first else [parts[0], *done[1:]])


def moved(entry: Entry, shift: int) -> Entry:
    """The same, further to the right."""
    if not shift:
        return entry
    return replace(
        entry,
        column=entry.column + shift,
        lead=shifted(entry.lead, shift),
        value=indented(entry.value, shift),
        tail=shifted(entry.tail, shift, first=False),
    )


def walk(node: Node) -> Iterator[Entry]:
    """Every entry below a node, from top to bottom."""
    for entry in node.entries:
        yield entry
        yield from walk(entry.value)


def _shift(line: str, shift: int) -> str:
    if shift > 0:
        return " " * shift + line
    indent = len(line) - len(line.lstrip(" "))
    return line[min(indent, -shift) :]


def _stream(node: Node) -> Iterator[str]:
    for index, entry in enumerate(node.entries):
        if index and not _DOCUMENT.match(entry.head):
            yield "---\n"
        yield entry.head
        yield text(entry.value)
        yield entry.tail


def _entry(entry: Entry, *, compact: bool) -> Iterator[str]:
    """One entry of a block collection; `compact` when it stands behind a dash."""
    if not compact:
        yield entry.lead
        yield " " * entry.column
    yield entry.head
    value = entry.value
    if value.flow:
        if value.kind != "scalar" or value.text:
            yield "" if entry.head.endswith((" ", "\n")) else " "
        yield text(value)
    elif entry.head.endswith("\n"):
        yield text(value)
    else:
        yield from _compact(value.entries)
    yield entry.tail


def _compact(entries: tuple[Entry, ...]) -> Iterator[str]:
    """A collection that begins on the line of its dash."""
    leads = bool(entries[0].lead)
    if leads:
        yield "\n"
    for index, entry in enumerate(entries):
        yield from _entry(entry, compact=index == 0 and not leads)


def _flow(entries: tuple[Entry, ...]) -> Iterator[str]:
    separator = next((entry.tail for entry in entries if "," in entry.tail), ", ")
    for index, entry in enumerate(entries):
        yield entry.head + text(entry.value)
        if index < len(entries) - 1:
            yield entry.tail if "," in entry.tail else separator
