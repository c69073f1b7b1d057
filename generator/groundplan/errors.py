"""Errors that a user can act on, and the exit code of each."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process says to its caller; the README has the same table."""

    CLEAN = 0
    """Nothing at or above the asked severity."""
    FINDINGS = 1
    """Findings at or above `--fail-on`."""
    USAGE = 2
    """The command line or the answers are wrong; nothing was written."""
    NOT_EVALUATED = 3
    """Two states cannot be compared, or something that was asked for could not be evaluated."""
    TOOL = 4
    """A tool is missing, failed or took too long."""
    EXCEPTION = 5
    """A policy exception has expired or has no owner."""
    CONFLICTS = 6
    """Merge conflicts are left."""
    CHANGES = 7
    """Changes are pending (with `--exit-code`)."""
    INTERNAL = 70
    """A fault of groundplan itself."""
    INTERRUPTED = 130
    """Interrupted from the keyboard."""


class GroundplanError(Exception):
    """An error as the user reads it: what happened, where, and what to do next.

    `id` is stable: scripts and tests may rely on it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, id: str, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.id = id
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{where}{self.what}{fix} [{self.id}]"


class UsageError(GroundplanError):
    """The command cannot do what was asked with these arguments or in this place."""

    exit_code = ExitCode.USAGE


class AnswersError(UsageError):
    """Answers that cannot be rendered. `problems` holds one error per fault, in key order."""

    def __init__(self, problems: tuple[GroundplanError, ...]) -> None:
        super().__init__("answers.invalid", f"{len(problems)} of the answers cannot be used")
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class TemplateError(GroundplanError):
    """The template could not be found or rendered."""

    exit_code = ExitCode.TOOL


class NotEvaluatedError(GroundplanError):
    """Something that the user asked to have evaluated could not be."""

    exit_code = ExitCode.NOT_EVALUATED


class ToolError(GroundplanError):
    """An outside program is missing, failed, or took longer than it may."""

    exit_code = ExitCode.TOOL


class InternalError(GroundplanError):
    """Something that groundplan must never do was about to happen; nothing was written."""
