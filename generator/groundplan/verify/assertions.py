"""What must hold on a cluster once a repository is on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from groundplan.resources import Resource
    from groundplan.runners.client import Client
    from groundplan.runners.kinds import Kinds
    from groundplan.verify.questions import Question
    from groundplan.verify.record import Said


@dataclass(frozen=True, slots=True)
class Scene:
    """A cluster with one cluster's objects of a repository on it."""

    client: Client
    kinds: Kinds
    resources: tuple[Resource, ...]
    """What the repository has for this cluster, each object once."""
    kubernetes: str
    """The cluster's minor version, such as `1.37`."""
    controllers: bool
    """Whether a controller manager works there."""

    def of(self, *kinds: str) -> tuple[Resource, ...]:
        """The objects of some kinds."""
        return tuple(resource for resource in self.resources if resource.id.kind in kinds)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A question with the way to ask it; it leaves the cluster as it was."""

    question: Question
    ask: Callable[[Scene], Iterable[Said]]
