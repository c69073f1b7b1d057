"""The three-way merge of whole trees: file by file, after what moved has been followed."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from groundplan.errors import InternalError
from groundplan.merge import conservation, lines, moves, structure
from groundplan.merge.model import (
    Cause,
    Conflict,
    Decision,
    Fate,
    File,
    Files,
    Merged,
    Mode,
    Move,
    Tally,
    Three,
)
from groundplan.merge.syntax import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundplan.merge.structure import ListKeys

_STRUCTURED = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a merge has to know beside the files."""

    list_keys: ListKeys
    renames: moves.Renames
    owned: Callable[[str], bool] = lambda _: False
    """Whether a file is the user's alone once it is there."""
    generated: Callable[[str], bool] = lambda _: False
    """Whether a file is the template's alone."""


_NOTHING = conservation.Account(Tally(), Tally())


@dataclass(frozen=True, slots=True)
class _One:
    """One merged file."""

    file: File | None
    listed: tuple[Conflict | Decision, ...] = ()
    account: conservation.Account = _NOTHING


def merge(base: Files, yours: Files, template: Files, rules: Rules) -> Merged:
    """Merge what the template changed since `base` into your files. Nothing is written.

    Raises:
        InternalError: `merge.lost`, when an edit would be neither in the result nor listed.
        ToolError: `tool.missing` or `tool.failed`, from `git merge-file`.
    """
    base, yours, template, moved, clashes = _followed(base, yours, template, rules)
    files: dict[str, File] = {}
    fates: dict[str, Fate] = {}
    listed: list[Conflict | Decision] = list(clashes)
    tallies = Tally(), Tally()
    for path in sorted({*base, *yours, *template}):
        sides = Three(base.get(path), yours.get(path), template.get(path))
        fate, one = _file(path, sides, rules)
        if not rules.generated(path):
            _require_kept(path, sides, fate, one)
        if one.file is not None:
            files[path] = one.file
        if fate is not None:
            fates[path] = fate
        listed += one.listed
        tallies = tallies[0] + one.account.yours, tallies[1] + one.account.template
    return Merged(
        files,
        fates,
        tuple(found for found in listed if isinstance(found, Conflict)),
        tuple(found for found in listed if isinstance(found, Decision)),
        moved,
        *tallies,
    )


def _followed(
    base: Files, yours: Files, template: Files, rules: Rules
) -> tuple[Files, Files, Files, tuple[Move, ...], tuple[Conflict, ...]]:
    """All sides under the same paths, whoever moved what."""
    edited = [path for path, file in base.items() if yours.get(path) not in (file, None)]
    base = moves.with_objects_renamed(base, rules.renames.objects, edited)
    yours = moves.with_objects_renamed(yours, rules.renames.objects, edited)
    theirs = moves.of_files(base, template, edited, rules.renames)
    base, yours = moves.relocated(base, theirs), moves.relocated(yours, theirs)
    edited = [theirs.get(path, path) for path in edited]
    base, template, renamed_twice = moves.followed_names(base, yours, template, edited)
    shifts = moves.of_objects(base, template, edited)
    base, yours = (moves.with_objects_moved(side, shifts) for side in (base, yours))
    gone = [path for path in base if path not in yours and template.get(path) != base[path]]
    mine = moves.of_files(base, yours, gone, moves.Renames({}, {}))
    both = moves.of_files(base, template, mine, rules.renames)
    moved_twice = tuple(
        Conflict(mine[path], Cause.BOTH_MOVED, mine[path], target, path)
        for path, target in both.items()
    )
    renamed = {**mine, **{target: mine[path] for path, target in both.items()}}
    base, template = moves.relocated(base, mine), moves.relocated(template, renamed)
    moved = (
        *shifts,
        *(Move(source, target, "template") for source, target in theirs.items()),
        *(Move(source, target, "you") for source, target in mine.items()),
    )
    return base, yours, template, moved, (*renamed_twice, *moved_twice)


def _file(  # noqa: PLR0911 - one line for each way in which a file can have changed
    path: str, sides: Three[File | None], rules: Rules
) -> tuple[Fate | None, _One]:
    """Merge one file."""
    base, yours, template = sides
    if yours == template:
        return None, _One(yours)
    if rules.generated(path):
        return Fate.UPDATED, _One(template)
    if base == template:
        return Fate.YOURS, _One(yours)
    if rules.owned(path) and (yours or base):
        return Fate.OWNED, _One(yours)
    if base == yours:
        fate = Fate.ADDED if base is None else Fate.REMOVED if template is None else Fate.UPDATED
        return fate, _One(template)
    if yours is None or template is None:
        return Fate.MERGED, _removed(path, base, yours, template)
    return Fate.MERGED, _both(path, base, yours, template, rules)


