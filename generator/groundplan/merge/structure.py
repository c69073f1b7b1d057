"""The three-way merge of YAML: by objects, keys and list items, spliced into your text.

A slot is a part of the text that stands for itself: the lines before a key, the key, the value,
what follows it. Where only one side changed a slot, the slot is that side's; all else is yours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundplan.merge import fitting, identities, order, rules, slots, syntax
from groundplan.merge.model import Cause, Conflict, Decision, Three
from groundplan.merge.places import Finder
from groundplan.merge.slots import Entry, Node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundplan.merge.model import Place

ListKeys = Callable[[str, str, "tuple[str | int, ...]"], tuple[str, ...]]
"""The fields that tell the items of a list apart, by apiVersion, kind and path."""

LinesMerge = Callable[[str, str, str], str | None]
"""A three-way merge of lines; None when it has conflicts."""

_EMPTY = {"mapping": Node("mapping", flow=False), "sequence": Node("sequence", flow=False)}


@dataclass(frozen=True, slots=True)
class Where:
    """Where the merge is: in which object, by identity and as the schema knows it."""

    api_version: str = ""
    kind: str = ""
    place: Place = ()
    path: tuple[str | int, ...] = ()

    def at(self, identity: str, step: str | int) -> Where:
        """The same, one step further down."""
        return Where(self.api_version, self.kind, (*self.place, identity), (*self.path, step))


@dataclass(frozen=True, slots=True)
class Result:
    """The merged text and what could not be merged."""

    text: str
    conflicts: tuple[Conflict, ...]
    decisions: tuple[Decision, ...]


def merge(path: str, sides: Three[str], list_keys: ListKeys, lines: LinesMerge) -> Result:
    """Merge three versions of a YAML file.

    Raises:
        UnsupportedError: One of them cannot be cut into slots.
    """
    merger = _Merger(path, list_keys, lines)
    nodes = Three(*(syntax.read(_ended(source)) for source in sides))
    merged = merger.entries(Where(), nodes)
    text = slots.text(merged)
    text = text if sides.yours.endswith("\n") else text.removesuffix("\n")
    finder = Finder(merged, text)
    return Result(
        text,
        tuple(replace(found, **finder.find(found.place)) for found in merger.conflicts),
        tuple(replace(found, **finder.find(found.place)) for found in merger.decisions),
    )


def _ended(source: str) -> str:
    """With an end of the last line, so that lines can follow it."""
    return source if source.endswith("\n") or not source else f"{source}\n"


def inside(where: Where, kind: str, identity: str, value: Any) -> Where:
    """Where an entry's value is."""
    if kind == "stream":
        body = value if isinstance(value, dict) else {}
        names = str(body.get("apiVersion", "")), str(body.get("kind", ""))
        return Where(*names, (identity,))
    return where.at(identity, identity if kind == "mapping" else 0)


