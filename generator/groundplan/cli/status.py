"""`groundplan status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from groundplan.cli import changing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundplan.updates.standing import Status


@click.command("status", short_help="Say which files were edited, and what an update would touch.")
@changing.repository
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@click.option("--exit-code", "tell", is_flag=True, help="End with 7 when it is behind or drifted.")
def command(root: Path, form: str, tell: bool) -> int:
    """Say how a repository stands to its template: edited, behind, missing, left to decide.

    Compares contents by hash. The template is rendered only when these answers were never rendered
    here before, as in a fresh clone.
    """
    from groundplan.errors import ExitCode
    from groundplan.updates.standing import status

    found = status(*changing.start(root))
    click.echo(_json(found) if form == "json" else "\n".join(_lines(root, found)))
    if found.conflicts:
        return ExitCode.CONFLICTS
    return ExitCode.CHANGES if tell and (found.behind or found.drifted) else ExitCode.CLEAN


def _lines(root: Path, found: Status) -> Iterator[str]:
    from groundplan.updates.standing import State

    behind = f"; {found.newest} is out" if found.behind else ", the newest"
    yield f"{root.resolve().name}: {found.tier} for {found.engine} at {found.version}{behind}"
    counts = [(state, found.of(state)) for state in State]
    said = [f"{len(files)} {state}" for state, files in counts if files]
    yield f"files       {', '.join([*said, f'{found.own} of your own'])}"
    for state, files in counts:
        if state not in (State.UNCHANGED, State.UPSTREAM):
            for standing in files:
                yield f"  {state:<9} {standing.path}"
    for conflict in found.conflicts:
        place = f"{conflict.path}:{conflict.line}"
        yield f"CONFLICT    {place} ({conflict.cause}), for {conflict.owner}"
    if found.behind:
        yield "see `groundplan update --plan`"


def _json(found: Status) -> str:
    import json

    body: dict[str, Any] = {
        "schema": "groundplan.dev/status/v1",
        "version": found.version,
        "newest": found.newest,
        "behind": found.behind,
        "drifted": found.drifted,
        "tier": found.tier,
        "engine": found.engine,
        "files": {f.path: {"state": f.state, "class": f.owner} for f in found.files},
        "own": found.own,
        "conflicts": [
            {"path": c.path, "line": c.line, "cause": c.cause, "owner": c.owner}
            for c in found.conflicts
        ],
    }
    return json.dumps(body, indent=2, ensure_ascii=False)
