"""`groundplan down`: the end of what `groundplan up` began."""

from __future__ import annotations

import click


@click.command("down", short_help="Remove the kind cluster that `up` made.")
@click.option("--name", default="groundplan", show_default=True, help="The kind cluster's name.")
def command(name: str) -> int:
    """Remove a kind cluster; one that is not there is removed already."""
    from groundplan import toolchain
    from groundplan.runners import docker, kind

    docker.ensure_answers()
    kind.delete(toolchain.ensure("kind", progress=_say).path, name)
    return 0


def _say(text: str) -> None:
    click.echo(text, err=True)
