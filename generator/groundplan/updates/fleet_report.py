"""A fleet as text, JSON, or one HTML page that needs nothing else."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from groundplan import __version__
from groundplan.updates.standing import State

if TYPE_CHECKING:
    from groundplan.updates.fleet import Result

SCHEMA = "groundplan.dev/fleet/v1"
COLUMNS = ("repository", "ring", "tier", "engine", "version", "drift", "conflicts", "state")

_STYLE = """\
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .35rem .8rem; border-bottom: 1px solid #ccc; }
.behind { background: #fff6dd; } .conflicts, .refused { background: #ffe3e0; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b; } th, td { border-color: #444; }
  .behind { background: #4a3c10; } .conflicts, .refused { background: #5a1f1a; }
}"""


def row(result: Result) -> tuple[str, ...]:
    """What there is to say about one repository, in the order of `COLUMNS`."""
    status, member = result.status, result.member
    if status is None:
        return (member.name, member.ring, "", "", "", "", "", state(result))
    drift = sum(len(status.of(s)) for s in (State.EDITED, State.BOTH, State.MISSING))
    update = result.update
    conflicts = update.proposal.merged.conflicts if update else status.conflicts
    version = f"{status.version} -> {update.proposal.version}" if update else status.version
    facts = (status.tier, status.engine, version, str(drift), str(len(conflicts)))
    return (member.name, member.ring, *facts, state(result))


def state(result: Result) -> str:
    """How a repository stands, in a word; with the reason when it was refused."""
    if result.error or result.status is None:
        return f"refused: {result.error}"
    if result.update:
        if result.update.proposal.merged.conflicts:
            return "conflicts"
        return "updated" if result.update.written else "would be updated"
    if result.status.conflicts:
        return "conflicts"
    return f"behind {result.status.newest}" if result.status.behind else "current"


def text(results: tuple[Result, ...]) -> str:
    """Write a table for people."""
    rows = [COLUMNS, *map(row, results)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(COLUMNS) - 1)]
    lines = []
    for cells in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
        lines.append("  ".join((*padded, cells[-1])))
    return "\n".join(lines) + "\n"


def as_json(results: tuple[Result, ...]) -> str:
    """Write a fleet for programs; fields are added, never changed."""
    body = {
        "schema": SCHEMA,
        "tool": {"name": "groundplan", "version": __version__},
        "repositories": [_member(result) for result in results],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _member(result: Result) -> dict[str, Any]:
    status, update = result.status, result.update
    said: dict[str, Any] = {
        "name": result.member.name,
        "path": str(result.member.root),
        "ring": result.member.ring,
        "state": state(result).partition(" ")[0].rstrip(":"),
        "exitCode": int(result.code),
    }
    if result.error:
        said["error"] = {"id": result.error.id, "message": str(result.error)}
    if status:
        said |= {
            "version": status.version,
            "newest": status.newest,
            "behind": status.behind,
            "tier": status.tier,
            "engine": status.engine,
            "drift": {s.value: len(status.of(s)) for s in State},
        }
    conflicts = update.proposal.merged.conflicts if update else status.conflicts if status else ()
    said["conflicts"] = [
        {"path": c.path, "line": c.line, "cause": c.cause, "owner": c.owner} for c in conflicts
    ]
    if update:
        said |= {"to": update.proposal.version, "written": update.written}
    return said


def page(results: tuple[Result, ...]) -> str:
    """Write one HTML page: nothing is loaded from elsewhere, and nothing in it is executed."""
    heads = "".join(f"<th>{name}</th>" for name in COLUMNS)
    rows = "\n".join(_row(result) for result in results)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Platforms</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>{len(results)} platforms</h1>\n<table>\n<tr>{heads}</tr>\n{rows}\n</table>\n"
        f"<p>groundplan {__version__}</p>\n</body>\n</html>\n"
    )


def _row(result: Result) -> str:
    kind = state(result).partition(" ")[0].rstrip(":")
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row(result))
    return f'<tr class="{kind}">{cells}</tr>'
