"""`groundplan fleet`: many repositories at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundplan.updates.checkout import Checkout
    from groundplan.updates.fleet import Member, Result
    from groundplan.updates.report import Update


@click.group("fleet", short_help="See and update many repositories at once.")
def command() -> None:
    """See and update the repositories of a fleet file, which lists local clones by `path`."""


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command of the group takes."""
    options = (
        click.argument("file", type=click.Path(path_type=Path), default=Path("fleet.yaml")),
        click.option("--ring", metavar="NAME", help="Only the repositories of this ring."),
        click.option(
            "--format",
            "form",
            type=click.Choice(("text", "json", "html")),
            default="text",
            show_default=True,
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


_to = click.option("--to", "version", metavar="VERSION", help="[default: the newest]")
_limit = click.option(
    "--limit", type=click.IntRange(1), help="Touch at most this many repositories that are behind."
)


@command.command("status", short_help="Say how each repository stands.")
@_options
def status(file: Path, ring: str | None, form: str) -> int:
    """Say of each repository its version, tier, drift, and conflicts that are left."""
    from groundplan import releases
    from groundplan.updates import fleet

    return _show(tuple(fleet.statuses(_members(file, ring), releases.locate())), form)


@command.command("plan", short_help="Say what updates would do.")
@_options
@_to
@_limit
def plan(file: Path, ring: str | None, form: str, version: str | None, limit: int | None) -> int:
    """Work out the update of each repository that is behind, and write nothing."""
    return _renew(file, ring, form, version, limit, dry=True)


@command.command("update", short_help="Update the repositories that are behind.")
@_options
@_to
@_limit
@click.option("--dry-run", "dry", is_flag=True, help="The same as `groundplan fleet plan`.")
def update(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    file: Path, ring: str | None, form: str, version: str | None, limit: int | None, dry: bool
) -> int:
    """Update the repositories that are behind, one after the other, in the order of the file.

    Each is left with its changes, not committed. One that is refused does not hold up the others.
    The exit code is 6 when any has conflicts, 1 when any has new findings, and that of the refusal
    when any was refused.
    """
    return _renew(file, ring, form, version, limit, dry=dry)


def _members(file: Path, ring: str | None) -> tuple[Member, ...]:
    from groundplan import git
    from groundplan.updates import fleet

    git.require()
    return fleet.choose(fleet.read(file), ring)


def _renew(  # noqa: PLR0913 - the options of a command, each by its name
    file: Path,
    ring: str | None,
    form: str,
    version: str | None,
    limit: int | None,
    *,
    dry: bool,
) -> int:
    from groundplan import releases
    from groundplan.garbage import uncollected
    from groundplan.updates import fleet, proposal, report, writing
    from groundplan.updates.assurance import assure

    carried = releases.locate()

    def carry_out(found: Checkout) -> Update:
        with uncollected():
            proposed = proposal.propose(found, carried, version or carried.newest)
            assurance = assure(proposed) if proposed.changed else None
            written = bool(proposed.changed) and not dry
            if written:
                writing.write(proposed)
            return report.Update(proposed, assurance, written)

    members = _members(file, ring)
    return _show(tuple(fleet.updates(members, carried, carry_out, limit)), form)


def _show(results: tuple[Result, ...], form: str) -> int:
    from groundplan.updates import fleet, fleet_report

    writers = {"text": fleet_report.text, "json": fleet_report.as_json, "html": fleet_report.page}
    click.echo(writers[form](results), nl=False)
    return fleet.worst(results)
