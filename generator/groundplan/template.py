"""Where the template is on this machine, which version it is, and where it comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import groundplan
from groundplan.errors import TemplateError

UPSTREAM = "gh:groundplan/groundplan"
"""What the answers file of every repository names as its template."""

UPSTREAM_URL = "https://github.com/groundplan/groundplan.git"
"""The same address as git sees it."""

PARTS = ("copier.yml", "blueprints", "overlays")
"""What a template consists of, relative to its root."""


@dataclass(frozen=True, slots=True)
class Template:
    """One version of the template, as plain files."""

    root: Path
    """The folder that has `copier.yml`."""
    version: str
    """The tag of this version, such as `v1.2.0`."""

    @property
    def places(self) -> tuple[str, ...]:
        """Where clusters can run: one overlay each."""
        return tuple(sorted(folder.name for folder in (self.root / "overlays").iterdir()))


def version_numbers(tag: str) -> tuple[int, ...] | None:
    """A version as numbers that compare; a commit after a tag counts as later than the tag."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)(?:-(\d+)-g[0-9a-f]+)?", tag)
    return tuple(int(number or 0) for number in match.groups()) if match else None


def locate() -> Template:
    """The template that belongs to this installation: in the wheel, else in the checkout.

    Raises:
        TemplateError: `template.missing`.
    """
    package = Path(__file__).resolve().parent
    for root in (package / "_template", package.parents[1]):
        if all((root / part).exists() for part in PARTS):
            return Template(root, f"v{groundplan.__version__}")
    raise TemplateError(
        "template.missing",
        "this installation carries no template",
        where=str(package),
        fix="install groundplan again",
    )
