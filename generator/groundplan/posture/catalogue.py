"""What a comparison can find, by id: the policies about two revisions, and what is no policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.model import Dimension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.posture.model import Change


class Entry(NamedTuple):
    """One kind of finding."""

    title: str
    owner: str
    """Who mends it where nobody is named: `platform`, or the `team` whose software it is."""
    noted: tuple[str, ...] = ()
    """The tiers that only take note of it."""


ESCALATION, PILED, STRAY, UNREAD = "RBAC-015", "EXC-005", "RUN-003", "RUN-004"
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
    "RBAC-014": Entry("Nobody may do more than before", "team"),
    ESCALATION: Entry("Nobody can become more than before", "platform", ("small",)),
    "NET-007": Entry("Nothing reaches more than before", "team"),
    "NET-009": Entry("Nothing is published that was not", "team", ("small",)),
    "POD-009": Entry("Workloads keep the level that they reached", "team"),
    "ADM-003": Entry("No guard lets more through than before", "platform"),
    "ID-001": Entry("Who acts in a cloud says what for", "team", ("small",)),
    "GIT-005": Entry("The engine applies no more than before", "platform"),
    PILED: Entry("Exceptions do not pile up unseen", "platform", ("small", "growing")),
    UNOWNED: Entry("Every namespace has an owner", "platform"),
    AGREED: Entry("Exceptions are owned, agreed to and bounded", "team"),
    STRAY: Entry("What runs is in git", "platform"),
    UNREAD: Entry("Every kind can be read", "platform"),
    UNKNOWN: Entry("Everything can be compared", "platform"),
}
"""In the order of a report. Policies are called as in `blueprints/policies/`; comparing needs no
template, so they are named here too, and a test keeps the two alike."""


def check_of(change: Change) -> str:
    """The id that a change is reported under."""
    return change.policy or OF_DIMENSION[change.dimension]


def tier_of(answers: Mapping[str, object] | None) -> str:
    """The tier that a repository's answers name; without any it is judged as `growing`."""
    return str((answers or {}).get("tier", "growing"))
