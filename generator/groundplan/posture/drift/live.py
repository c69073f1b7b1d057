"""What is read of a cluster that runs, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.posture.network.doors import GATEWAY_API, ROUTES
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = tuple[str, str, str]
"""Group, version and kind."""

_RBAC = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
_ADMISSION = (
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
)
PUBLISHING: tuple[Kind, ...] = (
    ("networking.k8s.io", "v1", "Ingress"),
    *((GATEWAY_API, "v1", kind) for kind in sorted(ROUTES)),
    *((GATEWAY_API, "v1", kind) for kind in ("Gateway", "ListenerSet", "ReferenceGrant")),
)
"""Kinds by which something can be reached, besides Services."""
ALWAYS: tuple[Kind, ...] = (
    *(("", "v1", kind) for kind in ("Namespace", "ServiceAccount", "Pod", "Service")),
    *(("apps", "v1", kind) for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")),
    *(("batch", "v1", kind) for kind in ("CronJob", "Job")),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    *PUBLISHING,
    *(("rbac.authorization.k8s.io", "v1", kind) for kind in _RBAC),
    *(("admissionregistration.k8s.io", "v1", kind) for kind in _ADMISSION),
    ("policies.kyverno.io", "v1", "PolicyException"),
)
"""Kinds that are read whether git has such objects or not."""
FORBIDDEN = "reading it is forbidden"


@dataclass(frozen=True, slots=True)
class Live:
    """What was read."""

    resources: tuple[Resource, ...]
    unread: Mapping[Kind, str]
    """Kinds that nothing is known of, and why."""


Reader = Callable[[Iterable[Kind]], Live]
"""Reads all objects of some kinds, in whatever version the cluster has them; a kind that it does
not know has none."""


def resource(body: Mapping[str, object]) -> Resource:
    """An object whose place is the cluster itself."""
    named = Resource.of(body, Origin(""))
    return Resource(named.id, body, Origin(f"live: {named.id}"))
