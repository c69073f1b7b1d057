"""Where compiled stores are kept for one user."""

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256
from pathlib import Path

_DECIDING = (
    "chart_files.py",
    "charts.py",
    "compilation.py",
    "core.py",
    "crd.py",
    "formats.py",
    "lock.yaml",
    "metadata.py",
    "mirror.py",
    "packs.py",
    "patterns.py",
    "reading.py",
)
"""Files of this package that decide what is in a compiled store."""


def folder() -> Path:
    """Return the user's folder for what this version of groundplan compiles; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root / "groundplan" / "schemas" / _stamp()


def bundled() -> Path:
    """Return the folder of the wheel that holds the schemas it came with."""
    return Path(__file__).parent.parent / "_schemas"


@cache
def _stamp() -> str:
    """Name what decides a store's content, so that a store of other code is never read."""
    state = sha256()
    for name in _DECIDING:
        state.update((Path(__file__).parent / name).read_bytes())
    return state.hexdigest()[:16]
