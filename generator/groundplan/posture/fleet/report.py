"""A fleet's posture as a table, CSV, JSON, one HTML page and Prometheus text."""

from __future__ import annotations

import csv
import html
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from groundplan import __version__
from groundplan.findings import Severity
from groundplan.posture.exceptions.model import State
from groundplan.posture.fleet.surveying import BUCKETS
from groundplan.posture.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from groundplan.posture.fleet.surveying import Row

SCHEMA = "groundplan.dev/posture-fleet/v1"
_AGES = {30: "0-30", 90: "31-90", 180: "91-180", None: ">180"}
_FORMULA = ("=", "+", "-", "@")
_STYLE = """\
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .35rem .8rem; border-bottom: 1px solid #ccc; }
.bad { background: #ffe3e0; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b; } th, td { border-color: #444; }
  .bad { background: #5a1f1a; }
}"""


def cells(row: Row, today: date) -> dict[str, Any]:
    """What there is to say about one cluster, by column; None is unknown."""
    known = row.error is None
    ages = row.ages(today)
    said: dict[str, Any] = {
        "repository": row.repository,
        "cluster": row.cluster,
        "tier": row.tier,
        "engine": str(row.engine),
        **{str(s): row.findings(s) if known else None for s in reversed(Severity)},
        "drift": row.drifted(Verdict.WIDENED),
        "incomparable": row.drifted(Verdict.INCOMPARABLE),
        "exceptions": len(row.standings) if known else None,
        "expired": row.exceptions(State.EXPIRED) if known else None,
        "unowned": row.exceptions(State.UNOWNED) if known else None,
        **{f"{words} days": ages[end] if known else None for end, words in _AGES.items()},
        "coverage %": round(100 * row.coverage) if known else None,
        "scanned": today.isoformat(),
        "error": str(row.error or ""),
    }
    return said


def _grid(rows: tuple[Row, ...], today: date) -> Iterator[list[str]]:
    found = [cells(row, today) for row in rows]
    yield list(found[0]) if found else ["repository"]
    for said in found:
        yield ["" if value is None else str(value) for value in said.values()]


def text(rows: tuple[Row, ...], today: date) -> str:
    """Write a table; a dash is something that nobody knows."""
    grid = [[cell or "-" for cell in line] for line in _grid(rows, today)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in grid
    )
    return "\n".join(lines) + "\n"


def as_csv(rows: tuple[Row, ...], today: date) -> str:
    """Write a table for a spreadsheet, in which no cell is taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for line in _grid(rows, today):
        writer.writerow(
            [f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in line]
        )
    return out.getvalue()


def as_json(rows: tuple[Row, ...], today: date) -> str:
    """Write a fleet for programs; fields are added, never changed."""
    body = {
        "schema": SCHEMA,
        "tool": {"name": "groundplan", "version": __version__},
        "clusters": [
            cells(row, today)
            | {
                "findings": [
                    {
                        "policy": f.check_id,
                        "severity": str(f.severity),
                        "message": f.message,
                        "path": f.location.path,
                        "line": f.location.line,
                        "fixOwner": f.fix_owner,
                        "affectedOwner": f.affected_owner,
                    }
                    for f in (row.report.findings if row.report else ())
                ]
            }
            for row in rows
        ],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def page(rows: tuple[Row, ...], today: date) -> str:
    """Write one HTML page: nothing is loaded from elsewhere, and nothing in it is executed."""
    heads, *lines = _grid(rows, today)
    top = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    body = "\n".join(
        f'<tr class="{"bad" if row.code(Severity.HIGH) else "good"}">'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in line)
        + "</tr>"
        for row, line in zip(rows, lines, strict=True)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Posture</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>Posture of {len(rows)} clusters</h1>\n<table>\n<tr>{top}</tr>\n{body}\n</table>\n"
        f"<p>groundplan {__version__}</p>\n</body>\n</html>\n"
    )


def prometheus(rows: tuple[Row, ...], today: date, now: float) -> str:
    """Write metrics in the text format of Prometheus.

    Args:
        rows: The clusters. One that could not be read has no scan time, so that alerts see it.
        today: The day by which ages are counted.
        now: When this was found, in seconds since 1970.
    """
    known = [row for row in rows if row.error is None]
    lines: list[str] = []
    found: Counter[tuple[tuple[str, str], ...]] = Counter()
    for row in known:
        for f in row.report.findings if row.report else ():
            dimension = f.check_id.partition("-")[0].lower()
            more = {"owner": f.fix_owner, "severity": str(f.severity), "dimension": dimension}
            found[tuple((_where(row) | more).items())] += 1
        for judged in row.drift.comparison.refused if row.drift else ():
            if not judged.clusters or row.cluster in judged.clusters:
                dimension = str(judged.change.dimension)
                more = {"owner": judged.fix.name, "severity": "drift", "dimension": dimension}
                found[tuple((_where(row) | more).items())] += 1
    _family(lines, "posture_findings", "gauge", ((dict(k), n) for k, n in sorted(found.items())))
    states: Counter[tuple[tuple[str, str], ...]] = Counter()
    for row in known:
        for one in row.standings:
            for state in one.states:
                more = {"state": str(state), "owner": one.exception.owner}
                states[tuple((_where(row) | more).items())] += 1
    _family(lines, "posture_exceptions", "gauge", ((dict(k), n) for k, n in sorted(states.items())))
    unclear = (
        (_where(row), number)
        for row in known
        if (number := row.drifted(Verdict.INCOMPARABLE)) is not None
    )
    _family(lines, "posture_incomparable", "gauge", unclear)
    stamps = ((_where(row), int(now)) for row in known)
    _family(lines, "posture_scan_timestamp_seconds", "gauge", stamps)
    _histogram(lines, known, today)
    return "\n".join(lines) + "\n"


def _where(row: Row) -> dict[str, str]:
    return {"repository": row.repository, "cluster": row.cluster}


def _family(
    lines: list[str], name: str, kind: str, samples: Iterable[tuple[Mapping[str, str], int]]
) -> None:
    lines.append(f"# TYPE {name} {kind}")
    lines += [f"{name}{_labels(labels)} {value}" for labels, value in samples]


def _histogram(lines: list[str], rows: Iterable[Row], today: date) -> None:
    name = "posture_exception_age_days"
    lines.append(f"# TYPE {name} histogram")
    for row in rows:
        days = [(today - one.age.first).days for one in row.standings if one.age]
        for end in BUCKETS:
            labels = _labels(_where(row) | {"le": str(end)})
            lines.append(f"{name}_bucket{labels} {sum(age <= end for age in days)}")
        lines.append(f"{name}_bucket{_labels(_where(row) | {'le': '+Inf'})} {len(days)}")
        lines.append(f"{name}_sum{_labels(_where(row))} {sum(days)}")
        lines.append(f"{name}_count{_labels(_where(row))} {len(days)}")


def _labels(labels: Mapping[str, str]) -> str:
    def quoted(words: str) -> str:
        return words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{key}="{quoted(words)}"' for key, words in labels.items()) + "}"
