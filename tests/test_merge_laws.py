"""What holds for any edits of a person and of the template, on files that are really rendered."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from groundplan import checks, documents
from groundplan.merge import Cause, File, Mode, Renames, Rules, merge, slots, syntax
from groundplan.merge.keys import SchemaKeys
from groundplan.repository import Repository
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from tests.draws import draws
from tests.rendering import ENGINES, rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.merge import Merged
    from groundplan.merge.slots import Entry, Node

RULES = Rules(SchemaKeys("1.37"), Renames({}, {}))
PATH = "file.yaml"


@cache
def corpus() -> tuple[str, ...]:
    """Every different YAML file of a repository for each engine."""
    found = {
        content.decode()
        for engine in ENGINES
        for path, content in rendered(engine, "enterprise").files.items()
        if path.endswith((".yaml", ".yml"))
    }
    return tuple(sorted(found, key=len))


class Edit:
    """Draws edits of a YAML text."""

    def __init__(self, data: st.DataObject, who: str) -> None:
        self._data = data
        self._who = who
        self._count = 0

    def edited(self, text: str, most: int) -> str:
        """The text after some edits; it can still be read."""
        for _ in range(self._data.draw(st.integers(1, most))):
            stream = syntax.read(text)
            every = list(slots.walk(stream))
            target = self._data.draw(st.sampled_from(range(len(every))))
            changed = self._changed(stream, every[target])
            candidate = slots.text(changed)
            _, problems = documents.parse(PATH, candidate.encode())
            if not problems and candidate.strip():
                text = candidate
        return text

    def _changed(self, node: Node, target: Entry) -> Node:
        if any(entry is target for entry in node.entries):
            return self._among(node, [e is target for e in node.entries].index(True))
        parts = tuple(replace(e, value=self._changed(e.value, target)) for e in node.entries)
        return replace(node, entries=parts)

    def _word(self) -> str:
        self._count += 1
        return f"{self._who}-{self._count}"

    def _among(self, node: Node, index: int) -> Node:
        """One edit of an entry among its siblings."""
        entries = list(node.entries)
        entry = entries[index]
        kinds = ["remove", "duplicate", "comment", "swap", "value"]
        match self._data.draw(st.sampled_from(kinds)):
            case "remove" if len(entries) > 1:
                del entries[index]
            case "duplicate" if node.kind == "mapping":
                key = self._word()
                head = entry.head.replace(entry.key, key, 1)
                if key in head:
                    entries.insert(index + 1, replace(entry, key=key, head=head))
            case "duplicate" if entry.value.kind == "scalar" and node.kind == "sequence":
                entries.insert(index, replace(entry, value=scalar(self._word())))
            case "comment" if not entry.inline and node.kind != "stream" and entry.lead:
                line = f"{' ' * entry.column}# {self._word()}\n"
                entries[index] = replace(entry, lead=entry.lead + line)
            case "comment" if entry.tail == "\n" and not entry.inline:
                entries[index] = replace(entry, tail=f"  # {self._word()}\n")
            case "swap" if index:
                entries[index - 1 : index + 1] = [entry, entries[index - 1]]
            case "value" if entry.value.kind == "scalar" and "\n" not in entry.value.text:
                entries[index] = replace(entry, value=scalar(self._word()))
        return replace(node, entries=tuple(entries))


def scalar(text: str) -> Node:
    return slots.Node("scalar", text=text, scalar=text)


def merged(base: str | None, yours: str | None, template: str | None) -> Merged:
    sides = ({PATH: File(s.encode())} if s is not None else {} for s in (base, yours, template))
    return merge(*sides, RULES)


def result(base: str, yours: str, template: str) -> str:
    return merged(base, yours, template).files[PATH].content.decode()


several = settings(
    deadline=None,
    max_examples=draws(150),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@several
@given(st.data())
def test_no_edit_is_lost_and_what_nobody_touched_stays(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(corpus()))
    yours = Edit(data, "mine").edited(base, 4)
    template = Edit(data, "theirs").edited(base, 4)

    # `merge` itself raises when an edit is neither in the result nor listed.
    found = merged(base, yours, template)

    content = found.files[PATH].content
    assert documents.parse(PATH, content)[1] == ()
    common = untouched(base, yours, template)
    assert subsequence(common, rooted(content.decode()))


Line = tuple[str, ...]


def rooted(text: str) -> list[Line]:
    """Each line below the lines that it is indented under: `name: a` is not one line everywhere.

    Below the kind and the name of its object, too. A key is the same whether something is left
    below it or, after all was removed, nothing.
    """
    every = re.split(r"^---\n", text, flags=re.MULTILINE)
    return [line for document in every for line in _below(document)]


def _below(document: str) -> list[Line]:
    """The lines of one document, each with those above it."""
    whose = tuple(re.findall(r"^(?:kind:|  name:) .*", document, re.MULTILINE)[:2])
    found: list[Line] = []
    above: list[tuple[int, str]] = []
    for line in document.splitlines():
        depth = len(line) - len(line.lstrip(" -"))
        above = [(d, text) for d, text in above if d < depth]
        above.append((depth, re.sub(r": (\{\}|\[\])$", ":", line)))
        found.append((*whose, *(text for _, text in above)))
    return found


def untouched(base: str, yours: str, template: str) -> list[Line]:
    """The lines that are the same, in the same order, on all sides.

    Only those that each side has once: which of two equal lines was kept has no answer.
    """
    old, *sides = (rooted(text) for text in (base, yours, template))
    kept = {line for line in old if all(side.count(line) == 1 for side in (old, *sides))}
    for side in sides:
        blocks = SequenceMatcher(None, old, side, autojunk=False).get_matching_blocks()
        kept &= {line for block in blocks for line in old[block.a : block.a + block.size]}
    return [line for line in old if line in kept]


def subsequence(wanted: list[Line], lines: list[Line]) -> bool:
    rest = iter(lines)
    return all(line in rest for line in wanted)


@several
@given(st.data())
def test_one_side_alone_decides(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(corpus()))
    edited = Edit(data, "mine").edited(base, 4)

    assert result(base, edited, base) == edited
    assert result(base, base, edited) == edited
    assert result(base, edited, edited) == edited


@several
@given(st.data())
def test_merging_again_changes_nothing(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(corpus()))
    yours = Edit(data, "mine").edited(base, 3)
    template = Edit(data, "theirs").edited(base, 3)
    once = result(base, yours, template)

    assert result(template, once, template) == once


@several
@given(st.data())
def test_edits_follow_a_file_that_moved(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(corpus()).filter(lambda text: text.count("\n") > 8))
    yours = Edit(data, "mine").edited(base, 2)
    template = Edit(data, "theirs").edited(base, 2)
    assume(yours != base)
    assume(SequenceMatcher(None, base.splitlines(), template.splitlines()).ratio() > 0.7)
    here, there = {PATH: File(base.encode())}, {"moved.yaml": File(template.encode())}

    found = merge(here, {PATH: File(yours.encode())}, there, RULES)

    assert set(found.files) == {"moved.yaml"}
    assert found.files["moved.yaml"].content.decode() == result(base, yours, template)
    assert not [c for c in found.conflicts if c.cause is Cause.REMOVED_BY_TEMPLATE and not c.place]


@several
@given(st.data())
def test_files_that_are_no_yaml_lose_nothing_either(data: st.DataObject) -> None:
    words = st.lists(st.sampled_from(["a", "b", "c", "d", "", "# e"]), max_size=8)
    texts = [("\n".join(data.draw(words)) + "\n").encode() for _ in range(3)]
    base, yours, template = ({"README.md": File(text)} for text in texts)

    found = merge(base, yours, template, RULES)

    assert found.files["README.md"].mode is Mode.FILE


@cache
def tree(engine: str) -> dict[str, File]:
    """A whole repository."""
    return {path: File(content) for path, content in rendered(engine, "growing").files.items()}


def operated(data: st.DataObject, files: dict[str, File], who: str) -> dict[str, File]:
    """A tree after somebody moved, removed, added and marked some files."""
    result = dict(files)
    for number in range(data.draw(st.integers(1, 6))):
        path = data.draw(st.sampled_from(sorted(result)))
        kind = data.draw(st.sampled_from(["move", "remove", "add", "mark", "mark"]))
        mark = f"# {who}-{number}\n".encode()
        match kind:
            case "move":
                result[f"moved-{number}/{path}"] = result.pop(path)
            case "remove":
                del result[path]
            case "add":
                result[f"{who}-{number}.yaml"] = File(mark + b"a: 1\n")
            case "mark" if path.endswith((".yaml", ".yml", ".md")):
                result[path] = replace(result[path], content=result[path].content + mark)
    return result


def marks(files: Mapping[str, File], who: str) -> set[str]:
    found = (re.findall(rf"# {who}-\d+", file.content.decode()) for file in files.values())
    return {mark for marked in found for mark in marked}


@settings(several, max_examples=draws(60))
@given(st.data(), st.sampled_from(ENGINES))
def test_nothing_is_lost_in_a_tree_whose_files_were_moved_and_removed(
    data: st.DataObject, engine: str
) -> None:
    base = tree(engine)
    yours, template = operated(data, base, "mine"), operated(data, base, "theirs")

    found = merge(base, yours, template, RULES)

    said = "".join(c.yours + c.template for c in found.conflicts)
    for who, side in (("mine", yours), ("theirs", template)):
        left = marks(side, who) - marks(found.files, who)
        assert {mark for mark in left if mark not in said} == set()
    removed = base.keys() - yours.keys()
    assert not {path for path in removed if path in found.files and path not in template}


KEYS = ("labels:\n", "annotations:\n")


@settings(several, max_examples=draws(12))
@given(st.data(), st.sampled_from(ENGINES))
def test_the_merge_of_two_trees_that_pass_check_passes_check(
    data: st.DataObject, engine: str
) -> None:
    base = tree(engine)
    places = [p for p, f in base.items() if any(key.encode() in f.content for key in KEYS)]

    def labelled(who: str) -> dict[str, File]:
        result = dict(base)
        for path in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=8)):
            if path.endswith(".yaml"):
                text = result[path].content.decode()
                for key in KEYS:
                    added = rf"\1\2groundplan.dev/{who}: {who}\n\2"
                    text = re.sub(rf"({key})( +)", added, text, count=1)
                if not documents.parse(path, text.encode())[1]:
                    result[path] = File(text.encode())
        return result

    sides = labelled("mine"), labelled("theirs")
    found = merge(base, *sides, RULES)

    known = findings(base) | findings(sides[0]) | findings(sides[1])
    assert findings(found.files) <= known
    assert not found.conflicts


def findings(files: Mapping[str, File]) -> set[str]:
    repository = Repository.of(
        Tree.of({path: file.content for path, file in files.items()}),
        schemas=default_store("1.37"),
        charts=default_charts(),
        kubernetes="1.37",
    )
    return {f"{f.check_id} {f.location.path} {f.message}" for f in checks.run(repository).findings}
