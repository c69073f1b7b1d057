"""The exact reader: libyaml's events, composed the way go-yaml decodes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from groundplan.documents.scalars import NoJsonFormError, key_text, resolve, resolve_tagged

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 200
"""Levels of nesting; the deepest CRDs have about 60."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SLASH_ESCAPE = re.compile(r"(?:[^\\]|\\[^/])*\\/", re.DOTALL)
_MERGE = "tag:yaml.org,2002:merge"


class DocumentError(Exception):
    """A document has no value; why, and on which line (from 1)."""

    def __init__(self, kind: str, message: str, line: int) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.line = line


class StreamError(DocumentError):
    """An error after which nothing in the file can be read."""


def events(content: bytes, first_line: int) -> Iterator[Event]:
    """Give libyaml's events, one at a time. The content begins on `first_line` of its file.

    Raises:
        DocumentError: `syntax`, where libyaml cannot go on.
    """
    loader = None
    try:
        loader = _LOADER(content)
        while True:
            yield loader.get_event()
            if loader.check_event(StreamEndEvent):
                return
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        raise StreamError("syntax", _sentence(error), line) from error
    except yaml.YAMLError as error:
        raise StreamError("syntax", str(error).splitlines()[0], first_line) from error
    finally:
        if loader is not None:
            loader.dispose()


def compose(content: bytes, first_line: int = 1) -> Iterator[Any]:
    """Give the value of each document, or the `DocumentError` that leaves it without one.

    Nothing follows a `StreamError`: where the next document begins is then unknown.
    """
    stream = events(content, first_line)
    try:
        for event in stream:
            if not isinstance(event, DocumentStartEvent):
                continue
            try:
                yield _Document(stream, first_line, content).read(event)
            except StreamError:
                raise
            except DocumentError as error:
                yield error
                if not _skip_document(stream):
                    return
    except StreamError as error:
        yield error


def line_of(event: Event, first_line: int) -> int:
    """Say on which line of the file an event begins."""
    mark = event.start_mark
    return first_line + (int(mark.line) if mark else 0)


def _skip_document(stream: Iterator[Event]) -> bool:
    """Go to the end of the document; whether anything can be read after it."""
    try:
        for event in stream:
            if isinstance(event, DocumentEndEvent):
                return True
    except StreamError:
        pass
    return False


