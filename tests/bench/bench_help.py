"""How long a person waits for `groundplan --help`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measure import Row, pairs, run

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows() -> Iterator[Row]:
    """One row, beside copier's own `--help`."""
    bin_ = Path(sys.executable).parent
    mine, theirs, ratio = pairs(
        lambda: run([bin_ / "groundplan", "--help"]), lambda: run([bin_ / "copier", "--help"])
    )
    yield Row(
        "`--help`",
        f"{mine:.3f} s",
        f"copier --help {theirs:.3f} s",
        f"{ratio:.2f}",
        "under 0.15 s",
    )
