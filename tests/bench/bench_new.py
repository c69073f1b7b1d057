"""`groundplan new` (render, commit and check) beside plain `copier copy` on the same answers."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measure import Row, pairs, run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


def largest_example() -> Path:
    """The example with the most rendered files."""
    examples = (ROOT / "examples").glob("*/answers.yaml")
    return max(examples, key=lambda answers: sum(1 for _ in answers.parent.rglob("*")))


def rows() -> Iterator[Row]:
    """One row: the whole command beside the whole command."""
    answers = largest_example()
    bin_ = Path(sys.executable).parent
    counter = itertools.count()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        template = scratch / "template"
        shutil.copytree(ROOT / "blueprints", template / "blueprints")
        shutil.copytree(ROOT / "overlays", template / "overlays")
        shutil.copy(ROOT / "copier.yml", template)

        def ours():
            return run(
                [bin_ / "groundplan", "new", scratch / str(next(counter)), "--answers", answers]
            )

        def peer():
            target = scratch / str(next(counter))
            words = ["copy", template, target, "--defaults", "--data-file", answers, "--quiet"]
            return run([bin_ / "copier", *words])

        mine, theirs, ratio = pairs(ours, peer)
    yield Row(
        f"`new` of {answers.parent.name}: render + commit + check",
        f"{mine:.2f} s",
        f"copier copy {theirs:.2f} s",
        f"{ratio:.2f}",
        "≤ 0.6",
    )
