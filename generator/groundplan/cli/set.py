"""`groundplan set`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundplan.cli import changing

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.errors import ExitCode


@click.command("set", short_help="Change an answer, and merge what follows from it.")
@click.argument("key")
@click.argument("value")
@changing.removals
@changing.options
def command(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    key: str, value: str, removals: bool, root: Path, only_plan: bool, form: str, tell: bool
) -> ExitCode:
    """Answer the question KEY with VALUE, which is YAML, and merge what follows from it.

    KEY can name a part of an answer: `contacts.oncall`, `teams.payments.contact`.
    """
    from groundplan.updates import edits

    change = edits.put(key, edits.value(value))
    return changing.answers(
        root, change, removals=removals, only_plan=only_plan, form=form, tell=tell
    )
