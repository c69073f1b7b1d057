"""Which objects Argo CD puts into an Application's namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.gitops.scene import section
from groundplan.kustomize.mergekeys import is_cluster_scoped
from groundplan.resources import Resource

if TYPE_CHECKING:
    from groundplan.gitops.scene import Scene

_NAMESPACED_GROUPS = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "batch",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
    }
)
_CLUSTER_KINDS = frozenset({"IPAddress", "ServiceCIDR", "PersistentVolume", "Node", "Namespace"})
_NAMESPACED_KINDS = frozenset(
    {
        ("argoproj.io", "Application"),
        ("argoproj.io", "ApplicationSet"),
        ("argoproj.io", "AppProject"),
    }
)


def in_namespace(resource: Resource, namespace: str, scene: Scene) -> Resource:
    """The object in a namespace, when it says none and its kind certainly has namespaces."""
    if not namespace or resource.id.namespace or not _is_namespaced(resource, scene):
        return resource
    metadata = {**section(resource.body, "metadata"), "namespace": namespace}
    return Resource.of({**resource.body, "metadata": metadata}, resource.origin)


def _is_namespaced(resource: Resource, scene: Scene) -> bool:
    identity = resource.id
    if (identity.group, identity.kind) in _NAMESPACED_KINDS:
        return True
    if identity.group in _NAMESPACED_GROUPS:
        known = identity.kind in _CLUSTER_KINDS
        return not known and not is_cluster_scoped(identity.api_version, identity.kind)
    return scene.custom_scopes.get((identity.group, identity.kind)) == "Namespaced"
