"""What in a change of a repository could cost data, or cannot be applied, on each cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.comparison import Side
    from groundplan.resources import Resource


class Danger(StrEnum):
    """What kind of harm."""

    DATA_LOSS = "data-loss"
    IMMUTABLE = "immutable"
    """The API server refuses the change; the object has to be deleted and made anew."""
    DEFINITION = "definition"
    """With a definition every object of its kind goes."""
    NAMESPACE = "namespace"
    """With a namespace everything in it goes."""
    RELEASE = "release"
    """A chart's objects go with its release."""


class Fate(StrEnum):
    """What the engine does with an object that is no longer in the repository."""

    PRUNED = "pruned"
    ORPHANED = "orphaned"
    """It stays on the cluster, and nobody looks after it."""


@dataclass(frozen=True, slots=True)
class Risk:
    """One object that deserves a look before the update is merged."""

    danger: Danger
    cluster: str
    subject: str
    path: str
    message: str
    fate: Fate | None = None


REMOVED = {
    "Namespace": (Danger.NAMESPACE, "everything in it goes with it"),
    "CustomResourceDefinition": (Danger.DEFINITION, "every object of its kind goes with it"),
    "PersistentVolumeClaim": (Danger.DATA_LOSS, "its volume may be deleted with it"),
    "PersistentVolume": (Danger.DATA_LOSS, "nothing points to its data any more"),
    "StatefulSet": (Danger.DATA_LOSS, "its volumes lose their user; some policies delete them"),
    "StorageClass": (Danger.DATA_LOSS, "its volumes can no longer be grown or restored"),
    "HelmRelease": (Danger.RELEASE, "the chart is uninstalled, with what it made"),
    "Application": (Danger.RELEASE, "what it applied may be deleted with it"),
    "ApplicationSet": (Danger.RELEASE, "its Applications go with it"),
}
"""Kinds whose removal costs more than the object."""

IMMUTABLE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "StatefulSet": (
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "volumeClaimTemplates"),
        ("spec", "podManagementPolicy"),
    ),
    "Job": (("spec", "template"), ("spec", "selector"), ("spec", "completions")),
    "Service": (("spec", "clusterIP"),),
    "PersistentVolumeClaim": (
        ("spec", "storageClassName"),
        ("spec", "accessModes"),
        ("spec", "volumeName"),
    ),
    "StorageClass": (
        ("provisioner",),
        ("parameters",),
        ("reclaimPolicy",),
        ("volumeBindingMode",),
    ),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "CustomResourceDefinition": (("spec", "scope"), ("spec", "names", "kind")),
    "IngressClass": (("spec", "controller"),),
    "GatewayClass": (("spec", "controllerName"),),
    "PriorityClass": (("value",), ("preemptionPolicy",)),
}
"""Fields that the API server refuses to change, by kind."""

_KEPT = {
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
}


def find(before: Side, after: Side) -> tuple[Risk, ...]:
    """Everything dangerous in a change, by cluster and object."""
    found = (
        risk
        for name in sorted({*before.clusters, *after.clusters})
        for risk in _on(name, before, after)
    )
    return tuple(sorted(found, key=lambda risk: (risk.danger, risk.cluster, risk.subject)))


def _on(cluster: str, before: Side, after: Side) -> Iterator[Risk]:
    old, new = ({r.id.key: r for r in side.state(cluster).resources} for side in (before, after))
    gone = cluster not in after.clusters
    for key, resource in old.items():
        kind, subject = resource.id.kind, str(resource.id)
        if key not in new and kind in REMOVED:
            danger, message = REMOVED[kind]
            fate = Fate.ORPHANED if gone or _kept(resource) else Fate.PRUNED
            if fate is Fate.ORPHANED:
                message = "it stays on the cluster, with all that depends on it"
            yield Risk(danger, cluster, subject, resource.origin.path, message, fate)
        elif key in new:
            for path in IMMUTABLE.get(kind, ()):
                was, now = _at(resource.body, path), _at(new[key].body, path)
                if was is not None and was != now:
                    message = f"{'.'.join(path)} cannot be changed; delete the object first"
                    origin = new[key].origin.path
                    yield Risk(Danger.IMMUTABLE, cluster, subject, origin, message)


def _kept(resource: Resource) -> bool:
    metadata = resource.body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if not isinstance(annotations, Mapping):
        return False
    return any(value in str(annotations.get(name, "")).split(",") for name, value in _KEPT)


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        body = body.get(step) if isinstance(body, Mapping) else None
    return body
