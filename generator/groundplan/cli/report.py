"""`groundplan report`: what can be said of a repository to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from groundplan.errors import ExitCode


@click.command("report", short_help="Say what a repository meets, and what is left to show.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--ai-conformance",
    "conformance",
    is_flag=True,
    help="Hold it against CNCF's Kubernetes AI Conformance.",
)
@click.option(
    "--models",
    is_flag=True,
    help="Say what memory each model needs, how long a cold start takes, and what stands.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "markdown")),
    default="text",
    show_default=True,
)
def command(path: Path, conformance: bool, models: bool, form: str) -> ExitCode:
    """Say what the repository at PATH meets, and what is left to show elsewhere.

    With --ai-conformance: for each requirement, the objects that are declared for it, what
    `groundplan check` finds wrong with them now, what `groundplan verify` would show, and what only
    the cluster's provider can. The exit code is 0, and 1 when a check found something wrong.

    With --models: for each model in the repository's answers, the rule that chose how its weights
    reach the servers, GiB on each accelerator, and the seconds until a server on a new node
    answers, beside the objective; each number with where it is from, or that it is assumed. And the
    pools that always have nodes, with what those cost by the answer hour_cents.
    """
    from groundplan.errors import ExitCode, UsageError

    if conformance == models:
        raise UsageError(
            "report.nothing", "say one thing to report", fix="add --ai-conformance or --models"
        )
    if models:
        from groundplan import template
        from groundplan.budgets import budgets
        from groundplan.report import models as listed

        click.echo(listed.render(*budgets(path, template.locate()), form), nl=False)
        return ExitCode.CLEAN
    return _conformance(path, form)


def _conformance(path: Path, form: str) -> ExitCode:
    from groundplan import conformance as ai
    from groundplan.errors import ExitCode
    from groundplan.garbage import uncollected
    from groundplan.report import conformance as page
    from groundplan.repository import load

    with uncollected():
        rows = ai.judge(load(path))
    click.echo(page.render(ai.checklist(), rows, form), nl=False)
    wrong = any(row.verdict is ai.Verdict.AT_FAULT for row in rows)
    return ExitCode.FINDINGS if wrong else ExitCode.CLEAN
