"""`groundplan update`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundplan.cli import changing

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.errors import ExitCode


@click.command("update", short_help="Merge a newer version of the template into a repository.")
@click.option("--to", "version", metavar="VERSION", help="[default: the newest that is carried]")
@click.option("--abort", is_flag=True, help="Put back what the last update replaced.")
@changing.options
def command(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    version: str | None, abort: bool, root: Path, only_plan: bool, form: str, tell: bool
) -> ExitCode:
    """Merge a newer version of the template into a repository that people have edited.

    No edit is lost: each is in the result or in the list of conflicts, where your side stays.
    Either all files are written or none. Nothing is committed. Works without a network.

    The exit code is 0 when all was merged, 6 when conflicts are left, 1 when the result has
    findings that the repository did not have before, and 2 when the update could not begin.
    """
    from groundplan.errors import ExitCode
    from groundplan.updates import checkout, writing

    if abort:
        count = writing.abort(checkout.find(root))
        click.echo(f"{root}: {count} files put back")
        return ExitCode.CLEAN
    found, carried = changing.start(root)
    return changing.carry_out(
        found, carried, version or carried.newest, only_plan=only_plan, form=form, tell=tell
    )
