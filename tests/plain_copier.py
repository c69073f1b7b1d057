"""The `copier` command, as people start it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from copier._cli import CopierApp
from plumbum import local

if TYPE_CHECKING:
    from pathlib import Path


def copier(*words: str | Path) -> int:
    """Run the command, and give its exit code.

    In this process: to start another one and load copier there takes longer than most commands.
    """
    argv = ["copier", *map(str, words), "--defaults", "--quiet"]
    # What copier starts has the environment of when plumbum was loaded.
    with local.env(**os.environ):
        _, code = CopierApp.run(argv, exit=False)
    return int(code or 0)
