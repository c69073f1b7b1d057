"""`groundplan remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundplan.cli import changing

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.errors import ExitCode


@click.command("remove", short_help="Remove a cluster, a team, or another named thing.")
@click.argument("kind")
@click.argument("name")
@changing.removals
@changing.options
def command(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    kind: str, name: str, removals: bool, root: Path, only_plan: bool, form: str, tell: bool
) -> ExitCode:
    """Take the KIND called NAME out of the answers, and merge what follows from it.

    Files that you edited stay, and are listed as conflicts. --plan says what would be deleted from
    clusters, what would be orphaned there, and what has to be done by hand.
    """
    from groundplan import template
    from groundplan.updates import edits

    question = changing.question(kind, edits.kinds(template.locate()))
    change = edits.remove(question, name)
    return changing.answers(
        root, change, removals=removals, only_plan=only_plan, form=form, tell=tell
    )
