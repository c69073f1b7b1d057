"""Drift of a repository: its state against the baseline and approvals that it, or BASE, has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from groundplan.errors import UsageError
from groundplan.posture.comparison import Side, compare
from groundplan.posture.drift import approvals, baseline
from groundplan.posture.drift.judging import Drift, judge
from groundplan.posture.drift.projection import projected
from groundplan.posture.owners import CODEOWNERS

if TYPE_CHECKING:
    from datetime import date

    from groundplan.posture.comparison import Known
    from groundplan.tree import Tree


def inside(path: str) -> str:
    """Give a path in the repository.

    Raises:
        UsageError: `posture.outside` when it leads out of it.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise UsageError(
            "posture.outside",
            "is no path inside the repository",
            where=path,
            fix=f"name one such as {baseline.PATH}",
        )
    return str(pure)


def drift(head: Tree, agreed: Tree, path: str, today: date) -> Drift:
    """Compare HEAD with what was agreed to.

    Args:
        head: What is judged.
        agreed: Where the baseline, the approvals and the owners are read.
        path: Of the baseline, in the repository.
        today: The day by which approvals end.

    Raises:
        UsageError: `posture.no-baseline`, or `posture.baseline` when it cannot be read.
    """
    if path not in agreed.files:
        raise UsageError(
            "posture.no-baseline",
            "there is no baseline to compare with",
            where=path,
            fix="write one with `groundplan posture drift --write-baseline`, and commit it",
        )
    parsed: Known = {}
    asked = Side.of(agreed, parsed)
    remembered = baseline.read(agreed.files[path], path, asked)
    found = compare(remembered, projected(Side.of(head, parsed)))
    known, faults = approvals.read(agreed.files)
    judged = judge(found, known, today)
    return replace(judged, faults=faults, pending=_pending(head, agreed, path))


def _pending(head: Tree, agreed: Tree, path: str) -> tuple[str, ...]:
    """The files that HEAD would have other than they were agreed to."""
    names = {name for tree in (head, agreed) for name in tree.files}
    decides = (name for name in sorted(names) if _decides(name, path))
    return tuple(name for name in decides if head.files.get(name) != agreed.files.get(name))


def _decides(name: str, path: str) -> bool:
    return name == path or name in CODEOWNERS or name.startswith(f"{approvals.FOLDER}/")
