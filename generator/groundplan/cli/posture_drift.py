"""`groundplan posture drift`: whether what is allowed now was agreed to."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundplan.cli.check import FORMATS

if TYPE_CHECKING:
    from datetime import datetime

    from groundplan.posture.drift.judging import Drift


@click.command("drift", short_help="Compare with the committed baseline, or a live cluster.")
@click.argument(
    "path", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path()
)
@click.option(
    "--baseline",
    "remembered",
    default="posture/baseline.json",
    show_default=True,
    help="Where in the repository the baseline is.",
)
@click.option(
    "--base",
    metavar="REVISION",
    help="Read baseline, approvals and owners from this revision.  [default: from PATH]",
)
@click.option(
    "--write-baseline", "write", is_flag=True, help="Agree to what is allowed now: write the file."
)
@click.option("--live", is_flag=True, help="Compare a running cluster with what git declares.")
@click.option("--context", default="", help="Of the kubeconfig.  [default: the current one]")
@click.option("--cluster", metavar="NAME", help="Which cluster of the repository it is.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--today",
    type=click.DateTime(("%Y-%m-%d",)),
    help="Judge approvals as of this day.  [default: today in UTC]",
)
def drift(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    path: Path,
    remembered: str,
    base: str | None,
    write: bool,
    live: bool,
    context: str,
    cluster: str | None,
    form: str,
    today: datetime | None,
) -> int:
    """Compare what the repository at PATH allows with the baseline and the approvals it has.

    What is allowed now, was not when the baseline was written, and is not approved is drift. On a
    pull request, give `--base`: a change must not approve itself.

    With `--live` a cluster that runs is read with kubectl, and compared with what git declares for
    it instead: what was added or loosened by hand is drift. Nothing on it is changed.

    The exit code is 0 without drift, 1 with drift, 2 when the command cannot be carried out, 3 when
    something cannot be compared or read, 4 when kubectl is missing or the cluster does not answer,
    and 5 when something in the approvals is no approval.
    """
    from datetime import UTC, datetime

    from groundplan.errors import UsageError
    from groundplan.garbage import uncollected
    from groundplan.posture import revisions
    from groundplan.posture.drift import repository

    if (live and write) or (not live and (context or cluster)):
        raise UsageError(
            "posture.live",
            "--context and --cluster go with --live, and --write-baseline does not",
            fix="leave one of them out",
        )
    place = repository.inside(remembered)
    day = (today or datetime.now(UTC)).date()
    with uncollected():
        if write:
            return _write(path, place, base)
        head = revisions.read(str(path), path)
        agreed = revisions.read(base, path) if base else head
        if live:
            from groundplan.posture.comparison import Side
            from groundplan.posture.drift import cluster as running
            from groundplan.posture.drift import kubectl

            git = Side.of(head)
            owned = Side.of(agreed) if base else git
            read = partial(kubectl.read, context=context)
            return _show(running.drift(git, owned, cluster, read, day), form, path)
        before = repository.Agreed.read(agreed, place)
        return _show(repository.drift(before.beside(head), before, day), form, path)


def _write(path: Path, place: str, base: str | None) -> int:
    from groundplan.errors import ExitCode, UsageError
    from groundplan.posture import revisions
    from groundplan.posture.comparison import Side
    from groundplan.posture.drift import baseline
    from groundplan.posture.drift.projection import projected
    from groundplan.writing import write_whole

    if base:
        raise UsageError(
            "posture.write-to-base",
            "a baseline is written from PATH, never from another revision",
            where=base,
            fix="leave out --base",
        )
    target = path / place
    root = path.resolve()
    if not target.resolve().is_relative_to(root):
        raise UsageError(
            "posture.outside",
            "is a link that leaves the repository",
            where=place,
            fix="name a path inside it",
        )
    text = baseline.write(projected(Side.of(revisions.read(str(path), path))))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, text)
    click.echo(f"{target} is written; review and commit it", err=True)
    return ExitCode.CLEAN


def _show(found: Drift, form: str, path: Path) -> int:
    from groundplan.posture import outcomes
    from groundplan.posture.drift import report
    from groundplan.report import Format, render

    writers = {"text": report.text, "json": report.as_json, "markdown": report.markdown}
    if form in writers:
        click.echo(writers[form](found), nl=False)
    else:
        click.echo(render(outcomes.of_drift(found, str(path)), Format(form)), nl=False)
    return found.exit_code
