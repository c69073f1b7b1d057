"""What makes an object weak, as facts that can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Atoms = dict[str, str]
"""Facts in words, with the JSON pointer of each."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One object's facts about its posture."""

    weak: Atoms = field(default_factory=dict)
    """One more makes the object weaker, and a new object must not have it."""
    reach: Atoms = field(default_factory=dict)
    """One more makes the object weaker; a new object has some of its own."""
    guards: Atoms = field(default_factory=dict)
    """One less makes the object weaker."""
    opaque: Mapping[str, str] = field(default_factory=dict)
    """What cannot be ordered, by pointer: any difference is incomparable."""

    def gained(self, base: Facts | None) -> Iterator[tuple[str, str]]:
        """What makes it weaker than it was; a new object is compared with what is allowed."""
        old = base or Facts(reach=self.reach)
        yield from ((a, p) for a, p in self.weak.items() if a not in old.weak)
        yield from ((a, p) for a, p in self.reach.items() if a not in old.reach)
        yield from ((f"no longer: {a}", p) for a, p in old.guards.items() if a not in self.guards)

    def lost(self, base: Facts) -> Iterator[tuple[str, str]]:
        """What makes it stronger than it was."""
        yield from ((f"no longer: {a}", p) for a, p in base.weak.items() if a not in self.weak)
        yield from ((f"no longer: {a}", p) for a, p in base.reach.items() if a not in self.reach)
        yield from ((a, p) for a, p in self.guards.items() if a not in base.guards)

    def unclear(self, base: Facts) -> Iterator[tuple[str, str]]:
        """What changed in a way that nobody can order."""
        for pointer in sorted({*base.opaque, *self.opaque}):
            old, new = base.opaque.get(pointer, "nothing"), self.opaque.get(pointer, "nothing")
            if old != new:
                yield f"{pointer.rpartition('/')[2]} changed from {old} to {new}", pointer
