"""`groundplan assess`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.answers import Answers
    from groundplan.assessment import Assessment, Candidate, Cost
    from groundplan.template import Template


@click.command("assess", short_help="Say which tier an organisation is ready for.")
@click.option(
    "--answers",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take `practices` and other choices from this YAML file instead of asking.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
)
def command(file: Path | None, form: str) -> None:
    """Say which tier an organisation is ready for, and what is missing for the next.

    Asks on a terminal about people and practices, unless --answers is given. What it says of cost
    is an estimate, at list prices, of the platform's own components. Nothing is written.
    """
    from groundplan import answers as given
    from groundplan import template
    from groundplan.assessment import assess

    blueprint = template.locate()
    answers = given.read(file) if file else _asked(blueprint)
    assessment = assess(blueprint, given.checked(answers, blueprint))
    if form == "json":
        click.echo(_json(assessment))
    else:
        click.echo("\n".join(_text(assessment, asked=file is None)))


def _asked(blueprint: Template) -> Answers:
    """Ask a person, who must be there to answer."""
    from groundplan.errors import UsageError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "assess.no-terminal",
            "there is no terminal to ask on",
            fix="give the organisation's practices with --answers FILE",
        )
    from groundplan.answers import Answers
    from groundplan.catalogue import practices
    from groundplan.cli import wizard

    return Answers({"practices": wizard.ask_practices(practices(blueprint).values(), {})})


def _json(assessment: Assessment) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(assessment), indent=2, ensure_ascii=False)


def _text(assessment: Assessment, *, asked: bool) -> Iterator[str]:
    yield f"Recommended tier: {assessment.recommended or 'none'}"
    yield from (f"  {sentence}" for sentence in assessment.why)
    yield ""
    yield "Maturity, by the CNCF Platform Engineering Maturity Model"
    for level in assessment.maturity:
        yield f"  {level.aspect:<12} {level.level:<12} {level.sentence}"
    if assessment.next:
        yield ""
        yield from _missing(assessment.tier(assessment.next))
    yield ""
    yield from _costs(assessment.tiers)
    if asked:
        from groundplan.documents import dump

        yield ""
        yield "For the answers file:"
        yield "practices:"
        yield from (f"  {line}" for line in dump(dict(assessment.practices)).splitlines())


def _missing(tier: Candidate) -> Iterator[str]:
    yield f"Missing for tier {tier.name}"
    for need in tier.missing:
        yield f"  {need.practice}: {need.least}, now {need.have}"
        yield f"      {need.sentence[:-1]}, because {need.why}."
        yield f"      Who can change it: {need.closes}."


def _costs(tiers: tuple[Candidate, ...]) -> Iterator[str]:
    yield "What the platform's own components ask of one cluster, and its cost in a month"
    yield f"  {'tier':<11} {'place':<6} {'vCPU':>6} {'GiB':>6} {'disk GiB':>9} {'cost':>10}"
    for tier in tiers:
        for cost in tier.costs:
            need = cost.need
            yield (
                f"  {tier.name:<11} {cost.place:<6} {need.cpu:>6.1f} {need.memory:>6.1f} "
                f"{need.storage:>9.0f} {_amount(cost):>10}"
            )
    yield "  Requests at list prices, with control plane and load balancer; no nodes' own overhead,"
    yield "  traffic, logs, discounts or taxes. Expect the right order of magnitude, not the sum:"
    for cost in tiers[0].costs:
        if cost.month:
            yield f"  {cost.place}: {cost.title}, {cost.date}, {cost.source}"


def _amount(cost: Cost) -> str:
    return "your own" if cost.month is None else f"{cost.month:.0f} {cost.currency}"
