"""Lines of the keys and items of a YAML document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml.events import (
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from groundplan.documents.composing import StreamError, events, line_of
from groundplan.documents.scalars import NoJsonFormError, key_text

if TYPE_CHECKING:
    from collections.abc import Iterator


def lines_of(content: bytes, first_line: int = 1, document: int = 0) -> dict[str, int]:
    """Map the JSON pointer of each key and item of a document to its line."""
    lines: dict[str, int] = {}
    stream = events(content, first_line)
    try:
        for event in stream:
            if isinstance(event, DocumentStartEvent):
                if document == 0:
                    root = next(stream)
                    lines[""] = line_of(root, first_line)
                    _note_lines(stream, root, "", lines, first_line)
                    break
                document -= 1
    except StreamError:
        # What stands before the error still has its lines.
        return lines
    return lines


def _note_lines(
    stream: Iterator[Event], event: Event, pointer: str, lines: dict[str, int], first_line: int
) -> None:
    if type(event) is SequenceStartEvent:
        for index, item in enumerate(iter(lambda: next(stream), None)):
            if type(item) is SequenceEndEvent:
                return
            place = f"{pointer}/{index}"
            lines[place] = line_of(item, first_line)
            _note_lines(stream, item, place, lines, first_line)
    elif type(event) is MappingStartEvent:
        for key in iter(lambda: next(stream), None):
            if type(key) is MappingEndEvent:
                return
            name = _key_name(stream, key)
            place = f"{pointer}/{name}"
            lines.setdefault(place, line_of(key, first_line))
            _note_lines(stream, next(stream), place, lines, first_line)


def _key_name(stream: Iterator[Event], key: Event) -> str:
    """Write a key as a token of a JSON pointer."""
    if type(key) is not ScalarEvent:
        _note_lines(stream, key, "", {}, 0)
        return ""
    text: str = key.value
    if key.tag is not None or key.implicit[0]:
        try:
            text = key_text(text, key.tag)
        except NoJsonFormError:
            return ""
    return text.replace("~", "~0").replace("/", "~1")
