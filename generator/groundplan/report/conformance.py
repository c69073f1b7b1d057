"""What a repository shows of AI conformance: for people, programs and pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundplan.conformance import Checked, Checklist, Row
    from groundplan.findings import Finding

FORMATS = ("text", "json", "markdown")
_COLUMNS = (
    "requirement",
    "level",
    "here",
    "declared by",
    "checked",
    "proof, not run here",
    "left to the provider",
)
_NOT_RUN = "not run by this report"


def render(checklist: Checklist, rows: Sequence[Row], form: str) -> str:
    """Write the rows in one of the formats."""
    if form == "json":
        return _json(checklist, rows)
    lines = _markdown(checklist, rows) if form == "markdown" else _text(checklist, rows)
    return "\n".join(lines) + "\n"


def _text(checklist: Checklist, rows: Sequence[Row]) -> Iterator[str]:
    yield f"Kubernetes AI Conformance {checklist.kubernetes}: what this repository declares"
    for row in rows:
        one = row.requirement
        yield ""
        yield f"{one.level.upper():<7} {one.id}: {row.verdict}"
        yield f"        {one.title}."
        yield from (f"        declares  {line}" for line in _found(row))
        if row.found:
            yield from (f"        checked   {said(checked)}" for checked in row.checked)
            yield from (f"        wrong     {_fault(fault)}" for fault in row.faults)
        if row.found and one.proof:
            yield f"        proof     {one.proof.replace('`', '')} ({_NOT_RUN})"
        yield f"        provider  {one.provider}"
    yield ""
    yield total(rows)
    yield "This is not a certificate: conformance is the provider's to show, on the cluster itself."


def _found(row: Row, most: int = 4) -> list[str]:
    names = [f"{one.kind} {one.name}" for one in row.found]
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return names[:most] + more


def said(checked: Checked) -> str:
    """What a check found, in words; what nobody looked at is never passed."""
    parts = [f"{checked.evaluated - min(checked.wrong, checked.evaluated)} passed"]
    parts += [f"{checked.wrong} wrong"] if checked.wrong else []
    parts += [f"{checked.unseen} not evaluated"] if checked.unseen else []
    nothing = not checked.evaluated and not checked.unseen
    return f"{checked.id} {'had nothing to look at' if nothing else ', '.join(parts)}"


def _fault(fault: Finding) -> str:
    return f"{fault.location} {fault.check_id} {fault.message}"


def total(rows: Sequence[Row]) -> str:
    """How many requirements of each level have which verdict."""
    counts = []
    for level in ("must", "should"):
        of_level = [row.verdict for row in rows if row.requirement.level == level]
        each = ", ".join(
            f"{of_level.count(verdict)} {verdict}" for verdict in dict.fromkeys(sorted(of_level))
        )
        counts.append(f"{len(of_level)} {level.upper()}: {each}")
    return "; ".join(counts)


def _markdown(checklist: Checklist, rows: Sequence[Row]) -> Iterator[str]:
    yield f"Checklist of Kubernetes {checklist.kubernetes}; {total(rows)}."
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|---" * len(_COLUMNS) + "|"
    for row in rows:
        one = row.requirement
        checked = "; ".join([*map(said, row.checked), *map(_fault, row.faults)])
        cells = (
            f"`{one.id}`: {one.title}",
            one.level.upper(),
            row.verdict,
            ", ".join(_found(row)),
            checked if row.found else "",
            one.proof if row.found else "",
            one.provider,
        )
        yield f"| {' | '.join(cells)} |"


def _json(checklist: Checklist, rows: Sequence[Row]) -> str:
    shown = {
        "checklist": {"kubernetes": checklist.kubernetes, "source": checklist.source},
        "requirements": [
            {
                "id": row.requirement.id,
                "level": row.requirement.level,
                "title": row.requirement.title,
                "verdict": row.verdict,
                "declared": [str(one) for one in row.found],
                "checks": [
                    {
                        "id": checked.id,
                        "evaluated": checked.evaluated,
                        "wrong": checked.wrong,
                        "not_evaluated": checked.unseen,
                    }
                    for checked in row.checked
                ],
                "wrong": [_fault(fault) for fault in row.faults],
                "proof": {"how": row.requirement.proof, "run": False},
                "provider": row.requirement.provider,
            }
            for row in rows
        ],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
