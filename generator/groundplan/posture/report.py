"""A comparison as text, JSON or Markdown: the atom, its line, who mends it, whom it affects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundplan import __version__
from groundplan.posture.catalogue import check_of
from groundplan.posture.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.comparison import Comparison, Gap, Judged

SCHEMA = "groundplan.dev/posture-diff/v1"
MARKER = "<!-- groundplan posture diff -->"
"""Lets a bot find its own comment."""
COMMENT_LIMIT = 60_000
"""Characters; GitHub takes comments of 65,536."""


def text(comparison: Comparison, *, fingerprints: bool = False) -> str:
    """Write a comparison for people."""
    lines: list[str] = []
    for judged in comparison.changes:
        lines += _lines(judged)
        lines += [f"    fingerprint: {judged.change.fingerprint}"] if fingerprints else []
    for gap in comparison.gaps:
        where = f"{gap.cluster}: " if gap.cluster else ""
        lines += [f"INCOMPARABLE  {where}{gap.subject}: {gap.reason}", f"    at {gap.location}"]
    lines += [f"UNOWNED  {line}" for line in _unowned(comparison)]
    lines += _not_evaluated(comparison)
    return "\n".join((*lines, summary(comparison))) + "\n"


def _lines(judged: Judged) -> Iterator[str]:
    """Write one change."""
    change = judged.change
    head = f"{change.verdict.upper()}  {change.dimension}  {change.subject}: {change.atom}"
    yield f"{head} ({change.detail})" if change.detail else head
    clusters = f" on {', '.join(judged.clusters)}" if judged.clusters else ""
    yield f"    at {judged.location}{clusters}"
    yield f"    fix: {judged.fix.name} ({judged.fix.because})"
    yield f"    affects: {judged.affected.name} ({judged.affected.because})"
    if judged.noted:
        yield f"    noted: this tier lets {check_of(change)} pass"


def _unowned(comparison: Comparison) -> Iterator[str]:
    """Say once of each subject that nobody owns it."""
    for subject in dict.fromkeys(str(judged.change.subject) for judged in comparison.unowned):
        yield f"{subject}: label it or its namespace groundplan.dev/owner [OWN-001]"


def _not_evaluated(comparison: Comparison) -> list[str]:
    return [f"NOT EVALUATED  {name}: {why}" for name, why in comparison.not_evaluated.items()]


def summary(comparison: Comparison) -> str:
    """Say in one line how the two sides stand to each other."""
    counts = {v: len(comparison.of(v)) for v in Verdict}
    counts[Verdict.INCOMPARABLE] += len(comparison.gaps)
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    where = ", ".join(comparison.clusters) or "no cluster"
    return f"{said or 'nothing changed'} in {', '.join(comparison.evaluated)} on {where}"


def as_json(comparison: Comparison) -> str:
    """Write a comparison for programs; fields are added, never changed."""
    return json.dumps(body(comparison), indent=2, ensure_ascii=False) + "\n"


def body(comparison: Comparison, schema: str = SCHEMA) -> dict[str, Any]:
    """Give what the JSON form of a comparison holds."""
    return {
        "schema": schema,
        "tool": {"name": "groundplan", "version": __version__},
        "clusters": list(comparison.clusters),
        "evaluated": list(comparison.evaluated),
        "notEvaluated": [
            {"dimension": name, "reason": why} for name, why in comparison.not_evaluated.items()
        ],
        "changes": [_change(judged) for judged in comparison.changes],
        "incomparable": [_gap(gap) for gap in comparison.gaps],
        "unowned": list(dict.fromkeys(str(j.change.subject) for j in comparison.unowned)),
    }


def _change(judged: Judged) -> dict[str, Any]:
    change = judged.change
    return {
        "fingerprint": change.fingerprint,
        "dimension": change.dimension,
        "verdict": change.verdict,
        "policy": check_of(change),
        "noted": judged.noted,
        "subject": str(change.subject),
        "atom": change.atom,
        "detail": change.detail,
        "clusters": list(judged.clusters),
        "path": judged.location.path,
        "line": judged.location.line,
        "pointer": judged.location.pointer,
        "fixOwner": {"name": judged.fix.name, "because": judged.fix.because},
        "affectedOwner": {"name": judged.affected.name, "because": judged.affected.because},
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "cluster": gap.cluster,
        "subject": gap.subject,
        "reason": gap.reason,
        "path": gap.location.path,
        "line": gap.location.line,
    }


def markdown(comparison: Comparison) -> str:
    """Write a comparison as the comment of a pull request."""
    lines = [MARKER, f"**Posture**: {summary(comparison)}", ""]
    rows = [_row(judged) for judged in comparison.changes]
    rows += [
        f"| incomparable | {cell(gap.subject)} | {cell(gap.reason)} | {gap.location} | | |"
        for gap in comparison.gaps
    ]
    if rows:
        lines += ["| verdict | who | what | where | fix | affects |", "|---|---|---|---|---|---|"]
    for done, row in enumerate(rows):
        if sum(map(len, lines)) > COMMENT_LIMIT:
            lines.append(f"\n{len(rows) - done} more are in the text report.")
            break
        lines.append(row)
    lines += ["", *(f"- UNOWNED  {cell(line)}" for line in _unowned(comparison))]
    lines += [f"- {line}" for line in _not_evaluated(comparison)]
    return "\n".join(lines).rstrip() + "\n"


def _row(judged: Judged) -> str:
    change = judged.change
    cells = (
        f"{change.verdict} (noted)" if judged.noted else change.verdict,
        str(change.subject),
        change.atom,
        str(judged.location),
        judged.fix.name,
        judged.affected.name,
    )
    return f"| {' | '.join(map(cell, cells))} |"


def cell(words: str) -> str:
    """Write words so that a table and GitHub's mentions leave them alone."""
    return " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;").replace("@", "@&#8203;")
