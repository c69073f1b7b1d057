"""What an exception says, and how two of them relate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from groundplan.findings import Location
    from groundplan.resources import ResourceId

FOLDER = "posture/exceptions"
KIND = "PostureException"
POLICY_KINDS = frozenset({"ValidatingAdmissionPolicy", "ValidatingPolicy"})
"""The objects that policies are rendered as, of the API server and of Kyverno."""
PREREQUISITE = "prerequisite/"
"""Begins the ids of practices that an organisation does without; no object breaks them."""

MAX_DAYS: Mapping[str, int] = {"critical": 30, "high": 90, "medium": 180, "low": 180}
"""The longest life of an exception in days, by the severity of its policy."""
WARN_DAYS = 14
"""How long before its end an exception is called expiring."""
MANY_OBJECTS = 20
"""An exception that covers more than this says too little about what it is for."""
MANY_RENEWALS = 2
"""An exception that was put off this often is a rule that nobody wrote down."""


class State(StrEnum):
    """What is to be said of an exception; several may hold at once."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    ENDLESS = "endless"
    """No end, or one that is further away than the policy's severity allows."""
    UNOWNED = "unowned"
    SELF_APPROVED = "self-approved"
    OVER_BROAD = "over-broad"
    INERT = "inert"
    """It covers nothing that there is."""
    SHADOWED = "shadowed"
    """Another exception covers all that this one does."""
    RENEWED = "renewed"


FAILING = frozenset({State.EXPIRED, State.UNOWNED})
"""What ends `groundplan posture exceptions` with exit code 5."""


def policy_id(name: str) -> str:
    """The id of a policy by the name of its object, such as `POD-004` of `pod-004.example.org`."""
    return name.partition(".")[0].upper()


@dataclass(frozen=True, slots=True)
class Scope:
    """What an exception is about; a part that is left out means all of it."""

    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def has(self, cluster: str, resource: ResourceId) -> bool:
        """Whether an object lies inside."""
        asked = (
            (self.clusters, cluster),
            (self.namespaces, resource.namespace),
            (self.kinds, resource.kind),
            (self.names, resource.name),
        )
        return all(not allowed or value in allowed for allowed, value in asked)

    def within(self, other: Scope) -> bool:
        """Whether everything here lies inside another scope."""
        pairs = (
            (self.clusters, other.clusters),
            (self.namespaces, other.namespaces),
            (self.kinds, other.kinds),
            (self.names, other.names),
        )
        return all(not outer or (inner and set(inner) <= set(outer)) for inner, outer in pairs)

    def __str__(self) -> str:
        parts = (self.clusters, self.namespaces, self.kinds, self.names)
        return " ".join(",".join(sorted(part)) or "*" for part in parts)


@dataclass(frozen=True, slots=True)
class PostureException:
    """One exception, as its file has it; what the file does not say is empty."""

    name: str
    policies: tuple[str, ...]
    scope: Scope
    owner: str
    """Who must remove it."""
    approver: str
    """Who accepted it."""
    reason: str
    ticket: str
    created: date | None
    expires: date | None
    location: Location
    suppresses: str = ""
    """What it is when it is no exception file but a word to a scanner or to an engine."""

    @property
    def lacks_practice(self) -> bool:
        """Whether it accepts that the organisation lacks something, instead of sparing objects."""
        return all(policy.startswith(PREREQUISITE) for policy in self.policies)

    @property
    def keys(self) -> frozenset[str]:
        """What it is an exception from, whatever it is called and wherever it lies."""
        return frozenset(f"{policy} {self.scope}" for policy in self.policies)


@dataclass(frozen=True, slots=True)
class Age:
    """What git remembers of an exception."""

    first: date
    """Of the commit that first had it."""
    renewals: int
    """How often its end was put off."""
