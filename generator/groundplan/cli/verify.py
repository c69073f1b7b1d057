"""`groundplan verify`: what a real Kubernetes API server says about a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundplan.verify import Timing

FORMATS = ("text", "json", "sarif", "junit", "github")
SEVERITIES = ("info", "low", "medium", "high")


@click.command("verify", short_help="Ask a real API server what it thinks of a repository.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--on",
    "place",
    type=click.Choice(("apiserver", "kind")),
    required=True,
    help="Where to apply: an etcd and a kube-apiserver, or a kind cluster on which the engine "
    "brings the repository up. Either is started for this and ended afterwards.",
)
@click.option(
    "--name",
    default="groundplan",
    show_default=True,
    help="The kind cluster; one that is there is used and stays.",
)
@click.option("--keep", is_flag=True, help="Leave the kind cluster there.")
@click.option(
    "--simulate-gpus",
    is_flag=True,
    help="Add Kubernetes' controllers and scheduler, and nodes of each pool that are simulated.",
)
@click.option(
    "--reconcile",
    is_flag=True,
    help="Have the engine bring the repository up; on kind it always does.",
)
@click.option("--cluster", default="", metavar="NAME", help="Only this cluster.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
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
    help="The API server's version.  [default: the repository's answer, else the newest]",
)
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with CustomResourceDefinitions to look in first.",
)
@click.option("--offline", is_flag=True, help="Never download anything.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=1800,
    show_default=True,
    help="Seconds for all clusters, without getting the programs.",
)
def command(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    path: Path,
    place: str,
    name: str,
    keep: bool,
    simulate_gpus: bool,
    reconcile: bool,
    cluster: str,
    form: str,
    fail_on: str,
    kubernetes: str | None,
    schemas: Path | None,
    offline: bool,
    timeout: float,
) -> int:
    """Apply the Flux or Argo CD repository at PATH to an API server, each cluster by itself.

    Objects are applied as their engine would, in its order: what later ones are judged by
    (namespaces, CRDs, RBAC, admission policies, quotas ...) for real, the others as a dry run.
    Then the server is asked what must hold: that policies refuse what they should, that teams
    are kept apart, that quotas stop what exceeds them; with `--simulate-gpus` also that pods land
    on the node pools where they belong.
    Nothing outside of this machine is touched. The exit code is 0 when there is no finding of
    the `--fail-on` severity, 1 when there is one, 2 when the command cannot be carried out, 3
    when there is nothing to apply, and 4 when a program is missing or fails.
    """
    import time

    from groundplan.cli.check import exit_code
    from groundplan.findings import Severity
    from groundplan.report import Format, render
    from groundplan.repository import load
    from groundplan.servers import Wish, embedded, kind_cluster
    from groundplan.verify import verify

    repository = load(path, kubernetes=kubernetes, schemas=schemas)
    wish = Wish(repository.kubernetes, simulate_gpus, reconcile, offline, _say)
    start = kind_cluster(wish, name=name, keep=keep) if place == "kind" else embedded(wish)
    deadline = time.monotonic() + timeout
    progress = _progress()
    try:
        done = verify(
            repository,
            lambda: start(deadline),
            only=cluster,
            subject=str(path),
            progress=progress,
        )
    finally:
        progress("")
    click.echo(render(done.report, Format(form)), nl=False)
    for timing in done.timings:
        click.echo(_timing(timing), err=True)
    return exit_code(done.report, Severity[fail_on.upper()])


def _say(text: str) -> None:
    click.echo(text, err=True)


def _progress() -> Callable[[str], None]:
    """One line that keeps changing on a terminal; elsewhere nothing."""
    import sys

    if not sys.stderr.isatty():
        return lambda _: None
    return lambda text: click.echo(f"\r\033[K{text}", err=True, nl=False)


def _timing(timing: Timing) -> str:
    """One line for the cluster, and one for each unit that the engine brought up."""
    rate = timing.objects / timing.apply if timing.apply else 0.0
    units = [f"  {unit.seconds:6.1f} s  {unit.name}" for unit in timing.units]
    whole = (
        f"{timing.cluster}: {timing.objects} objects in {timing.apply:.1f} s ({rate:.0f}/s) on "
        f"Kubernetes {timing.server}, which was ready after {timing.start:.1f} s"
    )
    return "\n".join((whole, *units))
