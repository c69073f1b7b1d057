"""`groundplan promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundplan.cli import changing

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.errors import ExitCode


@click.command("promote", short_help="Move a platform to another tier.")
@click.argument("tier")
@changing.removals
@changing.options
def command(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    tier: str, removals: bool, root: Path, only_plan: bool, form: str, tell: bool
) -> ExitCode:
    """Move the platform to TIER, and merge what follows from it.

    --plan says which components come and go, what the tier expects of the organisation, and which
    parts deserve care. A smaller tier takes components away, which needs --allow-removals.
    """
    from groundplan.updates import edits

    change = edits.put("tier", tier)
    return changing.answers(
        root, change, removals=removals, only_plan=only_plan, form=form, tell=tell
    )
