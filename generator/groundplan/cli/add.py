"""`groundplan add`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundplan.cli import changing

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.errors import ExitCode


@click.command("add", short_help="Add a cluster, a team, or another named thing.")
@click.argument("kind")
@click.argument("name")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@changing.options
def command(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    kind: str,
    name: str,
    fields: tuple[str, ...],
    root: Path,
    only_plan: bool,
    form: str,
    tell: bool,
) -> ExitCode:
    """Add a KIND called NAME to the answers, and merge what follows from it.

    A KIND is what the answers list by name, such as `cluster` or `team`. Values are YAML:

        groundplan add team search namespaces=[search,search-staging] contact=@acme/search
    """
    from groundplan import template
    from groundplan.updates import edits

    question = changing.question(kind, edits.kinds(template.locate()))
    change = edits.add(question, name, changing.fields(fields))
    return changing.answers(root, change, removals=False, only_plan=only_plan, form=form, tell=tell)
