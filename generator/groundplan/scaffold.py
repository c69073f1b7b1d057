"""A new repository: rendered and committed aside, then moved into place in one step."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.answers import Answers, checked
from groundplan.errors import UsageError
from groundplan.git import git, require
from groundplan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from groundplan.template import Template

MESSAGE = "Start the platform"
"""Of the first commit."""

_STAGE = ".groundplan-new-"
_LOCK = "lock"

_SOMEBODY = ("-c", "user.name=groundplan", "-c", "user.email=groundplan@localhost")


@dataclass(frozen=True, slots=True)
class Created:
    """What came out of `create`."""

    commit: str
    """The first commit, abbreviated."""
    repository: str
    """Where the clusters will look for it."""


def create(
    template: Template,
    answers: Answers,
    destination: Path,
    meanwhile: Callable[[], object] = lambda: None,
    *,
    today: date | None = None,
) -> Created:
    """Render a repository and commit it; the destination appears whole or not at all.

    Args:
        template: What to render.
        answers: As given.
        destination: A folder that does not exist yet, or is empty.
        meanwhile: Called while git is at work, in a process of its own.
        today: Accepted risks must not have expired then; the present day when left out.

    Raises:
        UsageError: `new.…`, when the destination cannot be used.
        ToolError: `tool.missing` or `tool.git-too-old`.
        AnswersError: The answers cannot be rendered.
        TemplateError: The template cannot be rendered.
    """
    from groundplan import copier_adapter

    destination = destination.absolute()
    require_vacant(destination)
    require()
    today = today or date.today()
    usable = checked(answers, template, today=today)
    all_answers: dict[str, Any] = {}

    def approve(computed: Mapping[str, Any]) -> None:
        plan = Plan.of(computed["plan"])
        checked(answers, template, plan.namespaces, plan.prerequisites)
        all_answers.update(computed)

    _make_parent(destination)
    with _stage(destination) as folder:
        copier_adapter.render(template, usable.values, folder, approve)
        with ThreadPoolExecutor(1) as beside:
            committing = beside.submit(_first_commit, folder)
            meanwhile()
            commit = committing.result()
        _remember(template, folder, all_answers)
        folder.rename(destination)
    return Created(commit, str(all_answers["repository"]))


def _remember(template: Template, folder: Path, answers: Mapping[str, Any]) -> None:
    """Note which files were rendered, so that nobody has to render them again to compare."""
    from groundplan.updates import checkout, renders

    made = renders.rendered(template, renders.read(folder), answers)
    values = checkout.recorded(made.files[checkout.ANSWERS_FILE].content)
    locked = renders.lock(template.version, values, made)
    renders.remember(folder / ".git" / "groundplan", locked)


def _make_parent(destination: Path) -> None:
    """Make the folders above, where the path can lead to folders at all."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            "new.no-parent",
            "there cannot be a folder here",
            where=str(error.filename or destination.parent),
            fix="name a destination below folders, not below a file",
        ) from error


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


def _first_commit(folder: Path) -> str:
    """Put everything that was rendered into one commit, whatever the user's git is set to.

    `git fast-import` writes one pack where `git add` writes a file for each file, runs no hook,
    signs nothing, and leaves line endings and ignored files alone.
    """
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "fast-import", "--quiet", stdin=_stream(folder))
    git(folder, "reset", "--quiet")
    return git(folder, "rev-parse", "--short", "HEAD")


def _stream(folder: Path) -> bytes:
    """The first commit in the language of `git fast-import`."""
    parts = [
        b"commit refs/heads/main\n",
        f"author {_identity(folder, 'GIT_AUTHOR_IDENT')}\n".encode(),
        f"committer {_identity(folder, 'GIT_COMMITTER_IDENT')}\n".encode(),
        _data(MESSAGE.encode()),
    ]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] != ".git" and (path.is_symlink() or path.is_file()):
            mode, content = _entry(path)
            quoted = name.as_posix().replace("\\", r"\\").replace('"', r"\"")
            parts += [f'M {mode} inline "{quoted}"\n'.encode(), _data(content)]
    return b"".join(parts)


def _entry(path: Path) -> tuple[str, bytes]:
    """What git records of a file: its mode and content."""
    if path.is_symlink():
        return "120000", os.fsencode(path.readlink())
    return "100755" if path.stat().st_mode & stat.S_IXUSR else "100644", path.read_bytes()


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _identity(folder: Path, variable: str) -> str:
    """The user's name, address and the time, or ours where the user has no name."""
    own = git(folder, "-c", "user.useConfigOnly=true", "var", variable, ok=(0, 1, 128))
    return own or git(folder, *_SOMEBODY, "var", variable)


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
