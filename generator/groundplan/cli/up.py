"""`groundplan up`: a repository brought to life on a kind cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from groundplan.verify.reconciliation import Stage


@click.command("up", short_help="Bring a repository to life on a kind cluster.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--cluster",
    default="",
    metavar="NAME",
    help="Which cluster of the repository.  [default: the first]",
)
@click.option("--name", default="groundplan", show_default=True, help="The kind cluster's name.")
@click.option("--kubernetes", metavar="VERSION", help="As for `verify`.")
@click.option("--offline", is_flag=True, help="Never download anything.")
def command(path: Path, cluster: str, name: str, kubernetes: str | None, offline: bool) -> int:
    """Create a kind cluster and have the engine bring the repository at PATH up on it.

    The engine works as long as this command does, and follows the folder: what is changed there
    is applied, committed or not. Ctrl-C ends the engine; the cluster stays until
    `groundplan down`. Of Flux, whose controllers are not run, the work is done once. The exit
    code is 0 when every unit came up, 1 when one did not, and 4 without Docker.
    """
    from groundplan.report import Format, render
    from groundplan.repository import load
    from groundplan.servers import Wish, kind_cluster
    from groundplan.verify import chosen, reconciliation
    from groundplan.verify.record import Record

    repository = load(path, kubernetes=kubernetes)
    cluster_of = chosen(repository.clusters, cluster)[0]
    wish = Wish(repository.kubernetes, offline=offline, say=_say)
    start = kind_cluster(wish, name=name, keep=True)
    record = Record(repository.locate)
    with (
        start(float("inf")) as server,
        reconciliation.brought_up(repository, cluster_of, server, record, _say) as (units, stage),
    ):
        report = record.report((reconciliation.RECONCILED,), str(path))
        click.echo(render(report, Format.TEXT), nl=False)
        for unit in units:
            _say(f"  {unit.seconds:6.1f} s  {unit.name}")
        _say(
            f"kubectl: kind export kubeconfig --name {name}; the end: groundplan down --name {name}"
        )
        if stage is not None:
            _follow(path, stage)
    return int(bool(report.findings))


def _follow(path: Path, stage: Stage) -> None:
    """Let the engine see what changes in the folder, until the user ends it."""
    import contextlib
    import time

    from groundplan.engines import argocd
    from groundplan.tree import Tree

    before = Tree.read(path)
    _say("Argo CD follows the folder; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(2)
            argocd.ensure_alive(stage.parts)
            after = Tree.read(path)
            if stage.served.follow(before, after):
                for unit in stage.cluster.units:
                    argocd.refresh(stage.client, unit.id.name)
                _say("the engine sees the change")
            before = after


def _say(text: str) -> None:
    click.echo(text, err=True)
