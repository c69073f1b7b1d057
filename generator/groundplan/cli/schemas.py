"""`groundplan schemas`: what objects are checked against, and where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundplan.schemas import LeftOut, Provenance

_MIRROR = click.option(
    "--schemas",
    "mirror",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A mirror folder of upstream data.  [default: $GROUNDPLAN_UPSTREAM]",
)
_DEFAULT_KUBERNETES = "1.37"


@click.group("schemas", invoke_without_command=True)
@click.option("--kubernetes", default=_DEFAULT_KUBERNETES, show_default=True, metavar="VERSION")
@_MIRROR
@click.pass_context
def command(context: click.Context, kubernetes: str, mirror: Path | None) -> int:
    """List the schemas and chart defaults that are at hand, each with its source."""
    if context.invoked_subcommand:
        return 0
    from groundplan.schemas import default_charts, default_store
    from groundplan.schemas.store import HINT

    store = default_store(kubernetes, mirror)
    charts = default_charts(mirror)
    click.echo(f"Kinds of Kubernetes {kubernetes} and of components ({len(store.kinds())} kinds)")
    _list(store.provenance)
    click.echo("\nChart defaults")
    _list(charts.provenance)
    left = [*store.left_out, *charts.left_out]
    _list_left_out(left)
    if left:
        click.echo(f"\n{HINT}")
    return 0


@command.command("fetch")
@click.option(
    "--kubernetes",
    "minors",
    multiple=True,
    metavar="VERSION",
    help="Only this version's kinds. May be repeated.  [default: all supported]",
)
@click.option("--offline", is_flag=True, help="Use the mirror and the Go module cache only.")
@_MIRROR
def fetch(minors: tuple[str, ...], offline: bool, mirror: Path | None) -> int:
    """Get schemas and chart defaults from Go modules and releases into the user's cache.

    Only what is exactly as this groundplan's lock file has it is taken. What cannot be had is
    listed, and the exit code is 3 when that is everything.
    """
    from groundplan.errors import ExitCode
    from groundplan.schemas import cache, lock
    from groundplan.schemas.fetch import fetch
    from groundplan.schemas.mirror import Mirror
    from groundplan.schemas.sources import Sources
    from groundplan.schemas.stores import mirror_folder

    locked = lock.load()
    folder = mirror_folder(mirror)
    sources = Sources(Mirror(folder) if folder else None, network=not offline)
    left = fetch(cache.folder(), sources, minors or tuple(locked.kubernetes))
    wanted = len(minors or locked.kubernetes) + len(locked.components) + len(locked.charts)
    click.echo(f"{wanted - len(left)} of {wanted} are in {cache.folder()}")
    _list_left_out(left)
    return ExitCode.CLEAN if len(left) < wanted else ExitCode.NOT_EVALUATED


@command.command("lock")
@_MIRROR
def relock(mirror: Path | None) -> int:
    """Renew the hashes of the lock file in a source checkout, after a version in it was changed."""
    from groundplan.errors import ExitCode
    from groundplan.schemas import lock
    from groundplan.schemas.mirror import Mirror
    from groundplan.schemas.relock import relock
    from groundplan.schemas.sources import Sources
    from groundplan.schemas.stores import mirror_folder

    folder = mirror_folder(mirror)
    left = relock(lock.PATH, Sources(Mirror(folder) if folder else None))
    click.echo(f"{lock.PATH} is renewed")
    _list_left_out(left)
    return ExitCode.NOT_EVALUATED if left else ExitCode.CLEAN


def _list(found: Iterable[Provenance]) -> None:
    for one in found:
        name = f"{one.component} {one.version}"
        click.echo(f"  {name:<46} {one.license:<12} {one.sha256[:12]:<12} {one.source}")


def _list_left_out(left: Iterable[LeftOut]) -> None:
    listed = list(left)
    if listed:
        click.echo("\nNot there")
    for one in listed:
        click.echo(f"  {one.component}: {one.reason}")