class _Document:
    """Composes one document, counting as go-yaml does what aliases would expand to."""

    def __init__(self, stream: Iterator[Event], first_line: int, content: bytes) -> None:
        self._stream = stream
        self._first_line = first_line
        # Only libyaml knows the escape `\\/`, so the text is needed where it may stand.
        self._escaping = content.decode("utf-8", "replace") if b"\\/" in content else ""
        self._flow = 0
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._decoded = 1
        self._aliased = 0

    def read(self, start: DocumentStartEvent) -> Any:
        """Compose up to and with the end of the document."""
        if start.version is not None and start.version != (1, 1):
            line = self._line(start)
            raise DocumentError("syntax", "Kubernetes reads YAML 1.1; remove `%YAML`", line)
        value = self.value(next(self._stream), 0)
        next(self._stream)
        return value

    def value(self, event: Event, depth: int) -> Any:
        """Compose the node that begins with an event."""
        if type(event) is ScalarEvent:
            self._decoded += 1
            value: Any = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = value, 1
            return value
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if depth >= MAX_DEPTH:
            raise DocumentError(
                "syntax", f"nested deeper than {MAX_DEPTH} levels", self._line(event)
            )
        return self._collection(event, depth)

    def _line(self, event: Event) -> int:
        return line_of(event, self._first_line)

    def _refuse_dialect(self, event: ScalarEvent) -> None:
        """Refuse what libyaml reads and go-yaml does not."""
        if self._flow and not event.style and "?" in event.value[1:]:
            raise DocumentError(
                "syntax", "quote a value with `?` inside [] or {}", self._line(event)
            )
        marks = event.start_mark, event.end_mark
        if self._escaping and event.style == '"' and marks[0] and marks[1]:
            source = self._escaping[marks[0].index : marks[1].index]
            if _SLASH_ESCAPE.match(source):
                raise DocumentError("syntax", "found unknown escape `\\/`", self._line(event))

    def _scalar(self, event: ScalarEvent) -> Any:
        if self._flow or self._escaping:
            self._refuse_dialect(event)
        try:
            if event.tag is not None:
                return resolve_tagged(event.tag, event.value)
            if event.implicit[0]:
                return resolve(event.value)
        except NoJsonFormError as error:
            raise DocumentError("syntax", str(error), self._line(event)) from None
        return event.value

    def _alias(self, event: AliasEvent) -> Any:
        name, line = event.anchor, self._line(event)
        if name not in self._anchors:
            raise DocumentError("syntax", f"alias *{name} has no anchor &{name} before it", line)
        target = self._anchors[name]
        if target is None:
            raise DocumentError("anchor-bomb", f"anchor &{name} contains itself", line)
        value, weight = target
        self._decoded += 1 + weight
        self._aliased += weight
        if (
            self._aliased > 100
            and self._decoded > 1000
            and self._aliased > self._decoded * _allowed_share(self._decoded)
        ):
            raise DocumentError(
                "anchor-bomb", "aliases make this document far larger than its text", line
            )
        return value

    def _collection(self, event: Event, depth: int) -> Any:
        start = self._decoded
        self._decoded += 1
        anchor: str | None = event.anchor  # type: ignore[attr-defined]
        if anchor:
            self._anchors[anchor] = None
        in_flow = bool(event.flow_style)  # type: ignore[attr-defined]
        self._flow += in_flow
        mapping = isinstance(event, MappingStartEvent)
        value = self._mapping(depth + 1) if mapping else self._sequence(depth + 1)
        self._flow -= in_flow
        if anchor:
            self._anchors[anchor] = value, self._decoded - start
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        for event in self._stream:
            if type(event) is SequenceEndEvent:
                break
            items.append(self.value(event, depth))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged_on: int | None = None
        for event in self._stream:
            if type(event) is MappingEndEvent:
                break
            line = self._line(event)
            if _is_merge(event):
                if merged_on is not None:
                    raise _duplicate("<<", merged_on, line)
                merged_on = line
                self._merge(result, lines, line, depth)
                continue
            key = self._key(event)
            if key in lines:
                raise _duplicate(key, lines[key], line)
            lines[key] = line
            result[key] = self.value(next(self._stream), depth)
        return result

    def _key(self, event: Event) -> str:
        line = self._line(event)
        if isinstance(event, AliasEvent):
            value = self._alias(event)
            if not isinstance(value, str):
                raise DocumentError(
                    "syntax", f"alias *{event.anchor} is no string, so no key", line
                )
            return value
        if not isinstance(event, ScalarEvent):
            raise DocumentError("syntax", "a mapping or a list cannot be a key", line)
        if self._flow or self._escaping:
            self._refuse_dialect(event)
        self._decoded += 1
        if event.tag is None and not event.implicit[0]:
            key: str = event.value
        else:
            try:
                key = key_text(event.value, event.tag)
            except NoJsonFormError as error:
                raise DocumentError("syntax", str(error), line) from None
        if event.anchor:
            self._anchors[event.anchor] = self._scalar(event), 1
        return key

    def _merge(self, result: dict[str, Any], lines: dict[str, int], line: int, depth: int) -> None:
        event = next(self._stream)
        value = self.value(event, depth)
        layers = value if isinstance(event, SequenceStartEvent) else [value]
        for layer in reversed(layers):
            if not isinstance(layer, dict):
                raise DocumentError("syntax", "`<<` merges mappings only", line)
            for key, merged in layer.items():
                if key in lines and result[key] != merged:
                    raise DocumentError(
                        "ambiguous",
                        f"key `{key}` is set on line {lines[key]} and again by `<<`; "
                        "readers differ on which wins",
                        line,
                    )
                result[key] = merged


def _is_merge(event: Event) -> bool:
    return (
        type(event) is ScalarEvent
        and event.value == "<<"
        and (event.implicit[0] or event.tag == _MERGE)
    )


def _duplicate(key: str, first: int, second: int) -> DocumentError:
    message = f"key `{key}` is on line {first} and again on line {second}"
    return DocumentError("duplicate-key", message, second)


def _allowed_share(decoded: int) -> float:
    """How much of a document go-yaml lets aliases expand to."""
    low, high = 400_000, 4_000_000
    if decoded <= low:
        return 0.99
    return 0.10 if decoded >= high else 0.99 - 0.89 * (decoded - low) / (high - low)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "'\\t'" in problem:
        return "a tab where only spaces may stand"
    return f"{problem} ({error.context})" if error.context else problem
