"""`groundplan explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from groundplan.explanation import Explanation

FORMATS = ("text", "json")


@click.command("explain", short_help="Say why a file of a rendered repository is there.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def command(path: Path, form: str) -> None:
    """Say why the file at PATH is in its repository: component, template, answers, owner.

    Works on any repository rendered from this template, without a network.
    """
    from groundplan import template
    from groundplan.explanation import explain

    explanation = explain(path, template.locate())
    click.echo(_json(explanation) if form == "json" else _text(explanation))


def _json(explanation: Explanation) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(explanation), indent=2, ensure_ascii=False)


def _text(explanation: Explanation) -> str:
    from groundplan.answers.fields import shown

    rows = [
        ("about", ", ".join(explanation.subjects)),
        ("because", explanation.because),
        ("owner", explanation.owner),
        ("template", explanation.source),
        *(("", name) for name in explanation.read),
        ("state", _state(explanation)),
        *(
            ("answer", f"{answer.name} = {shown(answer.value)}    {', '.join(answer.read_in)}")
            for answer in explanation.answers
        ),
        ("change", explanation.advice),
    ]
    lines = (f"  {label:<9} {value}" for label, value in rows if value)
    return "\n".join((explanation.path, *lines))


def _state(explanation: Explanation) -> str:
    if not explanation.source:
        return "not from the template"
    return "differs from what the template makes" if explanation.edited else "as rendered"
