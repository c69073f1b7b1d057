"""Where schemas came from, and why some are not there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Provenance:
    """One component in a store and where its data was read."""

    component: str
    version: str
    source: str
    """`Go module PATH@VERSION`, an https address, or what a mirror folder says."""
    sha256: str
    """Of the component's data in canonical form, the same whichever source it came from."""
    license: str

    def as_data(self) -> dict[str, str]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Provenance:
        """The inverse of `as_data`."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a store does not have."""

    reason: str
    """One line, with what to do about it."""
    refused: bool = False
    """Whether the API server certainly has no such kind, so that the object is wrong."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A component that could not be had when a store was made."""

    component: str
    reason: str
    kinds: tuple[str, ...] = ()
    """`group/Kind` of what it would have brought."""
