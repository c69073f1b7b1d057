"""A repository's files, read once and never changed."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from groundplan.errors import ToolError, UsageError
from groundplan.process import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Larger files are no manifests; etcd takes objects of 1.5 MiB."""

MAX_LINKED_FOLDERS = 1000
"""Folders that link to each other have more paths than anyone can read."""

_LOOP = "links that lead in a circle"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A path whose content is unknown."""

    path: str
    """Relative to the root, with `/`; bytes that are not UTF-8 are written as `\\\\xNN`."""
    kind: str
    """`symlink-outside`, `symlink-loop`, `too-large`, `unreadable` or `special-file`."""
    message: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Files by their path relative to the root, with `/`."""

    root: Path
    files: Mapping[str, bytes]
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def read(cls, root: Path) -> Tree:
        """Read a folder; `.git` and what git ignores are left out.

        Links are followed as long as they stay inside the folder. Nothing is executed but
        `git ls-files`.

        Raises:
            UsageError: `check.no-such-path` when the folder does not exist.
        """
        if not root.is_dir():
            what = "is a file, not a folder" if root.exists() else "does not exist"
            raise UsageError(
                "check.no-such-path", what, where=str(root), fix="give a repository's folder"
            )
        top = root.resolve()
        reader = _Reader(top)
        kept = _kept_by_git(top)
        if kept is None:
            reader.walk("")
        else:
            for path in kept:
                reader.add(path)
        return cls(
            top,
            MappingProxyType(dict(sorted(reader.files.items()))),
            tuple(sorted(reader.unreadable, key=lambda found: found.path)),
        )

    @classmethod
    def of(cls, files: Mapping[str, bytes | str]) -> Tree:
        """Make a tree that exists in memory only."""
        contents = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in sorted(files.items())
        }
        return cls(Path(), MappingProxyType(contents))


class _Reader:
    """Collects what a folder holds; `root` has no links in it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.files: dict[str, bytes] = {}
        self.unreadable: list[Unreadable] = []
        self._linked_folders = 0

    def walk(self, folder: str, above: frozenset[Path] = frozenset()) -> None:
        """Add all below a folder. `above` are the real paths of the folders on the way."""
        place = self._root / folder
        try:
            with os.scandir(place) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            self._refuse(folder, "unreadable", _reason(error))
            return
        above |= {place.resolve()}
        for name in names:
            if name != ".git":
                self.add(f"{folder}/{name}" if folder else name, above)

    def add(self, path: str, above: frozenset[Path] = frozenset()) -> None:
        """Add a file, or a folder with all that is in it."""
        place = self._root / path
        try:
            found = place.lstat()
            if stat.S_ISLNK(found.st_mode):
                target = place.resolve(strict=True)
                above = above or frozenset({place.parent.resolve()})
                refusal = self._refusal(target, above)
                if refusal:
                    self._refuse(path, *refusal)
                    return
                found = target.stat()
            self._add_found(path, found, above)
        except FileNotFoundError:
            if place.is_symlink():
                self._refuse(path, *self._dangling(place))
        except RuntimeError:
            # This is how `resolve` reports a loop of links before Python 3.13.
            self._refuse(path, "symlink-loop", _LOOP)
        except OSError as error:
            if error.errno == errno.ELOOP:
                self._refuse(path, "symlink-loop", _LOOP)
            else:
                self._refuse(path, "unreadable", _reason(error))

    def _add_found(self, path: str, found: os.stat_result, above: frozenset[Path]) -> None:
        if stat.S_ISDIR(found.st_mode):
            self.walk(path, above)
        elif not stat.S_ISREG(found.st_mode):
            self._refuse(path, "special-file", "a socket, pipe or device")
        elif found.st_size > MAX_FILE_BYTES:
            size = f"{found.st_size / 2**20:.0f} MiB"
            limit = f"files of up to {MAX_FILE_BYTES // 2**20} MiB are read"
            self._refuse(path, "too-large", f"{size}; {limit}")
        elif _shown(path) != path:
            self._refuse(path, "unreadable", "its name is not UTF-8")
        else:
            self.files[path] = (self._root / path).read_bytes()

    def _refusal(self, target: Path, above: frozenset[Path]) -> tuple[str, str] | None:
        """Say why a link to a real path is not followed."""
        if not target.is_relative_to(self._root):
            return "symlink-outside", "a link that leaves the repository"
        if ".git" in target.relative_to(self._root).parts:
            return "symlink-outside", "a link into git's own data"
        if any(parent.is_relative_to(target) for parent in above):
            return "symlink-loop", "a link to a folder that holds it"
        if target.is_dir():
            self._linked_folders += 1
            if self._linked_folders > MAX_LINKED_FOLDERS:
                return "symlink-loop", f"more than {MAX_LINKED_FOLDERS} links to folders"
        return None

    def _dangling(self, place: Path) -> tuple[str, str]:
        """Say what is wrong with a link to nothing."""
        if place.resolve().is_relative_to(self._root):
            return "unreadable", "a link to nothing"
        return "symlink-outside", "a link that leaves the repository"

    def _refuse(self, path: str, kind: str, message: str) -> None:
        self.unreadable.append(Unreadable(_shown(path), kind, message))


def _kept_by_git(root: Path) -> list[str] | None:
    """List what git tracks or would track; nothing when this is no work tree of git."""
    command = Command(
        (
            # A git hook that calls us says where *its* repository is.
            *("env", "-u", "GIT_DIR", "-u", "GIT_WORK_TREE", "-u", "GIT_INDEX_FILE"),
            "git",
            "-c",
            "core.fsmonitor=false",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ),
        cwd=root,
        env={"GIT_OPTIONAL_LOCKS": "0"},
        ok=(0, 128),
    )
    try:
        done = command.run()
    except ToolError:
        return None
    if done.code != 0:
        return None
    # A file with merge conflicts is listed once for each side.
    names = dict.fromkeys(name for name in done.stdout.split(b"\0") if name)
    return [os.fsdecode(name).rstrip("/") for name in names]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _shown(path: str) -> str:
    """Write a path as text that can be printed."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
