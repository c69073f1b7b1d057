"""Cutting YAML into slots. `text(read(source)) == source` for all that can be read this way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from groundplan.documents.composing import DocumentError, events
from groundplan.documents.scalars import NoJsonFormError, key_text, resolve
from groundplan.merge.slots import Entry, Node, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCUMENT = re.compile(r"^---(?=[ \t\n]|\Z)", re.MULTILINE)
_GAP = re.compile(r"(?:[ \n]|#[^\n]*(?:\n|\Z))*")
_MARKER = re.compile(r"---[ \t]*(?:#[^\n]*)?(?:\n|\Z)")


class UnsupportedError(Exception):
    """Text that cannot be cut into slots, such as one with anchors; lines are merged instead."""


def read(source: str) -> Node:
    """Cut the documents of a file into slots.

    Raises:
        UnsupportedError: It is no YAML, or has anchors, tags, tabs or directives.
    """
    if "\r" in source or source.startswith(("\ufeff", "%")):
        raise UnsupportedError("line endings, a byte order mark or directives")
    starts = [match.start() for match in _DOCUMENT.finditer(source)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    chunks = [source[a:b] for a, b in pairwise([*starts, len(source)])]
    documents = tuple(_Reader(chunk).document() for chunk in chunks)
    stream = Node("stream", flow=False, entries=documents)
    if text(stream) != source:
        raise UnsupportedError("its text cannot be put together again")
    return stream


@dataclass(frozen=True, slots=True)
class _Raw:
    """What the events say: where a node is, before the text between nodes is shared out."""

    kind: str
    flow: bool
    start: int
    end: int
    """Of the last thing that belongs to it."""
    scalar: Any = None
    parts: tuple[tuple[str, int, _Raw], ...] = ()
    """Key, where the key or the dash is, and the value."""


class _Reader:
    """Reads one document."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._events: Iterator[Event] = iter(())

    def document(self) -> Entry:
        """The document with its `---`."""
        try:
            raw = self._raw()
        except (DocumentError, NoJsonFormError, StopIteration, RecursionError) as error:
            raise UnsupportedError(str(error)) from error
        marker = _MARKER.match(self._source)
        begin = marker.end() if marker else 0
        if raw is None:
            return Entry("", Node("scalar"), head=self._source)
        if raw.flow:
            head, tail = self._source[: raw.start], self._source[raw.end :]
            return Entry("", self._node(raw, raw.end), head=head, tail=tail)
        begin = self._after_header(begin, raw)
        root = self._block(raw, begin, len(self._source))
        return Entry("", root, head=self._source[:begin])

    def _after_header(self, begin: int, raw: _Raw) -> int:
        """A comment that an empty line parts from the first key is about the document."""
        first = self._line_start(raw.parts[0][1])
        header = self._source[begin:first].rpartition("\n\n")
        return begin + len(header[0]) + 2 if header[1] else begin

    def _raw(self) -> _Raw | None:
        # A str keeps libyaml's marks in characters.
        self._events = events(self._source, 1)  # type: ignore[arg-type]
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                root = self._value(next(self._events))
                if not isinstance(next(self._events), DocumentEndEvent):
                    raise UnsupportedError("more than one document")
                if any(isinstance(rest, DocumentStartEvent) for rest in self._events):
                    raise UnsupportedError("more than one document")
                empty = root.kind == "scalar" and root.start == root.end
                return None if empty else root
        return None

    def _value(self, event: Event) -> _Raw:
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise UnsupportedError("anchors or tags")
        start, end = _span(event)
        if isinstance(event, ScalarEvent):
            plain = bool(event.implicit[0])
            value = resolve(event.value) if plain else event.value
            return _Raw("scalar", True, start, self._scalar_end(start, end), value)
        if isinstance(event, MappingStartEvent):
            return self._collection(event, "mapping", MappingEndEvent)
        if isinstance(event, SequenceStartEvent):
            return self._collection(event, "sequence", SequenceEndEvent)
        raise UnsupportedError("aliases")

    def _scalar_end(self, start: int, end: int) -> int:
        """Without the empty lines after a block scalar that does not keep them."""
        written = self._source[start:end]
        if written[:1] not in ("|", ">") or "+" in written.partition("\n")[0]:
            return end
        return start + len(written.rstrip()) + (1 if written.rstrip() != written else 0)

    def _collection(self, event: Event, kind: str, last: type[Event]) -> _Raw:
        flow = bool(event.flow_style)  # type: ignore[attr-defined]
        start, end = _span(event)
        parts: list[tuple[str, int, _Raw]] = []
        for item in self._events:
            if isinstance(item, last):
                end = _span(item)[1] if flow else (parts[-1][2].end if parts else end)
                break
            after = parts[-1][2].end if parts else start
            parts.append(self._part(item, kind, flow, after))
        keys = [key for key, _, _ in parts]
        if kind == "mapping" and (len(set(keys)) != len(keys) or "<<" in keys):
            raise UnsupportedError("a key twice, or a merge key")
        return _Raw(kind, flow, start, end, None, tuple(parts))

    def _part(self, item: Event, kind: str, flow: bool, after: int) -> tuple[str, int, _Raw]:
        if kind == "sequence":
            value = self._value(item)
            return "", value.start if flow else self._dash(after), value
        if not isinstance(item, ScalarEvent) or item.anchor or item.tag:
            raise UnsupportedError("a key that is no plain text")
        place = _span(item)[0]
        if self._source[place : place + 1] == "?":
            raise UnsupportedError("an explicit key")
        key = key_text(item.value, None) if item.implicit[0] else item.value
        return key, place, self._value(next(self._events))

    def _dash(self, after: int) -> int:
        """The first dash that is not in a comment."""
        gap = _GAP.match(self._source, after)
        return gap.end() if gap else after

    def _line_start(self, place: int) -> int:
        return self._source.rfind("\n", 0, place) + 1

    def _line_end(self, place: int) -> int:
        """Just after the line, or the end of the document."""
        end = self._source.find("\n", place)
        return len(self._source) if end < 0 else end + 1

    def _node(self, raw: _Raw, until: int) -> Node:
        """A node; a block collection takes everything up to `until`."""
        if raw.kind == "scalar":
            return Node("scalar", text=self._source[raw.start : raw.end], scalar=raw.scalar)
        if raw.flow:
            return self._flow(raw)
        return self._block(raw, raw.start, until)

    def _flow(self, raw: _Raw) -> Node:
        source = self._source
        if not raw.parts:
            return Node(raw.kind, text=source[raw.start : raw.end - 1], closing=source[raw.end - 1])
        entries = []
        following = [place for _, place, _ in raw.parts[1:]]
        for (key, place, value), after in zip(raw.parts, [*following, None], strict=True):
            if not value.flow or place > value.start:
                raise UnsupportedError("a block inside a flow collection")
            tail = "" if after is None else source[value.end : after]
            entries.append(
                Entry(
                    key,
                    self._node(value, value.end),
                    head=source[place : value.start],
                    tail=tail,
                    inline=True,
                )
            )
        first, last = raw.parts[0][1], raw.parts[-1][2].end
        opening, closing = source[raw.start : first], source[last : raw.end]
        return Node(raw.kind, text=opening, closing=closing, entries=tuple(entries))

    def _block(self, raw: _Raw, begin: int, until: int) -> Node:
        """A block collection between two places of the text."""
        column = raw.parts[0][1] - self._line_start(raw.parts[0][1])
        starts = [begin]
        for (_, _, before), (_, place, _) in pairwise(raw.parts):
            starts.append(self._lead(before.end, place, column))
        entries = []
        bounds = zip(raw.parts, starts, [*starts[1:], until], strict=True)
        for (key, place, value), start, end in bounds:
            entries.append(self._entry(key, place, value, start, end))
        return Node(raw.kind, flow=False, entries=tuple(entries))

    def _entry(self, key: str, place: int, value: _Raw, start: int, end: int) -> Entry:
        source, line = self._source, self._line_start(place)
        # Behind a dash there is no room for lines before it.
        lead = source[start:line] if start < line else ""
        column = place - line
        if value.flow:
            head, tail = source[place : value.start], source[value.end : end]
            return Entry(key, self._node(value, end), lead, head, tail, column)
        inner = value.parts[0][1]
        begin = self._line_end(place)
        begin = min(begin, inner)
        return Entry(key, self._block(value, begin, end), lead, source[place:begin], column=column)

    def _lead(self, content: int, place: int, column: int) -> int:
        """Where the lines begin that belong to the entry at `place`."""
        last = self._line_start(place)
        at_line_start = content and self._source[content - 1] == "\n"
        first = content if at_line_start else self._line_end(content)
        start = last
        while start > first:
            above = self._line_start(start - 1)
            line = self._source[above : start - 1]
            if line.strip() and len(line) - len(line.lstrip(" ")) > column:
                break
            start = above
        return start


def _span(event: Event) -> tuple[int, int]:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        raise UnsupportedError("no places")
    return start.index, end.index
