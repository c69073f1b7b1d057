"""`groundplan posture`: whether a change allows more."""

from __future__ import annotations

from pathlib import Path

import click


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
