"""`groundplan check`: everything that can be known about a repository without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from groundplan.errors import ExitCode
    from groundplan.findings import Report, Severity

FORMATS = ("text", "json", "sarif", "junit", "github", "gitlab", "markdown")
SEVERITIES = ("info", "low", "medium", "high")


@click.command("check", short_help="Find what is wrong in a GitOps repository.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report to a file instead of standard output.",
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="medium",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option(
    "--kubernetes",
    metavar="VERSION",
    help="Validate for this version.  [default: the repository's answer, else the newest]",
)
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with schemas and chart defaults to look in first.",
)
@click.option(
    "--kubeconform/--no-kubeconform",
    "second",
    default=True,
    help="Ask kubeconform for a second opinion where it is found.  [default: yes]",
)
@click.option("--only", metavar="ID", multiple=True, help="Run only this check. May be repeated.")
def command(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    path: Path,
    form: str,
    output: Path | None,
    fail_on: str,
    kubernetes: str | None,
    schemas: Path | None,
    second: bool,
    only: tuple[str, ...],
) -> int:
    """Find what is wrong in the Flux or Argo CD repository at PATH, without running anything.

    Nothing that is read is executed and nothing is fetched. The exit code is 0 when there is no
    finding of the `--fail-on` severity, 1 when there is one, 2 when the command cannot be carried
    out, and 3 when no object could be validated or a check broke off.
    """
    from groundplan.checks import run
    from groundplan.findings import Report, Severity
    from groundplan.garbage import uncollected
    from groundplan.report import Format, render
    from groundplan.repository import load
    from groundplan.second_opinion import ask
    from groundplan.writing import write_whole

    if output is not None:
        _refuse_missing_folder(output)
    with uncollected():
        repository = load(path, kubernetes=kubernetes, schemas=schemas)
        report = run(repository, only=only, subject=str(path))
        if second and not only:
            report = Report((*report.results, ask(repository)), report.subject)
        text = render(report, Format(form))
    if output is None:
        show(text, form)
    else:
        write_whole(output, text)
    return exit_code(report, Severity[fail_on.upper()])


def exit_code(report: Report, fail_on: Severity) -> ExitCode:
    """What the process says about a report; a run that evaluated nothing is never clean."""
    from groundplan.errors import ExitCode
    from groundplan.report.summary import summarise

    if report.at_least(fail_on):
        return ExitCode.FINDINGS
    summary = summarise(report)
    unseen = summary.objects is not None and not summary.objects.validated
    if summary.errored or unseen or len(summary.idle) == summary.checks:
        return ExitCode.NOT_EVALUATED
    return ExitCode.CLEAN


def _refuse_missing_folder(output: Path) -> None:
    """Find out before the work whether its result can be written."""
    from groundplan.errors import UsageError

    if not output.parent.is_dir():
        raise UsageError(
            "check.output-folder",
            "the folder of the output file does not exist",
            where=str(output),
            fix=f"create it with `mkdir -p {output.parent}`",
        )


def show(text: str, form: str) -> None:
    """Print the report; on a terminal, people get severities in colour."""
    import sys

    if form != "text" or not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.highlighter import RegexHighlighter
    from rich.theme import Theme

    class Severities(RegexHighlighter):
        """The columns of a finding."""

        base_style = "report."
        highlights = (
            r"^ +[-\d]+  (?P<high>high  )",
            r"^ +[-\d]+  (?P<medium>medium)",
            r"^ +[-\d]+  (?P<low>low   |info  )",
            r"(?P<fix>^ +-> .*$)",
        )

    styles = {"high": "bold red", "medium": "yellow", "low": "cyan", "fix": "dim"}
    theme = Theme({f"report.{name}": style for name, style in styles.items()})
    console = Console(theme=theme, highlighter=Severities(), soft_wrap=True)
    console.print(text, markup=False, end="")
