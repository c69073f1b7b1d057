"""What is allowed now beyond what was agreed to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from groundplan.errors import ExitCode
from groundplan.posture.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from groundplan.posture.comparison import Comparison, Judged
    from groundplan.posture.drift.approvals import Approval
    from groundplan.posture.exceptions.reading import Fault

GATED = (Verdict.WIDENED, Verdict.INCOMPARABLE)
"""What needs to be agreed to."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A change that somebody agreed to, and where."""

    judged: Judged
    approval: Approval


@dataclass(frozen=True, slots=True)
class Drift:
    """How a state stands to what was agreed to."""

    comparison: Comparison
    """Without what is approved."""
    approved: tuple[Approved, ...] = ()
    unused: tuple[Approval, ...] = ()
    """Approvals that have ended, or that nothing needs."""
    faults: tuple[Fault, ...] = ()
    """What is no approval as it is written."""
    pending: tuple[str, ...] = ()
    """Files that decide what is drift and that the change itself edits; they count once merged."""
    belongs: Mapping[str, int] = field(default_factory=dict)
    """How many objects on the cluster belong to whom besides git."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Kinds that could not be read on the cluster, and why: nothing is known of them."""

    @property
    def exit_code(self) -> ExitCode:
        """Drift comes first, then what nobody can say, then approvals that are none."""
        if self.comparison.refused:
            return ExitCode.FINDINGS
        if self.comparison.incomparable or self.unread:
            return ExitCode.NOT_EVALUATED
        return ExitCode.EXCEPTION if self.faults else ExitCode.CLEAN


def judge(comparison: Comparison, approvals: Sequence[Approval], today: date) -> Drift:
    """Take out of a comparison what is approved, cluster by cluster."""
    left: list[Judged] = []
    approved: list[Approved] = []
    for judged in comparison.changes:
        if judged.change.verdict not in GATED:
            left.append(judged)
            continue
        by_cluster = {
            cluster: next(
                (a for a in approvals if a.covers(judged.change.fingerprint, cluster, today)), None
            )
            for cluster in judged.clusters or ("",)
        }
        for approval in dict.fromkeys(one for one in by_cluster.values() if one):
            where = tuple(name for name, one in by_cluster.items() if name and one is approval)
            approved.append(Approved(replace(judged, clusters=where), approval))
        if not all(by_cluster.values()):
            where = tuple(name for name, one in by_cluster.items() if name and one is None)
            left.append(replace(judged, clusters=where))
    used = {one.approval for one in approved}
    unused = tuple(approval for approval in approvals if approval not in used)
    return Drift(replace(comparison, changes=tuple(left)), tuple(approved), unused)