class _Merger:
    """Merges one file; collects what cannot be merged."""

    def __init__(self, path: str, list_keys: ListKeys, lines: LinesMerge) -> None:
        self._path = path
        self._list_keys = list_keys
        self._lines = lines
        self.conflicts: list[Conflict] = []
        self.decisions: list[Decision] = []

    def entries(self, where: Where, sides: Three[Node]) -> Node:
        """Merge collections of one kind, entry by entry."""
        kind = sides.yours.kind
        named = self._named(where, kind, sides)
        if kind == "sequence" and _narrowed_and_widened(where, named):
            self._conflict(where, Cause.POSTURE, sides)
            return sides.yours
        kept: dict[str, Entry] = {}
        for name in dict.fromkeys((*named.yours, *named.template)):
            entries = Three(*(side.get(name) for side in named))
            present = entries.yours or entries.template
            value = present.value.value if present and kind == "stream" else None
            entry = self._entry(inside(where, kind, name, value), entries, sides.yours)
            if entry is not None:
                kept[name] = replace(entry, name=name)
        names = order.merged(Three(*(list(side) for side in named)), kept)
        return fitting.with_entries(sides, tuple(kept[name] for name in names))

    def _named(self, where: Where, kind: str, sides: Three[Node]) -> Three[Mapping[str, Entry]]:
        """The entries by names that are equal for equal entries."""
        names: Sequence[Sequence[str]] | None
        values = Three(*(side.value for side in sides))
        if kind == "mapping":
            names = [[entry.key for entry in side.entries] for side in sides]
        else:
            names = identities.document_names(values) if kind == "stream" else None
            if names is None:
                known = self._list_keys(where.api_version, where.kind, where.path)
                names = identities.identities(values, known)
        pairs = zip(names, sides, strict=True)
        return Three(*(dict(zip(own, side.entries, strict=True)) for own, side in pairs))

    def _entry(self, where: Where, sides: Three[Entry | None], parent: Node) -> Entry | None:
        """Merge one entry that at least one of the sides has."""
        base, yours, template = sides
        if yours is None or template is None:
            return self._one_sided(where, sides, parent)
        if base is None:
            return self._both_added(where, yours, template)
        if template.layout in (base.layout, yours.layout):
            return yours
        if base.layout == yours.layout:
            return fitting.fitted(template, parent)
        return self._slots(where, Three(base, yours, template))

    def _one_sided(self, where: Where, sides: Three[Entry | None], parent: Node) -> Entry | None:
        """Merge an entry that is not there on one side."""
        base, yours, template = sides
        if base is None:
            return fitting.fitted(template, parent) if template else yours
        left = yours or template
        if left and not fitting.same(base, left):
            cause = Cause.REMOVED_BY_TEMPLATE if yours else Cause.REMOVED_BY_YOU
            self._conflict(where, cause, sides)
            return yours
        return None

    def _both_added(self, where: Where, yours: Entry, template: Entry) -> Entry:
        kind = yours.value.kind
        if kind in _EMPTY and kind == template.value.kind:
            value = self.entries(where, Three(_EMPTY[kind], yours.value, template.value))
        else:
            value = self._scalar(where, yours.value, template.value)
        if value is template.value:
            value = fitting.aligned(value, yours, template)
        return replace(yours, value=value)

    def _slots(self, where: Where, sides: Three[Entry]) -> Entry:
        """Merge an entry that both sides changed, slot by slot."""
        _, yours, template = sides
        value = self._value(where, Three(*(side.value for side in sides)))
        if value is template.value:
            value = fitting.aligned(value, yours, template)
        lead = yours.lead if yours.inline else self._lead(where, sides)
        head, tail = yours.head, yours.tail
        if value.flow != yours.value.flow:
            head, tail, value = fitting.rehung(yours, value)
        elif not yours.inline and len({side.value.flow for side in sides}) == 1:
            head = self._slot(where, Three(*(side.head for side in sides)))
            tail = self._slot(where, Three(*(side.tail for side in sides)))
        return replace(yours, value=value, lead=lead, head=head, tail=tail)

    def _value(self, where: Where, sides: Three[Node]) -> Node:
        """Merge a value that is there on all sides."""
        base, yours, template = sides
        if template.layout in (base.layout, yours.layout):
            return yours
        if base.layout == yours.layout:
            return template
        collections = yours.kind == template.kind and yours.kind in _EMPTY
        if not (collections and base.kind == yours.kind):
            if base.meaning == template.meaning:
                return yours
            if base.meaning == yours.meaning and not fitting.has_comments(yours):
                return template
            base = _EMPTY.get(yours.kind, base)
        if collections:
            return self.entries(where, Three(base, yours, template))
        return self._scalar(where, yours, template, base)

    def _scalar(self, where: Where, yours: Node, template: Node, base: Node | None = None) -> Node:
        """Let a rule decide about a value that both sides changed, or keep yours."""
        if yours.meaning == template.meaning:
            return yours
        cause = Cause.BOTH_CHANGED if base else Cause.BOTH_ADDED
        if yours.kind == template.kind == "scalar":
            values = Three(base.scalar if base else None, yours.scalar, template.scalar)
            if block := self._block(yours, values):
                return block
            ruling = rules.decide(where.place, values)
            if ruling.kept:
                texts = fitting.shown(yours), fitting.shown(template)
                decision = Decision(self._path, ruling.rule, ruling.kept, *texts, where.place)
                self.decisions.append(decision)
                return yours if ruling.kept == "yours" else template
            cause = cause if ruling.cause is Cause.BOTH_CHANGED else ruling.cause
        self._conflict(where, cause, (base, yours, template))
        return yours

    def _block(self, yours: Node, values: Three[Any]) -> Node | None:
        """Merge the lines of a text of several lines."""
        written = yours.text.startswith("|")
        if not (written and all(isinstance(text, str) and "\n" in text for text in values)):
            return None
        merged = self._lines(*values)
        return None if merged is None else fitting.block(yours, merged)

    def _slot(self, where: Where, sides: Three[str]) -> str:
        """Take the side that changed; yours when both did and it is only about comments."""
        base, yours, template = sides
        if template in (base, yours):
            return yours
        if base == yours:
            return template
        self._comment(where, sides)
        return yours

    def _lead(self, where: Where, sides: Three[Entry]) -> str:
        """Merge the lines before an entry, however far each side indents them."""
        column = sides.yours.column
        base, yours, template = (slots.shifted(side.lead, -side.column) for side in sides)
        if template in (base, yours):
            return sides.yours.lead
        if base == yours:
            return slots.shifted(template, column)
        merged = self._lines(base, yours, template)
        if merged is None:
            self._comment(where, Three(base, yours, template))
            return sides.yours.lead
        return slots.shifted(merged, column)

    def _comment(self, where: Where, sides: Three[str]) -> None:
        """Note a comment that both sides changed; empty lines are no edits."""
        base, yours, template = (side.strip("\n") for side in sides)
        if "#" in yours + template:
            place = (*where.place, "#")
            conflict = Conflict(self._path, Cause.BOTH_CHANGED, yours, template, base, place)
            self.conflicts.append(conflict)

    def _conflict(self, where: Where, cause: Cause, sides: Sequence[Node | Entry | None]) -> None:
        base, yours, template = (fitting.shown(side) for side in sides)
        self.conflicts.append(Conflict(self._path, cause, yours, template, base, where.place))


def _narrowed_and_widened(where: Where, named: Three[Mapping[str, Entry]]) -> bool:
    """Whether one side took from a list that decides what is allowed, and the other added."""
    if not rules.guarded(where.kind, where.place):
        return False
    base, yours, template = (side.keys() for side in named)
    by_template = template - base - yours
    by_you = yours - base - template
    return bool((by_template and base - yours) or (by_you and (base & yours) - template))
