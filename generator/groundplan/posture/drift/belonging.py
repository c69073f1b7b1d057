"""Whose an object on a cluster is when git does not have it.

Marks can be written by anybody, so each counts only with something that it must fit: a release that
git declares, a role that Kubernetes brings, a subject that only Kubernetes is, an owner that
somebody answers for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from groundplan.posture.drift import kubeadm
from groundplan.posture.drift.live import PUBLISHING
from groundplan.posture.network.doors import GATEWAY_API, ROUTES
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.rbac.roles import GROUP, defaults
from groundplan.posture.rules import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundplan.gitops.model import Cluster
    from groundplan.graph import Key
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
_MAKEABLE = frozenset(
    {"Service", "Ingress", *ROUTES, "Deployment", "StatefulSet", "DaemonSet", "CronJob"}
)
"""What controllers make for objects of their own kinds, and for a Gateway."""
_PUBLISHING = frozenset(kind[::2] for kind in PUBLISHING)
_ENVOY = "gateway.envoyproxy.io/owning-gateway"
_API = ("", "Service", "default", "kubernetes")
"""How pods reach the API server."""


@dataclass(frozen=True)
class Belonging:
    """What is known of a cluster by which its objects are told apart."""

    cluster: Cluster
    """As git declares it."""
    managed: frozenset[Key]
    """The objects that git declares for it."""
    resources: tuple[Resource, ...]
    """All that were read of it."""
    read: frozenset[tuple[str, str]]
    """The groups and kinds that were read."""

    def of(self, resource: Resource) -> str:
        """Whom an object belongs to besides git; empty when it is nobody's."""
        return self._of(resource, frozenset())

    def _of(self, resource: Resource, above: frozenset[str]) -> str:
        if resource.id.kind in _MADE and any(
            mapping(owner).get("controller") is True for owner in _owners(resource)
        ):
            return CONTROLLERS
        granted = resource.id.group == GROUP and kubeadm.brings(resource)
        if granted or _is_of_kubernetes(resource):
            return KUBERNETES
        released = _release(resource, self.cluster)
        return released or (self._made(resource, above) if resource.id.kind in _MAKEABLE else "")

    def _made(self, resource: Resource, above: frozenset[str]) -> str:
        """Say that a controller made an object for another one that somebody answers for."""
        if self._gateways(resource) & self.managed:
            return CONTROLLERS
        for owner in map(mapping, _owners(resource)):
            uid = str(owner.get("uid", ""))
            parent = self._by_uid.get(uid)
            if parent is None:
                group = str(owner.get("apiVersion", "")).rpartition("/")[0]
                # The garbage collector removes what is owned by nothing.
                if _custom(group) and (group, owner.get("kind")) not in self.read:
                    return CONTROLLERS
            elif uid not in above and self._accounted(parent, above | {uid}):
                return CONTROLLERS
        return ""

    def _accounted(self, parent: Resource, above: frozenset[str]) -> bool:
        return parent.id.key in self.managed or bool(self._of(parent, above))

    @cached_property
    def _by_uid(self) -> dict[str, Resource]:
        return {str(mapping(r.body, "metadata").get("uid", "")): r for r in self.resources}

    @staticmethod
    def _gateways(resource: Resource) -> set[Key]:
        """The Gateways that an object says it carries the traffic of."""
        labels = mapping(resource.body, "metadata", "labels")
        named = {
            (labels.get(f"{GATEWAY_API}/gateway-name"), resource.id.namespace),
            (labels.get(f"{_ENVOY}-name"), labels.get(f"{_ENVOY}-namespace")),
        }
        return {(GATEWAY_API, "Gateway", str(where), str(name)) for name, where in named}


def _owners(resource: Resource) -> Sequence[Any]:
    return items(mapping(resource.body, "metadata"), "ownerReferences")


def _custom(group: str) -> bool:
    """Whether kinds of a group are brought by a definition and not by Kubernetes."""
    return "." in group and not group.endswith(".k8s.io")


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
    if identity.kind == "Service" and not identity.group:
        inside = identity.namespace in SYSTEM or identity.key == _API
        return inside and not _opens(resource)
    return identity.namespace in SYSTEM and (identity.group, identity.kind) not in _PUBLISHING


def _opens(service: Resource) -> bool:
    """Whether a Service can be reached from outside of the cluster."""
    spec = mapping(service.body, "spec")
    return spec.get("type", "ClusterIP") != "ClusterIP" or bool(items(spec, "externalIPs"))


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
