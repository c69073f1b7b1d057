"""`groundplan mirror`: what a registry of one's own must have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from groundplan.needed import Needed, Needs


@click.group("mirror", short_help="List what clusters without internet need in their registry.")
def command() -> None:
    """List what clusters that reach no public registry need in a registry of their own."""


@command.command("list", short_help="List every chart and image of a repository.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with chart defaults to look in first.  [default: $GROUNDPLAN_UPSTREAM]",
)
def list_(path: Path, form: str, schemas: Path | None) -> int:
    """List every chart, image and Git source that the clusters of the repository at PATH pull.

    Each is named by where it is published and, when the repository has a registry_mirror, by where
    clusters ask for it; of a Git source the folders are named that the registry must have. Nothing
    is fetched or rendered. The exit code is 3 when something is needed
    that the files do not name, such as the images of a chart that nobody has noted.
    """
    from groundplan import catalogue, template
    from groundplan.errors import ExitCode
    from groundplan.needed import needs
    from groundplan.repository import load

    known = template.locate()
    repository = load(path, schemas=schemas)
    found = needs(repository, catalogue.pulled(known), catalogue.definition_sources(known))
    click.echo(_json(found) if form == "json" else _text(found))
    return ExitCode.NOT_EVALUATED if found.unknown else ExitCode.CLEAN


def _json(found: Needs) -> str:
    import json
    from dataclasses import asdict

    document = {"complete": not found.unknown, **asdict(found)}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _text(found: Needs) -> str:
    lines = [_line(each) for each in found.found]
    if found.unknown:
        lines += ["", f"Incomplete: {len(found.unknown)} not known"]
        lines += [f"  {unknown.subject}: {unknown.reason}" for unknown in found.unknown]
    return "\n".join(lines)


def _line(needed: Needed) -> str:
    between = "@" if needed.version.startswith("sha256:") else ":"
    version = f"{between}{needed.version}" if needed.version else ""
    paths = "".join(f" {path}" for path in needed.paths)
    target = f" -> {needed.target}{version}" if needed.target else ""
    return f"{needed.kind:<9} {needed.source}{version}{paths}{target}"
