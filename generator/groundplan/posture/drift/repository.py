"""Drift of a repository: its state against the baseline and approvals that it, or BASE, has."""

from __future__ import annotations

from dataclasses import dataclass, replace
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

    from groundplan.posture.drift.baseline import Remembered
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


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was agreed to, with where it is written."""

    path: str
    """Of the baseline, in the repository."""
    side: Side
    """Where the baseline, the approvals and the owners are read."""
    remembered: Remembered

    @classmethod
    def read(cls, tree: Tree, path: str) -> Agreed:
        """Read the baseline of a repository.

        Raises:
            UsageError: `posture.no-baseline`, or `posture.baseline` when it cannot be read.
        """
        if path not in tree.files:
            raise UsageError(
                "posture.no-baseline",
                "there is no baseline to compare with",
                where=path,
                fix="write one with `groundplan posture drift --write-baseline`, and commit it",
            )
        side = Side.of(tree)
        return cls(path, side, baseline.read(tree.files[path], path, side))

    def beside(self, head: Tree) -> Side:
        """Build the clusters of HEAD, which may be what was agreed to."""
        return self.side if head is self.side.tree else Side.of(head, self.side)


def drift(head: Side, agreed: Agreed, today: date) -> Drift:
    """Compare HEAD with what was agreed to; approvals end by the day that it is today."""
    found = compare(agreed.remembered, projected(head))
    known, faults = approvals.read(agreed.side.tree.files)
    pending = _pending(head.tree, agreed.side.tree, agreed.path)
    return replace(judge(found, known, today), faults=faults, pending=pending)


def _pending(head: Tree, agreed: Tree, path: str) -> tuple[str, ...]:
    """The files that HEAD would have other than they were agreed to."""
    names = {name for tree in (head, agreed) for name in tree.files}
    decides = (name for name in sorted(names) if _decides(name, path))
    return tuple(name for name in decides if head.files.get(name) != agreed.files.get(name))


def _decides(name: str, path: str) -> bool:
    return name == path or name in CODEOWNERS or name.startswith(f"{approvals.FOLDER}/")
