"""How a build says that it cannot go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.gitops.model import Problem

if TYPE_CHECKING:
    from groundplan.resources import Origin

NOT_EVALUATED = frozenset({"remote-base", "plugin", "helm-charts", "outside-tree", "unsupported"})
"""Kinds that say nothing against the repository, only that nobody looked."""


class BuildError(Exception):
    """Ends a build; `problems` say why. Never leaves this package."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class RefusedError(Exception):
    """Something that kustomize refuses; whoever knows the file makes a problem of it."""

    def __init__(self, message: str, kind: str = "kustomize") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


def problem(kind: str, message: str, origin: Origin, pointer: str = "") -> Problem:
    """Make a problem; its kind decides whether it counts as evaluated."""
    return Problem(kind, message, origin, pointer, evaluated=kind not in NOT_EVALUATED)


class StylesNeededError(Exception):
    """The result depends on whether a text in a file is quoted; read it again, more closely."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
