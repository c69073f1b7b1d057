"""Outside programs that tests compare with: found, or got where that is allowed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from groundplan import toolchain
from groundplan.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path


def program(name: str) -> Path:
    """Where a program is; without one the test is skipped, and says why.

    With `GROUNDPLAN_BUILD` set, a missing program is downloaded or built.
    """
    try:
        return toolchain.ensure(name, offline=not os.environ.get("GROUNDPLAN_BUILD")).path
    except ToolError as error:
        pytest.skip(f"{error}; set GROUNDPLAN_BUILD=1 to get it")
