"""What Argo CD makes of the objects that an Application applies: their namespace, their order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from groundplan.gitops.argo_scope import in_namespace
from groundplan.gitops.scene import dig
from groundplan.kustomize.items import Gvk
from groundplan.kustomize.order import kind_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundplan.gitops.scene import Scene
    from groundplan.resources import Resource

WAVE = "argocd.argoproj.io/sync-wave"


@dataclass(frozen=True)
class Placed:
    """Some objects in the namespace of an Application."""

    resources: tuple[Resource, ...]
    """In the order in which they are written or built."""

    @cached_property
    def synced(self) -> tuple[Resource, ...]:
        """In the order in which Argo CD applies them."""
        return tuple(sorted(self.resources, key=_sync_order))


class Placing:
    """Places objects of one repository; a folder that several Applications apply, once."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._folders: dict[tuple[str, str], Placed] = {}

    def folder(self, path: str, namespace: str, built: Iterable[Resource]) -> Placed:
        """What the kustomization of a folder builds."""
        place = (path, namespace)
        if place not in self._folders:
            self._folders[place] = self.objects(built, namespace)
        return self._folders[place]

    def objects(self, resources: Iterable[Resource], namespace: str) -> Placed:
        """Any other objects."""
        return Placed(tuple(in_namespace(r, namespace, self.scene) for r in resources))


def synced(parts: Sequence[Placed]) -> tuple[Resource, ...]:
    """All objects of an Application, in the order in which Argo CD applies them."""
    if len(parts) == 1:
        return parts[0].synced
    return Placed(tuple(resource for part in parts for resource in part.resources)).synced


def wave(resource: Resource) -> int:
    """The step of a sync in which Argo CD applies an object."""
    try:
        return int(str(dig(resource.body, "metadata", "annotations", WAVE, default="0")))
    except ValueError:
        return 0


def _sync_order(resource: Resource) -> tuple[int, tuple[int, str], str, str]:
    identity = resource.id
    gvk = Gvk(identity.group, identity.version, identity.kind)
    return wave(resource), kind_order(gvk), identity.namespace, identity.name
