"""A rendered repository as it lies on disk, and whether an update may begin."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from groundplan import answers as given
from groundplan import documents
from groundplan.answers import COMMIT, SOURCE, Answers
from groundplan.errors import UsageError
from groundplan.git import ELSEWHERE
from groundplan.merge import File, Files, Mode
from groundplan.process import Command
from groundplan.template import UPSTREAM, version_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.releases import Releases

ANSWERS_FILE = ".copier-answers.yml"
_GITLINK = "160000"


@dataclass(frozen=True)
class Tracked:
    """A file as git's index has it."""

    mode: Mode
    blob: str


@dataclass(frozen=True)
class Checkout:
    """A repository rendered from the template, in a git work tree."""

    root: Path
    private: Path
    """A folder inside `.git` for what is nobody's edit."""
    answers: Answers
    """As recorded, copier's own keys left out."""
    version: str
    """Of the template that it was rendered from."""
    prefix: str = ""
    """Where it is in its git repository; ends in `/`, and is empty at the top."""

    @cached_property
    def tracked(self) -> Mapping[str, Tracked]:
        """What git tracks, by path."""
        listed = _git(self.root, "ls-files", "--stage", "-z").split(b"\0")
        found: dict[str, Tracked] = {}
        for entry in listed:
            facts, _, path = entry.partition(b"\t")
            if facts and not facts.startswith(_GITLINK.encode()):
                mode, blob, _ = facts.decode().split()
                found[os.fsdecode(path)] = Tracked(Mode(mode), blob)
        return found

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Paths that differ from the last commit, or that git does not track."""
        said = _git(self.root, "status", "--porcelain", "-z", "--no-renames", "--", ".")
        paths = (os.fsdecode(line[3:]) for line in said.split(b"\0") if line)
        return tuple(path.removeprefix(self.prefix) for path in paths)

    def files(self) -> Files:
        """Everything that git tracks, as it is on disk."""
        found: dict[str, File] = {}
        for path, tracked in self.tracked.items():
            place = self.root / path
            if tracked.mode is Mode.LINK:
                found[path] = File(os.fsencode(place.readlink()), Mode.LINK)
            else:
                found[path] = File(place.read_bytes(), tracked.mode)
        return found


def recorded(content: bytes) -> dict[str, Any]:
    """The answers in an answers file, copier's own keys left out.

    Raises:
        YamlError: It is no YAML.
    """
    said = documents.load(content, ANSWERS_FILE) or {}
    return {str(key): value for key, value in said.items() if key not in (COMMIT, SOURCE)}


def find(root: Path) -> Checkout:
    """Read what a repository says about itself.

    Raises:
        UsageError: `update.not-rendered`, `update.not-git`, `update.other-template` or
            `update.unknown-version`.
        AnswersError: The answers cannot be read.
        ToolError: `tool.missing`.
    """
    where = str(root)
    file = root / ANSWERS_FILE
    if not file.is_file():
        fix = "name a repository that groundplan or copier rendered"
        raise UsageError("update.not-rendered", f"has no {ANSWERS_FILE}", where=where, fix=fix)
    said = _git(root, "rev-parse", "--absolute-git-dir", "--show-prefix", ok=(0, 128))
    folder, _, prefix = os.fsdecode(said).removesuffix("\n").partition("\n")
    if not folder:
        fix = "run `git init`, and commit what you have"
        raise UsageError("update.not-git", "is in no git repository", where=where, fix=fix)
    read = given.read(file)
    source, version = read.values.get(SOURCE), str(read.values.get(COMMIT, ""))
    if source != UPSTREAM:
        what = f"was rendered from {source}, not from {UPSTREAM}"
        fix = f"update it with copier, or correct {SOURCE} if it moved"
        raise UsageError("update.other-template", what, where=f"{file}", fix=fix)
    if version_numbers(version) is None:
        what = f"{version or 'nothing'} is no released version"
        fix = f"correct {COMMIT} to the version that it was rendered from"
        raise UsageError("update.unknown-version", what, where=f"{file}", fix=fix)
    values = {key: value for key, value in read.values.items() if key not in (COMMIT, SOURCE)}
    private = Path(folder, "groundplan", *(("in", quote(prefix, "")) if prefix else ()))
    answers = Answers(values, str(file), read.text, version)
    return Checkout(root, private, answers, version, prefix)


def require_ready(checkout: Checkout, releases: Releases, target: str) -> None:
    """Refuse to begin what could not be finished, or undone.

    Raises:
        UsageError: `update.newer`, `update.no-such-version`, `update.downgrade`, `update.dirty`
            or `update.conflicts-left`.
    """
    own, newest = version_numbers(checkout.version), version_numbers(releases.newest)
    wanted = version_numbers(target)
    where = str(checkout.root)
    if own and newest and own > newest:
        what = f"is at {checkout.version}; this installation carries up to {releases.newest}"
        raise UsageError("update.newer", what, where=where, fix="upgrade groundplan")
    for version in (checkout.version, target):
        if version not in releases.versions:
            what = f"this installation has no version {version} of the template"
            fix = f"it has {', '.join(releases.versions)}"
            raise UsageError("update.no-such-version", what, where=where, fix=fix)
    if own and wanted and wanted < own:
        what = f"is at {checkout.version}, which is newer than {target}"
        fix = "go back with git instead: revert the commit of the update"
        raise UsageError("update.downgrade", what, where=where, fix=fix)
    if changed := checkout.changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        what = f"has changes that are not committed: {', '.join(changed[:3])}{more}"
        fix = "commit or stash them, so that the update can be undone"
        raise UsageError("update.dirty", what, where=where, fix=fix)


def _git(folder: Path, *words: str, ok: tuple[int, ...] = (0,)) -> bytes:
    argv = ("git", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false", *words)
    done = Command(argv, cwd=folder, unset=ELSEWHERE, ok=ok).run()
    return done.stdout if done.code == 0 else b""
