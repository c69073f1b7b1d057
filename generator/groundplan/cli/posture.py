"""`groundplan posture`: whether a change allows more, and what is excepted from the rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime


@click.group("posture", short_help="See what a change allows, and who has to agree.")
def command() -> None:
    """See what a change allows that was not allowed before, and who has to agree."""


@command.command("diff", short_help="Compare what two revisions allow.")
@click.argument("base")
@click.argument("head")
@click.option(
    "--path",
    "repository",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The repository's folder.  [default: this one]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "markdown")),
    default="text",
    show_default=True,
)
@click.option(
    "--fail-on",
    type=click.Choice(("widened", "never")),
    default="widened",
    show_default=True,
    help="What makes the exit code 1.",
)
def diff(base: str, head: str, repository: Path, form: str, fail_on: str) -> int:
    """Compare what the git revisions, or folders, BASE and HEAD allow on every cluster.

    Nothing is checked out, executed or fetched. The exit code is 0 when HEAD allows nothing more,
    1 when it does, 2 when the command cannot be carried out, and 3 when the two cannot be compared.
    """
    from groundplan.errors import ExitCode
    from groundplan.posture import comparison, report, revisions
    from groundplan.posture.model import Verdict

    sides = (comparison.Side.of(revisions.read(name, repository)) for name in (base, head))
    compared = comparison.compare(*sides)
    writers = {"text": report.text, "json": report.as_json, "markdown": report.markdown}
    click.echo(writers[form](compared), nl=False)
    if compared.of(Verdict.WIDENED) and fail_on == "widened":
        return ExitCode.FINDINGS
    return ExitCode.NOT_EVALUATED if compared.incomparable else ExitCode.CLEAN


@command.command("exceptions", short_help="List exceptions, with owner, age and end.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@click.option(
    "--today",
    type=click.DateTime(("%Y-%m-%d",)),
    help="Judge as of this day.  [default: today in UTC]",
)
@click.option(
    "--write", is_flag=True, help="Also put those that hold into the policies of the repository."
)
def exceptions(path: Path, form: str, today: datetime | None, write: bool) -> int:
    """List every exception of the repository at PATH: files, accepted risks and suppressions.

    A word to another scanner that silences it is an exception too, and so is what an engine is told
    to overlook. The exit code is 0 when all is well, 5 when an exception has expired, has no owner
    or cannot be read, and 2 when the command cannot be carried out.
    """
    from datetime import UTC, datetime

    from groundplan.errors import ExitCode
    from groundplan.posture.exceptions import component, history, reading, report, states
    from groundplan.posture.exceptions.suppressions import suppressions
    from groundplan.repository import load
    from groundplan.writing import write_whole

    day = (today or datetime.now(UTC)).date()
    repository = load(path)
    declared, faults = reading.read(repository.tree.files)
    found = (*declared, *suppressions(repository, declared))
    standings = states.standings(repository, found, history.ages(path), day)
    if write:
        target = path / component.PATH
        write_whole(target, component.component(repository, standings))
        left = [s.exception.name for s in standings if component.left_out(repository, s)]
        click.echo(
            f"{target} is written" + (f" without {', '.join(left)}" if left else ""), err=True
        )
    writer = {"text": report.text, "json": report.as_json}[form]
    click.echo(writer(standings, faults, day), nl=False)
    return ExitCode.EXCEPTION if faults or any(s.failing for s in standings) else ExitCode.CLEAN
