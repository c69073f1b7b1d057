"""What a comparison can find: the id, the title and the default owner of each kind of finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.model import UNMANAGED, Dimension

if TYPE_CHECKING:
    from groundplan.posture.model import Change


class Entry(NamedTuple):
    """One kind of finding."""

    title: str
    owner: str
    """Who mends it where nobody is named: `platform`, or the `team` whose software it is."""


ESCALATION, STRAY, UNREAD = "RBAC-015", "RUN-003", "RUN-004"
UNKNOWN, UNOWNED, AGREED = "DIFF-001", "OWN-001", "EXC-001"
OF_DIMENSION = {
    Dimension.RBAC: "RBAC-014",
    Dimension.NETWORK: "NET-007",
    Dimension.POD_SECURITY: "POD-009",
    Dimension.ADMISSION: "ADM-003",
    Dimension.IDENTITY: "ID-001",
    Dimension.GITOPS: "GIT-005",
}
ENTRIES = {
    "RBAC-014": Entry("Nobody may do more than was agreed", "platform"),
    ESCALATION: Entry("Nobody can come to more by becoming somebody else", "platform"),
    "NET-007": Entry("Nothing reaches more than was agreed", "team"),
    "POD-009": Entry("No pod may do more to its node", "team"),
    "ADM-003": Entry("No admission policy became weaker", "platform"),
    "ID-001": Entry("Nobody got more of a cloud", "team"),
    "GIT-005": Entry("No guard of the GitOps engine became weaker", "platform"),
    STRAY: Entry("What runs is in git", "platform"),
    UNREAD: Entry("Every kind can be read", "platform"),
    UNKNOWN: Entry("Everything can be compared", "platform"),
    UNOWNED: Entry("Whoever has to mend it is named", "platform"),
    AGREED: Entry("Exceptions and approvals say who, why and until when", "platform"),
}
"""By id, in the order of a report."""


def check_of(change: Change) -> str:
    """The id that a change is reported under."""
    if change.atom == UNMANAGED:
        return STRAY
    above = change.dimension is Dimension.RBAC and change.detail.startswith("level 1")
    return ESCALATION if above else OF_DIMENSION[change.dimension]
