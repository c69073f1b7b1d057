"""The released versions of the template that this installation carries, all in one git bundle."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from groundplan import template
from groundplan.errors import UsageError
from groundplan.git import ELSEWHERE, git
from groundplan.process import Command
from groundplan.template import PARTS, Template, version_numbers

VARIABLE = "GROUNDPLAN_RELEASES"
"""Environment variable that names another bundle of releases."""

NAME = "releases.bundle"

_LOCAL = {"GIT_ALLOW_PROTOCOL": "file"}
_ANYONE = ("-c", "user.name=groundplan", "-c", "user.email=groundplan@localhost")


@dataclass(frozen=True)
class Releases:
    """The template of this installation, and older ones."""

    installed: Template
    bundle: Path | None
    """None where nothing was released yet."""

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """Every version, oldest first."""
        found = {self.installed.version, *(_tags(self.bundle) if self.bundle else ())}
        return tuple(sorted(found, key=lambda tag: version_numbers(tag) or ()))

    @property
    def newest(self) -> str:
        """The version that an update leads to."""
        return self.versions[-1]

    def template(self, version: str) -> Template:
        """The files of one version.

        Raises:
            UsageError: `update.no-such-version`.
        """
        if self.bundle and version in _tags(self.bundle):
            return Template(_extracted(self.bundle, version), version)
        if version == self.installed.version:
            return self.installed
        raise UsageError(
            "update.no-such-version",
            f"this installation has no version {version} of the template",
            fix=f"name one of {', '.join(self.versions)}",
        )


def locate() -> Releases:
    """What belongs to this installation: the bundle in the wheel, else the tags of the checkout.

    Raises:
        TemplateError: `template.missing`.
        UsageError: `update.no-such-bundle`, when the environment names one that is not there.
    """
    installed = template.locate()
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            fix = f"let {VARIABLE} name a git bundle, or unset it"
            raise UsageError("update.no-such-bundle", "this is no file", where=named, fix=fix)
        return Releases(installed, Path(named).resolve())
    carried = installed.root / NAME
    if carried.is_file():
        return Releases(installed, carried)
    return Releases(installed, _of_checkout(installed.root))


def write_bundle(repository: Path, target: Path) -> bool:
    """Pack the template of every version that is tagged in a repository; False when none is.

    The same tags give the same bytes. Only the template is in it: neither the history nor
    anything else of the repository.

    Raises:
        ToolError: `tool.missing` or `tool.failed`.
    """
    tags = [tag for tag in git(repository, "tag", "--list", "v*").split() if version_numbers(tag)]
    if not tags:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    objects = Path(repository, git(repository, "rev-parse", "--git-path", "objects")).resolve()
    with tempfile.TemporaryDirectory(prefix="groundplan-") as name:
        bare = Path(name)
        git(bare, "init", "--quiet", "--bare", "--template=")
        (bare / "objects" / "info").mkdir(exist_ok=True)
        (bare / "objects" / "info" / "alternates").write_text(f"{objects}\n", "utf-8")
        parent = ""
        for tag in sorted(tags, key=lambda tag: version_numbers(tag) or ()):
            parent = _commit(repository, bare, tag, parent)
            git(bare, "update-ref", f"refs/tags/{tag}", parent)
        git(bare, "update-ref", "refs/heads/main", parent)
        git(bare, "symbolic-ref", "HEAD", "refs/heads/main")
        alone = ("-c", "pack.threads=1", "bundle", "create", "--quiet", str(target.resolve()))
        git(bare, *alone, "--all", "HEAD")
    return True


def _commit(repository: Path, bare: Path, tag: str, parent: str) -> str:
    """A commit with nothing but the template of one version."""
    date = git(repository, "log", "-1", "--format=%cI", tag)
    listing = git(repository, "ls-tree", "-r", tag, "--", *PARTS)
    index = {"GIT_INDEX_FILE": str(bare / f"index-{tag}"), "GIT_DIR": str(bare)}
    who = {f"GIT_{role}_DATE": date for role in ("AUTHOR", "COMMITTER")}

    def run(*words: str, stdin: bytes = b"") -> str:
        argv = ("git", *_ANYONE, *words)
        return (
            Command(argv, cwd=bare, env={**index, **who}, unset=ELSEWHERE, stdin=stdin)
            .run()
            .text.strip()
        )

    run("update-index", "--add", "--index-info", stdin=f"{listing}\n".encode())
    tree = run("write-tree")
    return run("commit-tree", tree, "-m", tag, *(("-p", parent) if parent else ()))


def _tags(bundle: Path) -> tuple[str, ...]:
    """The versions in a bundle."""
    listed = git(bundle.parent, "bundle", "list-heads", str(bundle)).splitlines()
    names = (line.partition("refs/tags/")[2] for line in listed)
    return tuple(name for name in names if version_numbers(name))


def _extracted(bundle: Path, version: str) -> Path:
    """The files of a version in the user's cache, named by the bundle's content."""
    folder = _cache() / hashlib.sha256(bundle.read_bytes()).hexdigest()[:16]
    target = folder / version
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".extracting-", dir=folder))
        try:
            words = ("clone", "--quiet", "--template=", "--branch", version)
            plain = ("-c", "core.autocrlf=false", "-c", "advice.detachedHead=false")
            argv = ("git", *plain, *words, str(bundle), str(stage / "clone"))
            Command(argv, cwd=folder, env=_LOCAL, unset=ELSEWHERE).run()
            shutil.rmtree(stage / "clone" / ".git")
            (stage / "clone").rename(target)
        except OSError:
            # Somebody else was quicker.
            if not target.is_dir():
                raise
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return target


def _of_checkout(root: Path) -> Path | None:
    """A bundle of the tags of a source checkout, kept in the user's cache."""
    if not (root / ".git").exists():
        return None
    tags = git(root, "for-each-ref", "refs/tags/v*", ok=(0, 128))
    if not tags:
        return None
    target = _cache() / f"checkout-{hashlib.sha256(tags.encode()).hexdigest()[:16]}.bundle"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as name:
            if not write_bundle(root, Path(name, NAME)):
                return None
            Path(name, NAME).rename(target)
    return target


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "groundplan" / "releases"
