"""BASE and HEAD of one cluster's network, and what both must agree on to be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.posture.network.exposure import Exposures, Namespaces
from groundplan.posture.network.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.posture.model import State
    from groundplan.resources import Resource


@dataclass(frozen=True)
class Sides:
    """What is compared."""

    base: Exposures
    head: Exposures

    @classmethod
    def of(cls, base: State, head: State) -> Sides:
        """Read both sides.

        A namespace that only one side has is known by its labels to the other one too: had it been
        there, it would have had them.
        """
        before, after = Scene.of(base), Scene.of(head)
        names = {*before.namespaces, *after.namespaces}
        old, new = _labels(names, before, after), _labels(names, after, before)
        first = Namespaces(old)
        return cls(
            Exposures(before, first),
            Exposures(after, first if old == new else Namespaces(new)),
        )

    @property
    def swapped(self) -> Sides:
        """The other way round: what HEAD no longer allows."""
        return Sides(self.head, self.base)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that have policies on either side."""
        return tuple(sorted({*self.base.scene.by_namespace, *self.head.scene.by_namespace}))

    @property
    def refused(self) -> tuple[tuple[Resource, str, str], ...]:
        """The policies of either side that the API server would not take."""
        return (*self.base.scene.refused.values(), *self.head.scene.refused.values())

    def is_new(self, namespace: str) -> bool:
        """Whether nothing of a namespace was there before."""
        base, head = self.base.scene, self.head.scene
        known = namespace in base.namespaces or namespace in base.present
        return namespace in head.namespaces and not known

    def is_gone(self, namespace: str) -> bool:
        """Whether a namespace was removed with all that was in it."""
        return self.swapped.is_new(namespace)


def _labels(names: set[str], own: Scene, other: Scene) -> Mapping[str, Mapping[str, str]]:
    return {name: own.labels(name) or other.labels(name) or {} for name in sorted(names)}
