"""What every dimension of the posture comparison speaks in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundplan.resources import Origin, Resource, ResourceId


class Verdict(StrEnum):
    """How what the new revision allows relates to what the old one allowed."""

    WIDENED = "widened"
    NARROWED = "narrowed"
    EQUAL = "equal"
    INCOMPARABLE = "incomparable"
    """Something that is not modelled touches the subject. Fails a gate, as WIDENED does."""


class Dimension(StrEnum):
    """What kind of permission a change is about."""

    RBAC = "rbac"
    NETWORK = "network"
    POD_SECURITY = "pod-security"
    ADMISSION = "admission"
    IDENTITY = "identity"
    GITOPS = "gitops"


@dataclass(frozen=True, slots=True)
class State:
    """All objects of one cluster at one revision."""

    cluster: str
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that one subject may do now and could not before, or the reverse."""

    dimension: Dimension
    verdict: Verdict
    atom: str
    """Who may now do what, where: a full sentence in plain words."""
    subject: ResourceId
    origin: Origin | None
    """The object that causes it in the new revision; in the old one when it is gone there."""
    pointer: str
    """JSON pointer to the cause inside that object. Empty for the whole object."""
    detail: str
    """Through which objects, and how sure. May name files and change without meaning change."""
    gone: bool = False
    """Whether the place is in the old revision, because the new one has nothing there."""
    policy: str = ""
    """The policy that it breaks, where that is not the one of its dimension."""

    @property
    def fingerprint(self) -> str:
        """Identity of the change that survives moved files, reordered lists and reformatting."""
        parts = (self.dimension, self.verdict, *self.subject.key, self.atom)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
