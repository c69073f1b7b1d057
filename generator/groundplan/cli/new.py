"""`groundplan new`."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundplan.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    from groundplan import scaffold, template
    from groundplan.findings import Severity

    scaffold.require_vacant(directory.absolute())
    scaffold.require_git()
    blueprint = template.locate()
    chosen = {key: value for key, value in (("engine", engine), ("tier", tier)) if value}
    if file:
        answers = given.read(file).changed(chosen)
    elif defaults:
        answers = given.Answers(chosen)
    else:
        answers = _asked(blueprint, chosen)
    with _uncollected():
        commit = scaffold.create(blueprint, answers, directory)
        click.echo(f"{directory}: rendered from {blueprint.version}, first commit {commit}")
        findings = bool(_check(directory).at_least(Severity.MEDIUM))
    click.echo(_next_steps(directory, findings))
    return ExitCode.FINDINGS if findings else ExitCode.CLEAN


@contextmanager
def _uncollected() -> Iterator[None]:
    """Looking for garbage in a process this short costs a tenth of its time and finds little."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _asked(blueprint: Template, chosen: dict[str, str]) -> Answers:
    """Ask a person, who must be there to answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "new.no-terminal",
            "there is no terminal to ask on",
            fix="give the answers with --answers FILE, or take the template's with --defaults",
        )
    from groundplan.cli import wizard

    return wizard.ask(blueprint, chosen)


def _check(directory: Path) -> Report:
    """Check what was rendered, and say how it went."""
    from groundplan import checks, repository
    from groundplan.report import text

    report = checks.run(repository.load(directory), subject=str(directory))
    click.echo(text.render(report), nl=False)
    return report


def _next_steps(directory: Path, findings: bool) -> str:
    steps = (
        *((f"groundplan check {directory}    and mend what it says",) if findings else ()),
        f"cd {directory}",
        "groundplan verify --on apiserver    asks a real Kubernetes API server",
        "read README.md    how the clusters come to follow this repository",
    )
    return "\n".join(("", "Next:", *(f"  {n}. {step}" for n, step in enumerate(steps, 1))))
