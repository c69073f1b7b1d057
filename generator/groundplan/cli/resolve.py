"""`groundplan resolve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundplan.cli import changing

if TYPE_CHECKING:
    from pathlib import Path


@click.command("resolve", short_help="Say that conflicts of an update have been decided.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--all", "every", is_flag=True, help="All conflicts that are left.")
@changing.repository
def command(files: tuple[str, ...], every: bool, root: Path) -> int:
    """List the conflicts that an update left, or remove those of some FILEs from the list.

    What the files hold then counts as decided. The exit code is 6 while conflicts are left.
    """
    from groundplan.errors import ExitCode
    from groundplan.merge import conflicts
    from groundplan.updates import report

    left = conflicts.left(root)
    kept = conflicts.undecided(left, files, every=every)
    if kept != left:
        conflicts.replace_list(root, kept)
    for conflict in kept:
        click.echo("\n".join(report.conflict_lines(conflict)))
    click.echo(f"{len(left) - len(kept)} decided, {len(kept)} left")
    return ExitCode.CONFLICTS if kept else ExitCode.CLEAN
