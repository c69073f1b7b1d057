"""Whose an object on a cluster is when git does not have it.

Marks can be written by anybody, so each counts only with something that it must fit: a release that
git declares, a role that Kubernetes brings, a subject that only Kubernetes is.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.rbac.roles import GROUP, defaults
from groundplan.posture.rules import SYSTEM

if TYPE_CHECKING:
    from groundplan.gitops.model import Cluster
    from groundplan.resources import Resource

KUBERNETES = "Kubernetes"
CONTROLLERS = "controllers"
_PUBLIC = frozenset({"system:authenticated", "system:unauthenticated", "system:serviceaccounts"})
_PUBLIC_ROLES = frozenset(
    {
        "system:basic-user",
        "system:cluster-trust-bundle-discovery",
        "system:discovery",
        "system:public-info-viewer",
        "system:service-account-issuer-discovery",
    }
)
"""What Kubernetes lets everybody do."""
_PEOPLE = ("system:anonymous", "system:serviceaccount")
"""Names that begin like those of Kubernetes' own parts and are not."""
_MADE = frozenset({"Pod", "ReplicaSet", "Job"})
"""What controllers make from other objects, which are looked at instead."""


def belongs(resource: Resource, cluster: Cluster) -> str:
    """Whom an object belongs to besides git; empty when it is nobody's."""
    identity = resource.id
    if identity.kind in _MADE and any(
        mapping(owner).get("controller") is True
        for owner in items(mapping(resource.body, "metadata"), "ownerReferences")
    ):
        return CONTROLLERS
    if _is_of_kubernetes(resource):
        return KUBERNETES
    return _release(resource, cluster)


def _is_of_kubernetes(resource: Resource) -> bool:
    identity = resource.id
    if identity.group == GROUP:
        if identity.kind.endswith("Binding"):
            return _binds_kubernetes(resource)
        if identity.kind == "ClusterRole":
            return identity.name in _default_names() or _bootstrapped(resource)
        return identity.namespace in SYSTEM and _bootstrapped(resource)
    if identity.kind == "Namespace" and not identity.group:
        return identity.name in {*SYSTEM, "default"} and not _labelled_by_hand(resource)
    return identity.namespace in SYSTEM


def _bootstrapped(resource: Resource) -> bool:
    labels = mapping(resource.body, "metadata", "labels")
    known = labels.get("kubernetes.io/bootstrapping") == "rbac-defaults"
    return known and resource.id.name.startswith(("system:", "extension-apiserver"))


def _labelled_by_hand(namespace: Resource) -> bool:
    return set(mapping(namespace.body, "metadata", "labels")) > {"kubernetes.io/metadata.name"}


def _binds_kubernetes(binding: Resource) -> bool:
    """Whether a binding gives something to parts of Kubernetes only."""
    role = mapping(binding.body, "roleRef").get("name")
    for subject in items(binding.body, "subjects"):
        name, kind = str(mapping(subject).get("name")), mapping(subject).get("kind")
        if kind == "ServiceAccount":
            if mapping(subject).get("namespace") != "kube-system":
                return False
        elif name in _PUBLIC:
            if role not in _PUBLIC_ROLES:
                return False
        elif not name.startswith("system:") or name.startswith(_PEOPLE):
            return False
    labels = mapping(binding.body, "metadata", "labels")
    return labels.get("kubernetes.io/bootstrapping") == "rbac-defaults"


@cache
def _default_names() -> frozenset[str]:
    return frozenset(defaults())


def _release(resource: Resource, cluster: Cluster) -> str:
    """The chart that brought an object, when git declares its release for the cluster."""
    metadata = mapping(resource.body, "metadata")
    annotations, labels = (mapping(metadata, name) for name in ("annotations", "labels"))
    tracked = str(annotations.get("argocd.argoproj.io/tracking-id", "")).partition(":")[0]
    helm = str(annotations.get("meta.helm.sh/release-name", ""))
    managed = labels.get("app.kubernetes.io/managed-by") == "Helm"
    instance = str(labels.get("app.kubernetes.io/instance", "")) if managed else ""
    for unit in cluster.units:
        for release in unit.releases:
            name = release.id.name
            names = {name, f"{release.namespace}-{name}"}
            if names & {tracked, helm, instance}:
                return f"release {name}"
    return ""
