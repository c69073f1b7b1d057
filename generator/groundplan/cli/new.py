"""`groundplan new`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundplan.errors import ExitCode, UsageError
from groundplan.garbage import uncollected

if TYPE_CHECKING:
    from groundplan.answers import Answers
    from groundplan.findings import Report
    from groundplan.template import Template


@click.command("new")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--answers",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take the answers from this YAML file; the template's defaults fill what it leaves out.",
)
@click.option("--defaults", is_flag=True, help="Ask nothing and take the template's defaults.")
@click.option("--engine", help="What keeps the clusters equal to it: flux or argocd.")
@click.option("--tier", help="How large the platform starts: small, growing or enterprise.")
def command(
    directory: Path, file: Path | None, defaults: bool, engine: str | None, tier: str | None
) -> ExitCode:
    """Make a new platform repository in DIRECTORY.

    Asks on a terminal, unless --answers or --defaults is given. The repository is rendered,
    committed and checked; nothing is written when an answer cannot be used.
    """
    from groundplan import answers as given
    from groundplan import git, scaffold, template
    from groundplan.findings import Severity

    scaffold.require_vacant(directory.absolute())
    git.require()
    blueprint = template.locate()
    chosen = {key: value for key, value in (("engine", engine), ("tier", tier)) if value}
    if file:
        answers = given.read(file).changed(chosen)
    elif defaults:
        answers = given.Answers(chosen)
    else:
        answers = _asked(blueprint, chosen)
    with uncollected():
        created = scaffold.create(blueprint, answers, directory, _load_checks)
        click.echo(f"{directory}: rendered from {blueprint.version}, first commit {created.commit}")
        findings = bool(_check(directory).at_least(Severity.MEDIUM))
    click.echo(_next_steps(directory, created.repository, findings))
    return ExitCode.FINDINGS if findings else ExitCode.CLEAN


def _asked(blueprint: Template, chosen: dict[str, str]) -> Answers:
    """Ask a person, who must be there to answer."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "new.no-terminal",
            "there is no terminal to ask on",
            fix="give the answers with --answers FILE, or take the template's with --defaults",
        )
    from groundplan.cli import wizard

    return wizard.ask(blueprint, chosen)


def _load_checks() -> None:
    """Import what checking needs; most of a short run is imports."""
    from groundplan import checks, repository  # noqa: F401

    checks.registry()


def _check(directory: Path) -> Report:
    """Check what was rendered, and say in a line how it went, or more when it went badly."""
    from groundplan import checks, repository
    from groundplan.report import text
    from groundplan.report.summary import summarise

    report = checks.run(repository.load(directory), subject=str(directory))
    if report.findings:
        click.echo(text.render(report), nl=False)
    elif objects := summarise(report).objects:
        left = f"; {objects.not_evaluated} not evaluated" if objects.not_evaluated else ""
        click.echo(f"checked: no findings; {objects.validated} objects validated{left}")
    return report


def _next_steps(directory: Path, repository: str, findings: bool) -> str:
    where, address = shlex.quote(str(directory)), shlex.quote(repository)
    steps = (
        f"cd {where}",
        *(("groundplan check                    says what to mend",) if findings else ()),
        "groundplan verify --on apiserver    asks a real Kubernetes API server",
        f"git remote add origin {address} && git push -u origin main",
        "README.md says how the clusters come to follow it",
    )
    return "\n".join(("", "Next:", *(f"  {n}. {step}" for n, step in enumerate(steps, 1))))
