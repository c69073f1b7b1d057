"""Writing an update: everything aside first, then in place; a killed run loses nothing.

The stage in `.git` holds the new and the old content of every file and a journal. It appears whole,
before the first file is touched, and stays until the next update, so that `abort` can go back.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from groundplan.errors import UsageError
from groundplan.git import git
from groundplan.merge import File, Mode
from groundplan.updates import renders

if TYPE_CHECKING:
    from groundplan.merge import Files
    from groundplan.updates.checkout import Checkout
    from groundplan.updates.proposal import Proposal

_STAGE = "update"
_JOURNAL = "journal.json"


@dataclass(frozen=True, slots=True)
class _Step:
    """What happens to one path; a mode is empty where there is no file."""

    path: str
    old: str
    new: str


def write(proposal: Proposal) -> None:
    """Write all files of an update, or none.

    Raises:
        UsageError: `update.in-the-way` or `update.unsafe-path`, before anything is written.
    """
    checkout, before, after = proposal.checkout, proposal.before, proposal.after
    paths = sorted({*before, *after})
    changed = [path for path in paths if before.get(path) != after.get(path)]
    for path in changed:
        _require_safe(checkout.root, path, exists=path in before)
    steps = [_Step(path, _mode(before.get(path)), _mode(after.get(path))) for path in changed]
    stage = _staged(checkout, steps, before, after)
    for number, step in enumerate(steps):
        _put(checkout.root, step.path, stage / "new" / str(number), step.new)
    _note(stage, checkout, steps, finished=True)
    renders.remember(checkout.private, proposal.lock)


def require_finished(checkout: Checkout) -> None:
    """Refuse to begin while an update that was killed lies half-written.

    Raises:
        UsageError: `update.interrupted`.
    """
    journal = _journal(checkout)
    if journal and not journal["finished"]:
        raise UsageError(
            "update.interrupted",
            "an update was interrupted while it was written",
            where=str(checkout.root),
            fix="go back with `groundplan update --abort`, then update again",
        )


def abort(checkout: Checkout) -> int:
    """Put back what the last update replaced; the result is how many files.

    Raises:
        UsageError: `update.nothing-to-abort` or `update.edited-since`.
    """
    journal, stage, where = _journal(checkout), checkout.private / _STAGE, str(checkout.root)
    if journal is None:
        what = "no update was written here that could be aborted"
        raise UsageError("update.nothing-to-abort", what, where=where, fix="see `git log`")
    if journal["head"] != _head(checkout):
        what = "the last update was committed already, or the branch changed"
        fix = "undo it with `git revert`"
        raise UsageError("update.nothing-to-abort", what, where=where, fix=fix)
    steps = [_Step(**step) for step in journal["steps"]]
    edited = [
        step.path
        for number, step in enumerate(steps)
        if not _is_either(checkout.root / step.path, stage, number, step)
    ]
    if edited:
        what = f"was edited after the update: {', '.join(edited[:3])}"
        fix = "keep a copy of your edits, run `git checkout` on these files, and abort again"
        raise UsageError("update.edited-since", what, where=where, fix=fix)
    for number, step in enumerate(steps):
        _put(checkout.root, step.path, stage / "old" / str(number), step.old)
    shutil.rmtree(stage)
    return len(steps)


def _require_safe(root: Path, path: str, *, exists: bool) -> None:
    parts = PurePosixPath(path).parts
    above = [root.joinpath(*parts[:size]) for size in range(1, len(parts))]
    if ".." in parts or parts[0] in ("/", ".git") or any(folder.is_symlink() for folder in above):
        what = "leads out of the repository, through a link or by its name"
        fix = "replace the link by a folder"
        raise UsageError("update.unsafe-path", what, where=str(root / path), fix=fix)
    blocked = any(folder.exists() and not folder.is_dir() for folder in above)
    if blocked or (not exists and os.path.lexists(root / path)):
        what = "is in the way of a file that the update adds, and git does not track it"
        fix = "move it away"
        raise UsageError("update.in-the-way", what, where=str(root / path), fix=fix)


def _mode(file: File | None) -> str:
    return file.mode.value if file else ""


def _staged(checkout: Checkout, steps: list[_Step], before: Files, after: Files) -> Path:
    """Everything that is needed to go back, there before anything is touched."""
    checkout.private.mkdir(parents=True, exist_ok=True)
    stage = checkout.private / _STAGE
    with tempfile.TemporaryDirectory(prefix="staging-", dir=checkout.private) as name:
        draft = Path(name, _STAGE)
        for side, files in (("old", before), ("new", after)):
            (draft / side).mkdir(parents=True)
            for number, step in enumerate(steps):
                if step.path in files:
                    (draft / side / str(number)).write_bytes(files[step.path].content)
        _note(draft, checkout, steps, finished=False)
        shutil.rmtree(stage, ignore_errors=True)
        draft.rename(stage)
    return stage


def _note(stage: Path, checkout: Checkout, steps: list[_Step], *, finished: bool) -> None:
    """Write the journal, whole."""
    head = _head(checkout)
    body = {"finished": finished, "head": head, "steps": [asdict(step) for step in steps]}
    draft = stage / f"{_JOURNAL}.new"
    draft.write_text(json.dumps(body), "utf-8")
    draft.replace(stage / _JOURNAL)


def _journal(checkout: Checkout) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(
            (checkout.private / _STAGE / _JOURNAL).read_text("utf-8")
        )
    except (OSError, ValueError):
        return None
    return found


def _head(checkout: Checkout) -> str:
    return git(checkout.root, "rev-parse", "HEAD", ok=(0, 128))


def _put(root: Path, path: str, content: Path, mode: str) -> None:
    """Replace a file in one step, or remove it with the folders that it leaves empty."""
    target = root / path
    if not mode:
        target.unlink(missing_ok=True)
        for folder in target.parents:
            if folder == root or not folder.is_dir() or any(folder.iterdir()):
                return
            folder.rmdir()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".groundplan-", dir=target.parent) as name:
        draft = Path(name, "file")
        if mode == Mode.LINK:
            draft.symlink_to(os.fsdecode(content.read_bytes()))
        else:
            shutil.copyfile(content, draft)
            draft.chmod(0o755 if mode == Mode.EXECUTABLE else 0o644)
        draft.replace(target)


def _is_either(target: Path, stage: Path, number: int, step: _Step) -> bool:
    """Whether a path holds what was there before the update, or what the update wrote."""
    if not os.path.lexists(target):
        return not (step.old and step.new)
    content = os.fsencode(target.readlink()) if target.is_symlink() else target.read_bytes()
    sides = (("old", step.old), ("new", step.new))
    return any(
        mode and (stage / side / str(number)).read_bytes() == content for side, mode in sides
    )
