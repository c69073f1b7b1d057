"""Files and objects that one side put elsewhere, so that the other side's edits follow them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from groundplan.merge import slots, syntax
from groundplan.merge.identities import object_key
from groundplan.merge.model import Cause, Conflict, File, Files, Mode, Move
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.merge.slots import Entry, Node
    from groundplan.resources import ResourceId

ALIKE = 0.6
"""The share of equal lines from which a file that appeared is one that disappeared."""
_FEWEST_LINES = 3
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Renames:
    """What the template says that it called otherwise before."""

    paths: Mapping[str, str]
    """Files, or folders when they end in `/`."""
    objects: Mapping[str, str]
    """`Kind namespace/name` or `Kind name` to the new name."""

    def path(self, path: str) -> str:
        """Where a file is called now."""
        if path in self.paths:
            return self.paths[path]
        for old, new in self.paths.items():
            if old.endswith("/") and path.startswith(old):
                return new + path.removeprefix(old)
        return path


def of_files(before: Files, after: Files, paths: Iterable[str], renames: Renames) -> dict[str, str]:
    """Where files went that are in `before` and no longer in `after`.

    Declared names count first, then equal content, then most lines being equal.
    """
    gone = [path for path in paths if path in before and path not in after]
    fresh = [path for path in after if path not in before]
    found: dict[str, str] = {}
    for path in gone:
        if (target := renames.path(path)) in fresh:
            found[path] = target
    for path in gone:
        left = [new for new in fresh if new not in found.values()]
        if path not in found and (target := _likest(path, before, after, left)):
            found[path] = target
    return found


def _likest(path: str, before: Files, after: Files, fresh: list[str]) -> str:
    """The file that is most like one that is gone; empty when none is like it."""
    old = before[path]
    same = [new for new in fresh if after[new].content == old.content and old.content.strip()]
    if same:
        return min(same, key=lambda new: (_name(new) != _name(path), new))
    best, likeness = "", ALIKE
    for new in fresh:
        if _suffix(new) == _suffix(path) and (share := _alike(old, after[new])) > likeness:
            best, likeness = new, share
    return best


def _alike(one: File, other: File) -> float:
    if Mode.LINK in (one.mode, other.mode) or b"\0" in one.content + other.content:
        return 0
    a, b = one.content.splitlines(), other.content.splitlines()
    if min(len(a), len(b)) < _FEWEST_LINES:
        return 0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() > ALIKE else 0


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _suffix(path: str) -> str:
    return _name(path).rpartition(".")[2]


def relocated(files: Files, moves: Mapping[str, str]) -> dict[str, File]:
    """The files with some of them under other paths."""
    return {moves.get(path, path): file for path, file in files.items()}


def of_objects(base: Files, template: Files, paths: Iterable[str]) -> tuple[Move, ...]:
    """The objects of some files that the template wrote into other files.

    Args:
        base: The template's old files.
        template: Its new ones.
        paths: The files in question: those that the user edited.
    """
    asked = [path for path in paths if path in base and path.endswith(_YAML)]
    old = {path: _objects(base[path]) for path in asked}
    old = {path: names for path, names in old.items() if names}
    moved_from = [path for path, names in old.items() if not _holds(template.get(path), names)]
    if not moved_from:
        return ()
    homes = _homes(base, template)
    moves: dict[tuple[str, str], list[str]] = {}
    for path in moved_from:
        still = _objects(template[path]) if path in template else []
        for name in old[path]:
            if name not in still and name in homes:
                moves.setdefault((path, homes[name]), []).append(name)
    return tuple(
        Move(source, target, "template", tuple(names)) for (source, target), names in moves.items()
    )


def _holds(file: File | None, names: list[str]) -> bool:
    return file is not None and set(names) <= set(_objects(file))


def _homes(base: Files, template: Files) -> dict[str, str]:
    """Where the template has objects now, in files that are new or changed."""
    homes: dict[str, str] = {}
    twice: Counter[str] = Counter()
    for path, file in template.items():
        if path.endswith(_YAML) and base.get(path) != file:
            for name in _objects(file):
                twice[name] += 1
                homes[name] = path
    return {name: path for name, path in homes.items() if twice[name] == 1}


def _objects(file: File) -> list[str]:
    """The objects that a file holds, each by its identity."""
    stream = _stream(file)
    names = [object_key(entry.value.value) for entry in stream.entries] if stream else []
    # A Kustomization of kustomize has no name, so it is nothing that could be found elsewhere.
    return [name for name in names if name and not name.split(".")[0].endswith(" ")]


def _stream(file: File) -> Node | None:
    if file.mode is Mode.LINK:
        return None
    try:
        return syntax.read(file.content.decode())
    except (syntax.UnsupportedError, UnicodeDecodeError):
        return None


def with_objects_moved(files: Files, moves: Iterable[Move]) -> dict[str, File]:
    """The files with some objects written into other ones; an emptied file is gone."""
    result = dict(files)
    for move in moves:
        source = result.get(move.source)
        stream = _stream(source) if source else None
        if source is None or stream is None:
            continue
        taken = [e for e in stream.entries if object_key(e.value.value) in move.objects]
        left = [e for e in stream.entries if e not in taken]
        if not taken:
            continue
        if any(entry.value.text or entry.value.entries for entry in left):
            result[move.source] = _written(source, stream, left)
        else:
            taken = list(stream.entries)
            del result[move.source]
        result[move.target] = _joined(result.get(move.target), source, stream, taken)
    return result


def _joined(there: File | None, source: File, stream: Node, taken: list[Entry]) -> File:
    """A file with objects added at its end."""
    if there is None:
        return _written(source, stream, taken)
    own = _stream(there)
    return _written(there, stream, [*(own.entries if own else ()), *taken])


def _written(file: File, stream: Node, entries: list[Entry]) -> File:
    return replace(file, content=slots.text(replace(stream, entries=tuple(entries))).encode())


def with_objects_renamed(files: Files, renames: Mapping[str, str], paths: Iterable[str]) -> Files:
    """The files with some objects called what the template calls them now."""
    if not renames:
        return files
    result = dict(files)
    for path in paths:
        file = result.get(path)
        stream = _stream(file) if file and path.endswith(_YAML) else None
        if file and stream:
            entries = [_renamed(entry, renames) for entry in stream.entries]
            result[path] = _written(file, stream, entries)
    return result


def followed_names(
    base: Files, yours: Files, template: Files, paths: Iterable[str]
) -> tuple[Files, Files, tuple[Conflict, ...]]:
    """The template's two versions with the names that you gave to its objects.

    An object that the template dropped is not followed, so that yours stays. One that the template
    renamed as well is yours under your name, and a conflict.
    """
    clashes = []
    for path in (path for path in paths if path.endswith(_YAML)):
        mine = _new_names(base.get(path), yours.get(path))
        theirs = _new_names(base.get(path), template.get(path)) if mine else {}
        there = _by_identity(template.get(path)) if mine else {}
        for old, name in mine.items():
            now = old._replace(name=theirs.get(old, old.name))
            if now not in there:
                continue
            if now != old:
                clashes.append(Conflict(path, Cause.BOTH_CHANGED, name, now.name, old.name))
            base = with_objects_renamed(base, {str(old): name}, [path])
            template = with_objects_renamed(template, {str(now): name}, [path])
    return base, template, tuple(clashes)


def _new_names(before: File | None, after: File | None) -> dict[ResourceId, str]:
    """What the objects of a file are called now that one side calls otherwise."""
    old, new = _by_identity(before), _by_identity(after)
    gone, fresh = (
        [one for one in side if one not in other] for side, other in ((old, new), (new, old))
    )
    found = {}
    for one in gone:
        rivals = [other for other in gone if other._replace(name=one.name) == one]
        likely = [other for other in fresh if other._replace(name=one.name) == one]
        if len(rivals) == len(likely) == 1 and _same_object(old[one], new[likely[0]]):
            found[one] = likely[0].name
    return found


def _by_identity(file: File | None) -> dict[ResourceId, Entry]:
    stream = _stream(file) if file else None
    pairs = ((_identity(entry), entry) for entry in stream.entries) if stream else ()
    return {identity: entry for identity, entry in pairs if identity and identity.name}


def _identity(document: Entry) -> ResourceId | None:
    body = document.value.value
    return Resource.of(body, Origin("")).id if object_key(body) else None


def _same_object(one: Entry, other: Entry) -> bool:
    """Whether most lines of two documents are equal."""
    a, b = (slots.text(entry.value).splitlines() for entry in (one, other))
    return SequenceMatcher(None, a, b, autojunk=False).ratio() > ALIKE


def _renamed(document: Entry, renames: Mapping[str, str]) -> Entry:
    name = renames.get(str(_identity(document)))
    if name is None:
        return document
    return _replaced(document, ("metadata", "name"), name)


def _replaced(entry: Entry, path: tuple[str, ...], text: str) -> Entry:
    if not path:
        return replace(entry, value=replace(entry.value, text=text, scalar=text))
    parts = tuple(
        _replaced(below, path[1:], text) if below.key == path[0] else below
        for below in entry.value.entries
    )
    return replace(entry, value=replace(entry.value, entries=parts))
