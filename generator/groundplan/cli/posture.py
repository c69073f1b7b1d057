"""`groundplan posture`: whether a change allows more, and what is excepted from the rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundplan.cli.check import FORMATS, SEVERITIES
from groundplan.cli.posture_drift import drift
from groundplan.cli.posture_fleet import fleet
from groundplan.cli.posture_scan import scan

if TYPE_CHECKING:
    from datetime import datetime


@click.group("posture", short_help="See what a change allows, and who has to agree.")
def command() -> None:
    """See what a change allows that was not allowed before, and who has to agree."""


command.add_command(drift)
command.add_command(fleet)
command.add_command(scan)


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
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--fail-on",
    type=click.Choice(("widened", "never")),
    default="widened",
    show_default=True,
    help="What makes the exit code 1.",
)
def diff(base: str, head: str, repository: Path, form: str, fail_on: str) -> int:
    """Compare what the git revisions, or folders, BASE and HEAD allow on every cluster.

    Nothing is checked out, executed or fetched. What the tier that BASE is of only takes note of is
    shown and lets the change pass. The exit code is 0 when HEAD allows nothing more than that, 1
    when it does, 2 when the command cannot be carried out, and 3 when the two cannot be compared.
    """
    from groundplan.errors import ExitCode
    from groundplan.garbage import uncollected
    from groundplan.posture import comparison, outcomes, report, revisions
    from groundplan.report import Format, render

    with uncollected():
        before, after = (revisions.read(name, repository) for name in (base, head))
        side = comparison.Side.of(before)
        compared = comparison.compare(side, comparison.Side.of(after, side))
    writers = {"text": report.text, "json": report.as_json, "markdown": report.markdown}
    if form in writers:
        click.echo(writers[form](compared), nl=False)
    else:
        found = outcomes.of_comparison(compared, f"{base}..{head}")
        click.echo(render(found, Format(form)), nl=False)
    if compared.refused and fail_on == "widened":
        return ExitCode.FINDINGS
    return ExitCode.NOT_EVALUATED if compared.incomparable else ExitCode.CLEAN


@command.command("exceptions", short_help="List exceptions, with owner, age and end.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
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
    from groundplan.posture import examination, outcomes
    from groundplan.posture.exceptions import component, history, reading, report, states
    from groundplan.posture.exceptions.suppressions import suppressions
    from groundplan.report import Format, render
    from groundplan.repository import load
    from groundplan.writing import write_whole

    day = (today or datetime.now(UTC)).date()
    repository = load(path)
    declared, faults = reading.read(repository.tree.files)
    found = (*declared, *suppressions(repository, declared))
    standings = states.standings(repository, found, history.ages(path), day)
    if write:
        target = path / component.PATH
        for name, text in component.files(repository, standings).items():
            if text:
                write_whole(path / name, text)
            else:
                (path / name).unlink(missing_ok=True)
        click.echo(f"{target} is written", err=True)
    writers = {"text": report.text, "json": report.as_json}
    if form in writers:
        click.echo(writers[form](standings, faults, day), nl=False)
    else:
        policies = examination.policies(repository)
        wrong = outcomes.of_exceptions(policies, standings, faults, str(path))
        click.echo(render(wrong, Format(form)), nl=False)
    return ExitCode.EXCEPTION if faults or any(s.failing for s in standings) else ExitCode.CLEAN


@command.command("check", short_help="Judge one revision by the built-in policies.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--tier",
    type=click.Choice(("small", "growing", "enterprise")),
    help="Judge as this tier does.  [default: the repository's answer, else growing]",
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="medium",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option("--owner", help="Only findings that this owner has to mend.")
@click.option(
    "--today",
    type=click.DateTime(("%Y-%m-%d",)),
    help="Judge exceptions as of this day.  [default: today in UTC]",
)
def check(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    path: Path, form: str, tier: str | None, fail_on: str, owner: str | None, today: datetime | None
) -> int:
    """Judge the repository at PATH by the built-in policies, whoever wrote it.

    What an exception covers is skipped and says so. The exit code is 0 when nothing is found, 1
    when there is a finding of the `--fail-on` severity, 3 when nothing could be judged, and 5 when
    an exception has expired or has no owner.
    """
    from datetime import UTC, datetime

    from groundplan.cli.check import exit_code, show
    from groundplan.errors import ExitCode
    from groundplan.findings import Severity
    from groundplan.garbage import uncollected
    from groundplan.posture import examination
    from groundplan.posture.exceptions import history, reading, states
    from groundplan.report import Format, render
    from groundplan.repository import load

    day = (today or datetime.now(UTC)).date()
    with uncollected():
        repository = load(path)
        declared, _ = reading.read(repository.tree.files)
        standings = states.standings(repository, declared, history.ages(path), day)
        known = examination.policies(repository, tier)
        report = examination.examine(repository, known, standings, str(path))
        report = examination.owned_by(report, owner) if owner else report
        show(render(report, Format(form)), form)
    code = exit_code(report, Severity[fail_on.upper()])
    failing = code is not ExitCode.NOT_EVALUATED and any(s.failing for s in standings)
    return ExitCode.EXCEPTION if failing else code
