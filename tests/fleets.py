"""Rendered repositories with a cluster at each place, loaded once for all tests that only look."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from groundplan import repository
from tests.rendering import PLACES, put, rendered

if TYPE_CHECKING:
    from groundplan.repository import Repository


@cache
def fleet(engine: str, tier: str) -> Repository:
    """A platform with a cluster at each place, from disk as a user has it."""
    with TemporaryDirectory() as folder:
        put(rendered(engine, tier, PLACES), Path(folder))
        return repository.load(Path(folder))
