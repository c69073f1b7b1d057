"""`groundplan upgrade-check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundplan.errors import ExitCode
    from groundplan.upgrades import Judgement


@click.command("upgrade-check", short_help="Say of each component whether its upgrade is safe.")
@click.argument("old")
@click.argument("new")
@click.option(
    "--path",
    "repository",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The repository that revisions are looked up in.  [default: this one]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
)
@click.option(
    "--fail-on",
    type=click.Choice(("blocked", "manual")),
    default="blocked",
    show_default=True,
    help="The best verdict that makes the exit code 1.",
)
def command(old: str, new: str, repository: Path, form: str, fail_on: str) -> ExitCode:
    """Say of each component that moves between OLD and NEW whether that is safe, and what to do.

    OLD and NEW are folders of a repository, git revisions, or YAML files with one
    `component: version` on each line. The exit code is 0 when all is well, 1 when a move is blocked
    (or manual, with --fail-on manual), and 3 when nothing is recorded about a move: unknown is
    never safe.
    """
    from groundplan import template, upgrades, versions
    from groundplan.errors import ExitCode
    from groundplan.upgrades import Verdict

    blueprint = template.locate()
    before, _ = versions.read(old, repository, blueprint)
    after, engine = versions.read(new, repository, blueprint)
    known = upgrades.records(blueprint)
    judged = [
        upgrades.judge(move, known.get(move.component, ()), engine)
        for move in upgrades.moves(before, after)
    ]
    click.echo(_json(judged) if form == "json" else "\n".join(_text(judged)))
    verdicts = {judgement.verdict for judgement in judged}
    failing = {Verdict.BLOCKED} | ({Verdict.MANUAL} if fail_on == "manual" else set())
    if verdicts & failing:
        return ExitCode.FINDINGS
    return ExitCode.NOT_EVALUATED if Verdict.UNKNOWN in verdicts else ExitCode.CLEAN


def _json(judged: Sequence[Judgement]) -> str:
    import json
    from dataclasses import asdict

    return json.dumps({"moves": [asdict(each) for each in judged]}, indent=2, ensure_ascii=False)


def _text(judged: Sequence[Judgement]) -> Iterator[str]:
    from collections import Counter

    for judgement in judged:
        move = judgement.move
        versions = " -> ".join(filter(None, (move.old, move.new)))
        where = f" on {', '.join(move.clusters)}" if move.clusters else ""
        yield f"{judgement.verdict.upper():<8} {move.component} {versions}{where}"
        yield from (f"    {sentence}" for sentence in judgement.why)
        yield from (f"    {number}. {step}" for number, step in enumerate(judgement.steps, 1))
        yield from (f"    {source}" for source in judgement.sources)
    counts = Counter(judgement.verdict for judgement in judged)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    moves = "1 move" if len(judged) == 1 else f"{len(judged)} moves"
    yield f"{moves}: {said}" if judged else "no component moves"
