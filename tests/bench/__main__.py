"""Print every ratio of docs/performance.md: `python -m tests.bench [NAME ...]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.bench
from tests.bench.measure import HEADER


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all of them."""
    print(HEADER)
    for module in sorted(found.name for found in pkgutil.iter_modules(tests.bench.__path__)):
        if module.startswith("bench_") and (not names or module.removeprefix("bench_") in names):
            for row in importlib.import_module(f"tests.bench.{module}").rows():
                print(row, flush=True)


main(sys.argv[1:])
