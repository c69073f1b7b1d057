"""Where compiled stores are kept for one user."""

from __future__ import annotations

import os
from pathlib import Path

from groundplan.schemas.packs import FORMAT


def folder() -> Path:
    """Return the user's folder for compiled schemas; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root / "groundplan" / f"schemas-{FORMAT}"


def bundled() -> Path:
    """Return the folder of the wheel that holds the schemas it came with."""
    return Path(__file__).parent.parent / "_schemas"
