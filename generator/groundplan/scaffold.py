"""A new repository: rendered and committed aside, then moved into place in one step."""

from __future__ import annotations

import fcntl
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.answers import Answers, checked
from groundplan.errors import ToolError, UsageError
from groundplan.plan import Plan
from groundplan.process import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.template import Template

OLDEST_GIT = (2, 31)
"""The first that takes configuration from the environment, which updates rely on."""

_STAGE = ".groundplan-new-"
_LOCK = "lock"

_ELSEWHERE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)
"""Variables that a git hook sets and that would send our commit to another repository."""

_SOMEBODY = ("-c", "user.name=groundplan", "-c", "user.email=groundplan@localhost")


def create(template: Template, answers: Answers, destination: Path) -> str:
    """Render a repository and commit it; the destination appears whole or not at all.

    Args:
        template: What to render.
        answers: As given.
        destination: A folder that does not exist yet, or is empty.

    Returns:
        The first commit, abbreviated.

    Raises:
        UsageError: `new.…`, when the destination cannot be used.
        ToolError: `tool.missing` or `new.git-too-old`.
        AnswersError: The answers cannot be rendered.
        TemplateError: The template cannot be rendered.
    """
    from groundplan import copier_adapter

    destination = destination.absolute()
    require_vacant(destination)
    require_git()
    usable = checked(answers, template)

    def approve(computed: Mapping[str, Any]) -> None:
        checked(answers, template, Plan.of(computed["plan"]).namespaces)

    destination.parent.mkdir(parents=True, exist_ok=True)
    with _stage(destination) as folder:
        copier_adapter.render(template, usable.values, folder, approve)
        commit = _first_commit(folder)
        folder.rename(destination)
    return commit


def require_vacant(destination: Path) -> None:
    """Refuse a destination that has something in it already.

    Raises:
        UsageError: `new.not-empty`, `new.not-a-folder` or `new.current-folder`.
    """
    where, fix = str(destination), "name a folder that does not exist yet"
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise UsageError("new.not-a-folder", "this is not a folder", where=where, fix=fix)
    if not destination.exists():
        return
    if any(destination.iterdir()):
        raise UsageError("new.not-empty", "this folder is not empty", where=where, fix=fix)
    if destination.samefile(Path.cwd()):
        raise UsageError(
            "new.current-folder",
            "the folder you are in cannot be replaced",
            where=where,
            fix="name a folder inside it, or start from the folder above",
        )


def require_git() -> None:
    """Refuse to begin what could not be committed.

    Raises:
        ToolError: `tool.missing` or `new.git-too-old`.
    """
    oldest = ".".join(map(str, OLDEST_GIT))
    said = Command(("git", "version"), fix=f"install git {oldest} or newer").run().text
    numbers = re.search(r"(\d+)\.(\d+)", said)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_GIT:
        raise ToolError(
            "new.git-too-old", f"{said.strip()} is too old", fix=f"install git {oldest} or newer"
        )


def _first_commit(folder: Path) -> str:
    """Put everything that was rendered into one commit, whatever the user's git is set to."""
    safe = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false")
    exact = ("-c", "core.autocrlf=false", "-c", "core.safecrlf=false")

    def git(*words: str, ok: tuple[int, ...] = (0,)) -> tuple[int, str]:
        done = Command(("git", *safe, *exact, *words), cwd=folder, unset=_ELSEWHERE, ok=ok).run()
        return done.code, done.text.strip()

    git("init", "--quiet", "--initial-branch=main")
    # A user's global ignore file has no say in what the template renders.
    git("add", "--all", "--force")
    named = all(
        git("-c", "user.useConfigOnly=true", "var", who, ok=(0, 1, 128))[0] == 0
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")
    )
    git(*(() if named else _SOMEBODY), "commit", "--quiet", "-m", "Start the platform")
    return git("rev-parse", "--short", "HEAD")[1]


@contextmanager
def _stage(destination: Path) -> Iterator[Path]:
    """A folder beside the destination to work in; a killed run leaves only this behind."""
    _clear_abandoned(destination.parent)
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=destination.parent))
    try:
        # The lock gets its name only once it is held, so that nobody finds it free meanwhile.
        with (stage / "locking").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (stage / "locking").rename(stage / _LOCK)
            yield stage / destination.name
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _clear_abandoned(parent: Path) -> None:
    """Remove what killed runs left here; a run that is still alive holds its lock."""
    for stage in parent.glob(f"{_STAGE}*"):
        with suppress(OSError), (stage / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(stage, ignore_errors=True)
