"""Whose a file is: the template's alone, yours alone, or merged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import yaml

from groundplan.gitops import globs

if TYPE_CHECKING:
    import re

    from groundplan.merge import Files
    from groundplan.template import Template

FILE = ".groundplan/owned"
"""Patterns of files that the repository's people keep to themselves, one a line."""
GENERATED = (".copier-answers.yml",)
"""Files that are written anew by each update."""


class Class(StrEnum):
    """Whose a file is."""

    GENERATED = "generated"
    MERGED = "merged"
    OWNED = "owned"


@dataclass(frozen=True, slots=True)
class Ownership:
    """The rules of one repository."""

    patterns: tuple[re.Pattern[str], ...]

    def of(self, path: str) -> Class:
        """Whose a file is."""
        if path in GENERATED:
            return Class.GENERATED
        return Class.OWNED if self.owned(path) else Class.MERGED

    def owned(self, path: str) -> bool:
        """Whether a file is yours alone once it is there."""
        return any(pattern.fullmatch(path) for pattern in self.patterns)

    def generated(self, path: str) -> bool:
        """Whether a file is the template's alone."""
        return path in GENERATED


def read(template: Template, files: Files) -> Ownership:
    """The template's `_skip_if_exists`, which plain copier keeps to as well, and your patterns."""
    own = files[FILE].content.decode("utf-8", "replace") if FILE in files else ""
    lines = (line.strip() for line in own.splitlines())
    mine = [line for line in lines if line and not line.startswith("#")]
    return Ownership(tuple(map(_pattern, (*_skipped(template), *mine))))


def _skipped(template: Template) -> list[str]:
    """What the template writes once and never again."""
    head = (template.root / "copier.yml").read_text("utf-8").partition("\n---")[0]
    settings = yaml.safe_load(head) or {}
    return [str(pattern) for pattern in settings.get("_skip_if_exists") or ()]


def _pattern(pattern: str) -> re.Pattern[str]:
    return globs.path(f"{pattern}**" if pattern.endswith("/") else pattern)
