"""A repository's files at a git revision, or in a folder, without checking anything out."""

from __future__ import annotations

import os
import posixpath
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import UsageError
from groundplan.git import ELSEWHERE
from groundplan.process import Command
from groundplan.tree import MAX_FILE_BYTES, Tree, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BATCH = 32 * 1024 * 1024
"""Bytes asked of one process."""
_LINK, _SUBMODULE = "120000", "160000"


def read(reference: str, repository: Path) -> Tree:
    """Read what a folder holds, or what a revision of the repository held.

    Raises:
        UsageError: `posture.no-such-revision` when it is neither.
    """
    folder = Path(reference)
    if folder.is_dir():
        # A cluster may be named after its folder; both sides must name it alike.
        return replace(Tree.read(folder), root=Path())
    # What looks like an option must not become one.
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    commit = _git(repository, *asked, ok=(0, 1, 128)).decode().strip()
    if not commit:
        raise UsageError(
            "posture.no-such-revision",
            "is neither a folder nor a git revision",
            where=reference,
            fix=f"name one that `git log` knows in {repository}, or a folder",
        )
    return _tree(repository, commit)


def _git(folder: Path, *words: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> bytes:
    """Run git, which must neither run hooks nor fetch."""
    argv = ("git", "-c", "core.hooksPath=/dev/null", *words)
    alone = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    return Command(argv, cwd=folder, env=alone, unset=ELSEWHERE, stdin=stdin, ok=ok).run().stdout


def _tree(repository: Path, commit: str) -> Tree:
    """Read the blobs of a commit, below the folder that was named."""
    blobs: dict[str, tuple[str, int]] = {}
    links: set[str] = set()
    unreadable = []
    for mode, blob, size, path in _entries(repository, commit):
        if mode == _SUBMODULE:
            unreadable.append(Unreadable(path, "special-file", "a submodule"))
        elif size > MAX_FILE_BYTES:
            unreadable.append(Unreadable(path, "too-large", f"{size // 2**20} MiB"))
        else:
            blobs[path] = (blob, size)
            links |= {path} if mode == _LINK else set()
    files = _contents(repository, blobs)
    targets = {path: os.fsdecode(files.pop(path)) for path in links}
    files |= _linked(files, targets)
    unreadable += [
        Unreadable(path, "unreadable", "a link to nothing in the repository")
        for path in sorted(targets)
        if path not in files and not any(name.startswith(f"{path}/") for name in files)
    ]
    return Tree(Path(), dict(sorted(files.items())), tuple(unreadable))


def _entries(repository: Path, commit: str) -> Iterator[tuple[str, str, int, str]]:
    """Walk mode, id, size and path of everything in a commit."""
    for line in _git(repository, "ls-tree", "-r", "-l", "-z", commit).split(b"\0"):
        facts, _, path = line.partition(b"\t")
        if facts:
            mode, _, blob, size = facts.decode().split()
            yield mode, blob, 0 if size == "-" else int(size), os.fsdecode(path)


def _contents(repository: Path, blobs: Mapping[str, tuple[str, int]]) -> dict[str, bytes]:
    """Read blobs, a batch at a time."""
    files: dict[str, bytes] = {}
    batch: list[str] = []
    total = 0
    for path, (_, size) in blobs.items():
        if batch and total + size > _BATCH:
            files |= _batch(repository, batch, blobs)
            batch, total = [], 0
        batch.append(path)
        total += size
    return files | _batch(repository, batch, blobs)


def _batch(
    repository: Path, paths: list[str], blobs: Mapping[str, tuple[str, int]]
) -> dict[str, bytes]:
    """Read some blobs with one process."""
    asked = "".join(f"{blobs[path][0]}\n" for path in paths).encode()
    said = _git(repository, "cat-file", "--batch", stdin=asked)
    files, place = {}, 0
    for path in paths:
        end = said.index(b"\n", place)
        size = int(said[place:end].split()[2])
        files[path] = said[end + 1 : end + 1 + size]
        place = end + size + 2
    return files


def _linked(files: Mapping[str, bytes], targets: Mapping[str, str]) -> dict[str, bytes]:
    """Give the files that links inside the repository stand for."""
    found: dict[str, bytes] = {}
    for path, target in targets.items():
        real = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        for name, content in files.items():
            if name == real or name.startswith(f"{real}/"):
                found[path + name.removeprefix(real)] = content
    return found
