"""The list of conflicts that an update leaves in the repository until somebody has decided them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.errors import UsageError
from groundplan.merge.model import Cause, Conflict, File
from groundplan.writing import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.merge.model import Merged

FILE = ".groundplan/conflicts.yaml"

_HEADER = """\
# What the last update could not merge. The repository has your side of each, and nothing of the
# template's there. Take over what you want, and remove its entry: `groundplan resolve` helps.
"""


def written(merged: Merged) -> Merged:
    """The merge with the list of its conflicts among the files; no list without conflicts."""
    if not merged.conflicts:
        return merged
    return replace(merged, files={**merged.files, FILE: File(as_file(merged.conflicts))})


def as_file(conflicts: tuple[Conflict, ...]) -> bytes:
    """The content of the list."""
    return (_HEADER + documents.dump([_entry(conflict) for conflict in conflicts])).encode()


def _entry(conflict: Conflict) -> dict[str, Any]:
    said = {
        "path": conflict.path,
        "line": conflict.line,
        "pointer": conflict.pointer,
        "cause": conflict.cause.value,
        "owner": conflict.owner,
        "yours": conflict.yours,
        "template": conflict.template,
        "base": conflict.base,
    }
    return {key: value for key, value in said.items() if value}


def read(content: bytes) -> tuple[Conflict, ...]:
    """The conflicts that a list still has.

    Raises:
        YamlError: Somebody left it as no YAML.
    """
    return tuple(
        Conflict(
            path=said["path"],
            cause=Cause(said["cause"]),
            yours=said.get("yours", ""),
            template=said.get("template", ""),
            base=said.get("base", ""),
            pointer=said.get("pointer", ""),
            line=said.get("line", 0),
            owner=said.get("owner", ""),
        )
        for said in documents.load(content, FILE) or ()
    )


def left(root: Path) -> tuple[Conflict, ...]:
    """The conflicts that a repository still has.

    Raises:
        YamlError: Somebody left the list as no YAML.
    """
    file = root / FILE
    return read(file.read_bytes()) if file.is_file() else ()


def undecided(
    conflicts: tuple[Conflict, ...], files: tuple[str, ...], *, every: bool
) -> tuple[Conflict, ...]:
    """The conflicts without those of some files.

    Raises:
        UsageError: `resolve.no-such-conflict`.
    """
    known = {conflict.path for conflict in conflicts}
    for path in files:
        if path not in known:
            fix = f"name one of {', '.join(sorted(known))}" if known else "none are left"
            what = "has no conflict that is left"
            raise UsageError("resolve.no-such-conflict", what, where=path, fix=fix)
    return () if every else tuple(c for c in conflicts if c.path not in files)


def replace_list(root: Path, conflicts: tuple[Conflict, ...]) -> None:
    """Write the list anew, or remove it when nothing is left."""
    file = root / FILE
    if not conflicts:
        file.unlink(missing_ok=True)
        return
    write_whole(file, as_file(conflicts).decode())
