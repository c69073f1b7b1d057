"""Git in one folder, whatever the user's git is set to and wherever we were called from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.process import Command

if TYPE_CHECKING:
    from pathlib import Path

OLDEST = (2, 31)
"""The first that takes configuration from the environment, which updates rely on."""

ELSEWHERE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)
"""Variables that a git hook sets and that would lead to another repository."""


def require() -> None:
    """Refuse to begin what git could not finish.

    Raises:
        ToolError: `tool.missing` or `tool.git-too-old`.
    """
    fix = f"install git {'.'.join(map(str, OLDEST))} or newer"
    said = Command(("git", "version"), fix=fix).run().text
    numbers = re.search(r"(\d+)\.(\d+)", said)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        raise ToolError("tool.git-too-old", f"{said.strip()} is too old", fix=fix)


def git(folder: Path, *words: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
    """Run git in this folder, without hooks; a failure that is `ok` says nothing.

    Raises:
        ToolError: `tool.missing` or `tool.failed`.
    """
    argv = ("git", "-c", "core.hooksPath=/dev/null", *words)
    done = Command(argv, cwd=folder, unset=ELSEWHERE, stdin=stdin, ok=ok).run()
    return done.text.strip() if done.code == 0 else ""
