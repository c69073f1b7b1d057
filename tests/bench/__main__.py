"""Print every ratio of docs/performance.md: `python -m tests.bench [NAME ...]`.

With `--write` the rows become the page's table.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import tests.bench
from tests.bench.measure import HEADER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"


def main(words: list[str]) -> None:
    """Run the named benchmarks, or all of them."""
    names = [word for word in words if word != "--write"]
    lines = [HEADER]
    print(HEADER)
    for module in sorted(found.name for found in pkgutil.iter_modules(tests.bench.__path__)):
        if module.startswith("bench_") and (not names or module.removeprefix("bench_") in names):
            for row in importlib.import_module(f"tests.bench.{module}").rows():
                print(row, flush=True)
                lines.append(str(row))
    if "--write" in words:
        _write(lines)


def _write(lines: list[str]) -> None:
    """Put a run into the page, with the day and the machine that it is from."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    when = f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {machine}."
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(
        "".join((before, BEGIN, when, "\n\n", "\n".join(lines), "\n", END, after)), "utf-8"
    )


main(sys.argv[1:])