def _removed(path: str, base: File | None, yours: File | None, template: File | None) -> _One:
    """One side removed what the other changed: it stays as it is with you."""
    changed = yours or template
    cause = Cause.REMOVED_BY_TEMPLATE if yours else Cause.REMOVED_BY_YOU
    text = _difference(path, base, changed)
    sides = (text, "") if yours else ("", text)
    conflict = Conflict(path, cause, *sides, "")
    return _One(yours, (conflict,), _whole(base, yours, template, yours, conflict))


def _both(path: str, base: File | None, yours: File, template: File, rules: Rules) -> _One:
    """Both sides changed it, or both added it."""
    mode = _mode(base, yours, template)
    if Mode.LINK in (yours.mode, template.mode) or _binary(base, yours, template):
        return _kept_whole(path, base, yours, template)
    contents = (base.content if base else b"", yours.content, template.content)
    done = _structured(path, contents, rules) or _by_lines(path, contents, rules)
    if done is None:
        return _kept_whole(path, base, yours, template)
    content, listed, account = done
    return _One(File(content, mode), listed, account)


_Done = tuple[bytes, tuple[Conflict | Decision, ...], conservation.Account]


def _structured(path: str, contents: Sequence[bytes], rules: Rules) -> _Done | None:
    """Merge as YAML; nothing when it is none, or when that would lose an edit."""
    if not path.endswith(_STRUCTURED):
        return None
    try:
        texts = Three(*(content.decode() for content in contents))
        result = structure.merge(path, texts, rules.list_keys, lines.merged)
    except (UnsupportedError, UnicodeDecodeError):
        return None
    listed: tuple[Conflict | Decision, ...] = (*result.conflicts, *result.decisions)
    content = result.text.encode()
    account = conservation.of_yaml((*contents, content), listed, rules.list_keys)
    return None if account.lost else (content, listed, account)


def _by_lines(path: str, contents: Sequence[bytes], rules: Rules) -> _Done | None:
    """Merge line by line; nothing when that would lose an edit."""
    base, yours, template = contents
    found = lines.merge(base, yours, template)
    if found.text is None:
        return None
    listed = tuple(
        Conflict(
            path,
            Cause.BOTH_CHANGED if base else Cause.BOTH_ADDED,
            region.yours,
            region.template,
            region.base,
            line=region.line,
        )
        for region in found.regions
    )
    account = conservation.of_lines((*contents, found.text), listed)
    if path.endswith(_STRUCTURED):
        # Lines that merge may still make a document that says something else, or a key twice.
        values = conservation.of_yaml((*contents, found.text), listed, rules.list_keys)
        account = replace(account, lost=(*account.lost, *values.lost))
    return None if account.lost else (found.text, listed, account)


def _kept_whole(path: str, base: File | None, yours: File, template: File) -> _One:
    """Nothing of the template's can be applied: all of it is listed."""
    cause = Cause.BOTH_CHANGED if base else Cause.BOTH_ADDED
    texts = _difference(path, base, yours), _difference(path, base, template)
    conflict = Conflict(path, cause, *texts, "")
    return _One(yours, (conflict,), _whole(base, yours, template, yours, conflict))


def _whole(
    base: File | None,
    yours: File | None,
    template: File | None,
    result: File | None,
    conflict: Conflict,
) -> conservation.Account:
    contents = [side.content if side else b"" for side in (base, yours, template, result)]
    return conservation.of_lines(contents, (conflict,))


def _binary(*files: File | None) -> bool:
    return any(file is not None and b"\0" in file.content for file in files)


def _mode(base: File | None, yours: File, template: File) -> Mode:
    return template.mode if base is not None and base.mode == yours.mode else yours.mode


def _difference(path: str, base: File | None, changed: File | None) -> str:
    """What one side changed in a file, for people."""
    if _binary(base, changed):
        return "(not a text)"
    before, after = (
        (file.content.decode("utf-8", "replace") if file else "").splitlines(keepends=True)
        for file in (base, changed)
    )
    return "".join(difflib.unified_diff(before, after, path, path))


def _require_kept(path: str, sides: Three[File | None], fate: Fate | None, one: _One) -> None:
    """Refuse a result that does not hold, or list, what both sides did."""
    base, yours, template = sides
    lost = list(one.account.lost)
    if fate in (None, Fate.YOURS, Fate.ADDED, Fate.UPDATED, Fate.REMOVED):
        if base == template and one.file != yours:
            lost.append("your version of the file")
        if base == yours and one.file != template:
            lost.append("the template's version of the file")
    if lost:
        raise InternalError("merge.lost", f"the merge would lose {'; '.join(lost)}", where=path)
