"""What the template makes of some answers, and a lock that remembers which files these are."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import groundplan
from groundplan.merge import File, Files, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from groundplan.template import Template

SCHEMA = "groundplan.dev/lock/v1"
_KEPT = 4
"""Locks kept in one repository: the base, the newest, and those of another branch."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The files of one render by the names that git gives to their content."""

    version: str
    digest: str
    """Of the answers."""
    blobs: Mapping[str, str]


def render(
    template: Template,
    values: Mapping[str, Any],
    approve: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Files:
    """Render into a temporary folder and read what is there.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The template cannot be rendered.
    """
    from groundplan import copier_adapter

    with tempfile.TemporaryDirectory(prefix="groundplan-") as name:
        folder = Path(name, "rendered")
        copier_adapter.render(template, values, folder, approve)
        return read(folder)


def read(folder: Path) -> Files:
    """Every file below a folder."""
    found: dict[str, File] = {}
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            found[path.relative_to(folder).as_posix()] = _file(path)
    return dict(sorted(found.items()))


def _file(path: Path) -> File:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return File(os.fsencode(path.readlink()), Mode.LINK)
    return File(path.read_bytes(), Mode.EXECUTABLE if mode & stat.S_IXUSR else Mode.FILE)


def digest(values: Mapping[str, Any]) -> str:
    """A name for answers that is the same when they are."""
    said = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(f"{groundplan.__version__}\0{said}".encode()).hexdigest()[:32]


def lock(version: str, values: Mapping[str, Any], files: Files) -> Lock:
    """The lock of a render."""
    blobs = {path: f"{file.mode.value} {file.blob}" for path, file in files.items()}
    return Lock(version, digest(values), blobs)


def remember(private: Path, locked: Lock) -> None:
    """Keep a lock where the next `status` finds it; the oldest ones go."""
    folder = private / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    body = {
        "schema": SCHEMA,
        "version": locked.version,
        "answers": locked.digest,
        "files": dict(locked.blobs),
    }
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(body, stream, indent=1)
    Path(name).replace(_place(private, locked.version, locked.digest))
    kept = sorted(folder.glob("*.json"), key=lambda path: -path.stat().st_mtime)
    for old in kept[_KEPT:]:
        old.unlink(missing_ok=True)


def recall(private: Path, version: str, values: Mapping[str, Any]) -> Lock | None:
    """The lock of these answers at this version, if it was made here; a damaged one is none."""
    wanted = digest(values)
    try:
        body = json.loads(_place(private, version, wanted).read_text("utf-8"))
        right = (body["schema"], body["version"], body["answers"]) == (SCHEMA, version, wanted)
        return Lock(version, wanted, body["files"]) if right else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(private: Path, version: str, digest_: str) -> Path:
    return private / "locks" / f"{version}-{digest_}.json"
