"""`groundplan posture fleet`: the clusters of one or many repositories side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundplan.cli.check import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@click.command("fleet", short_help="See the posture of all clusters.")
@click.argument("places", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "csv", "json", "html", "prometheus")),
    default="text",
    show_default=True,
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="medium",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option(
    "--today",
    type=click.DateTime(("%Y-%m-%d",)),
    help="Judge exceptions and approvals as of this day.  [default: today in UTC]",
)
def fleet(places: tuple[Path, ...], form: str, fail_on: str, today: datetime | None) -> int:
    """Judge every cluster of PLACES: repositories, or fleet files that list local clones.

    Of each: findings, drift from its baseline, exceptions with their age, and how much was judged.
    A repository that cannot be read does not hold up the others. The exit code is that of the worst
    one: 1 with findings or drift, 5 when an exception has expired or has no owner, 3 when something
    cannot be compared.
    """
    from datetime import UTC, datetime

    from groundplan import template
    from groundplan.findings import Severity
    from groundplan.garbage import uncollected
    from groundplan.posture.fleet import report, surveying

    now = datetime.now(UTC)
    day = (today or now).date()
    with uncollected():
        rows = surveying.survey(_named(places), template.locate().root, day)
    if form == "prometheus":
        click.echo(report.prometheus(rows, day, now.timestamp()), nl=False)
    else:
        writers = {
            "text": report.text,
            "csv": report.as_csv,
            "json": report.as_json,
            "html": report.page,
        }
        click.echo(writers[form](rows, day), nl=False)
    return surveying.worst(rows, Severity[fail_on.upper()])


def _named(places: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    from groundplan.updates import fleet as members

    for place in places:
        if place.is_dir():
            yield place.resolve().name, place
        else:
            yield from ((member.name, member.root) for member in members.read(place))
