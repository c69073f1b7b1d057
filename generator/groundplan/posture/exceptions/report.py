"""The exceptions of a repository as a table and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from groundplan.posture.exceptions.reading import Fault
    from groundplan.posture.exceptions.states import Standing

SCHEMA = "groundplan.dev/posture-exceptions/v1"


def text(standings: Sequence[Standing], faults: Sequence[Fault], today: date) -> str:
    """Write the exceptions for people, what must be mended first."""
    lines = [f"UNREADABLE  {fault.location}: {fault.message}" for fault in faults]
    for standing in sorted(standings, key=lambda s: (not s.failing, s.exception.name)):
        lines += _lines(standing, today)
    failing = sum(standing.failing for standing in standings)
    said = f"{len(standings)} exceptions, {failing} expired or without an owner"
    return "\n".join((*lines, said if standings else "no exceptions")) + "\n"


def _lines(standing: Standing, today: date) -> list[str]:
    exception = standing.exception
    words = ", ".join(standing.states)
    until = f"until {exception.expires}" if exception.expires else "without an end"
    who = exception.owner or "nobody"
    agreed = f", agreed to by {exception.approver}" if exception.approver else ""
    lines = [
        f"{words.upper()}  {exception.name}: {', '.join(exception.policies)} {until}",
        f"    at {exception.location}, owned by {who}{agreed}",
    ]
    if standing.age:
        days = (today - standing.age.first).days
        lines.append(f"    {days} days old, put off {standing.age.renewals} times")
    if exception.reason:
        lines.append(f"    because {exception.reason}")
    return lines


def as_json(standings: Sequence[Standing], faults: Sequence[Fault], today: date) -> str:
    """Write the exceptions for programs; fields are added, never changed."""
    body = {
        "schema": SCHEMA,
        "today": today.isoformat(),
        "exceptions": [_fields(standing, today) for standing in standings],
        "unreadable": [
            {"path": f.location.path, "line": f.location.line, "message": f.message} for f in faults
        ],
    }
    return json.dumps(body, indent=2) + "\n"


def _fields(standing: Standing, today: date) -> dict[str, object]:
    exception = standing.exception
    return {
        "name": exception.name,
        "states": [str(state) for state in standing.states],
        "policies": list(exception.policies),
        "owner": exception.owner,
        "approver": exception.approver,
        "reason": exception.reason,
        "ticket": exception.ticket,
        "expires": exception.expires.isoformat() if exception.expires else None,
        "ageDays": (today - standing.age.first).days if standing.age else None,
        "renewals": standing.age.renewals if standing.age else None,
        "objects": standing.objects,
        "suppresses": exception.suppresses,
        "path": exception.location.path,
        "line": exception.location.line,
    }
