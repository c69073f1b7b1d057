"""Entries of one text, written as they have to be in another."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from groundplan.documents import dump
from groundplan.merge import slots, syntax
from groundplan.merge.slots import Entry, Node

if TYPE_CHECKING:
    from groundplan.merge.model import Three

_HEADER_COMMENT = re.compile(r"(?<=\s)#.*")


def shown(part: Node | Entry | None) -> str:
    """A value, or an entry with what stands around it, as people read it; nothing for none."""
    return "" if part is None else part.layout.strip("\n")


def has_comments(node: Node) -> bool:
    """Whether anybody wrote comments inside a value."""
    return any(entry.comments for entry in node.entries)


def with_entries(sides: Three[Node], entries: tuple[Entry, ...]) -> Node:
    """The collection with these entries; one that is left without any is written as empty."""
    yours = sides.yours
    if entries or yours.kind == "stream":
        return replace(yours if yours.entries else sides.template, entries=entries)
    brackets = "{}" if yours.kind == "mapping" else "[]"
    return Node(yours.kind, text=brackets[0], closing=brackets[1])


def _in_line(entry: Entry) -> Entry:
    if entry.value.flow:
        return entry
    text = json.dumps(entry.value.value, ensure_ascii=False)
    return replace(entry, value=syntax.read(text).entries[0].value)


def fitted(entry: Entry, parent: Node) -> Entry:
    """An entry of the template, written as its new surroundings are."""
    if parent.kind == "stream" or not parent.entries:
        return entry
    if parent.flow:
        if entry.inline:
            return entry
        head = f"{entry.head.partition(':')[0]}: " if parent.kind == "mapping" else ""
        return replace(_in_line(entry), head=head, lead="", tail="", column=0, inline=True)
    column = parent.entries[0].column
    if entry.inline:
        return _written(entry, parent.kind, column)
    return slots.moved(entry, column - entry.column)


def _written(entry: Entry, kind: str, column: int) -> Entry:
    """Write an entry that came from within a line as lines of its own."""
    body = {entry.key: entry.value.value} if kind == "mapping" else [entry.value.value]
    lines = slots.shifted(dump(body), column)
    node = syntax.read(lines).entries[0].value
    return node.entries[0]


def same(one: Entry, other: Entry) -> bool:
    """Whether nobody changed more than the look of an entry."""
    return one.value.meaning == other.value.meaning and one.comments == other.comments


def aligned(value: Node, yours: Entry, template: Entry) -> Node:
    """A value of the template, as far to the right as your entry needs it."""
    return slots.indented(value, _shift(yours, template))


def _shift(yours: Entry, template: Entry) -> int:
    """How much further to the right the template's value has to be."""
    mine, theirs = yours.value, template.value
    if mine.flow or theirs.flow or not (mine.entries and theirs.entries):
        return yours.column - template.column
    return mine.entries[0].column - theirs.entries[0].column


def rehung(yours: Entry, value: Node) -> tuple[str, str, Node]:
    """Head, tail and value of an entry whose value moves into lines of its own, or back."""
    if value.flow:
        key, newline, _ = yours.head.partition("\n")
        bare = _HEADER_COMMENT.sub("", key).rstrip()
        comment = key[len(bare) :].rstrip() if newline else ""
        return f"{bare} ", f"{comment}\n", value
    line, _, rest = yours.tail.partition("\n")
    if rest:
        last = value.entries[-1]
        value = replace(value, entries=(*value.entries[:-1], replace(last, tail=last.tail + rest)))
    return f"{yours.head.rstrip()}{line}\n", "", value


def block(node: Node, text: str) -> Node | None:
    """A text of several lines, written as another one is; None where that would change it."""
    header, _, body = node.text.partition("\n")
    odd = text.startswith((" ", "\n")) or text.endswith("\n\n") or not text.strip()
    if odd or header.strip("|-"):
        return None
    first = next(line for line in body.split("\n") if line.strip())
    indent = len(first) - len(first.lstrip(" "))
    lines = slots.shifted(text.rstrip("\n") + "\n", indent)
    return replace(node, text=f"{header}\n{lines}", scalar=text)
