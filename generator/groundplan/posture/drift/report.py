"""Drift as text, JSON or Markdown: what the comparison says, and what was agreed to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundplan.posture import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.drift.approvals import Approval
    from groundplan.posture.drift.judging import Approved, Drift

SCHEMA = "groundplan.dev/posture-drift/v1"


def text(drift: Drift) -> str:
    """Write drift for people; the fingerprint is what an approval names."""
    return report.text(drift.comparison, fingerprints=True) + "".join(
        f"{line}\n" for line in _notes(drift)
    )


def markdown(drift: Drift) -> str:
    """Write drift as a comment."""
    notes = [f"- {report.cell(line)}" for line in _notes(drift)]
    return "\n".join([report.markdown(drift.comparison), *notes]).rstrip() + "\n"


def _notes(drift: Drift) -> Iterator[str]:
    for one in drift.approved:
        yield f"APPROVED  {one.judged.change.subject}: {one.judged.change.atom} ({_by(one)})"
    for approval in drift.unused:
        yield f"UNUSED  {approval.location}: approval {approval.fingerprint} has ended or is idle"
    for fault in drift.faults:
        yield f"NOT AN APPROVAL  {fault.location}: {fault.message}"
    for path in drift.pending:
        yield f"PENDING  {path}: differs from what was agreed to, and counts once it is merged"
    for kind, why in drift.unread.items():
        yield f"NOT EVALUATED  {kind}: {why}"
    for whom, number in drift.belongs.items():
        yield f"{number} objects belong to {whom}"


def _by(one: Approved) -> str:
    approval = one.approval
    where = f" on {', '.join(one.judged.clusters)}" if one.judged.clusters else ""
    return f"{approval.approver}, {approval.ticket}, until {approval.expires}{where}"


def as_json(drift: Drift) -> str:
    """Write drift for programs; fields are added, never changed."""
    body: dict[str, Any] = report.body(drift.comparison, SCHEMA) | {
        "approved": [
            {
                "fingerprint": one.approval.fingerprint,
                "subject": str(one.judged.change.subject),
                "atom": one.judged.change.atom,
                "clusters": list(one.judged.clusters),
                "owner": one.approval.owner,
                "approver": one.approval.approver,
                "ticket": one.approval.ticket,
                "expires": one.approval.expires.isoformat(),
            }
            for one in drift.approved
        ],
        "unused": [_unused(approval) for approval in drift.unused],
        "faults": [{"where": str(f.location), "message": f.message} for f in drift.faults],
        "pending": list(drift.pending),
        "belongs": dict(drift.belongs),
        "unread": [{"kind": kind, "reason": why} for kind, why in drift.unread.items()],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _unused(approval: Approval) -> dict[str, str]:
    return {
        "fingerprint": approval.fingerprint,
        "expires": approval.expires.isoformat(),
        "where": str(approval.location),
    }
