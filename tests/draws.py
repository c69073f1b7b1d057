"""How many cases brute force tries: some of them for every commit, all of them in `nox -s laws`."""

from __future__ import annotations

import os

SHARE = float(os.environ.get("GROUNDPLAN_DRAWS", "0.25"))


def draws(number: int) -> int:
    """The part of so many cases that this run tries."""
    return int(number * SHARE)
