"""What kubeadm grants on every cluster that it makes, kind's and Cluster API's among them.

Nothing marks these objects, so each counts only as kubeadm 1.37 writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from groundplan.resources import Resource

_JOINING = ("Group", "", "system:bootstrappers:kubeadm:default-node-token")
_NODES = ("Group", "", "system:nodes")
_CSR = "system:certificates.k8s.io:certificatesigningrequests"
_CLUSTER = {
    "kubeadm:apiserver-kubelet-client": (
        "system:kubelet-api-admin",
        {("User", "", "kube-apiserver-kubelet-client")},
    ),
    "kubeadm:cluster-admins": ("cluster-admin", {("Group", "", "kubeadm:cluster-admins")}),
    "kubeadm:get-nodes": ("kubeadm:get-nodes", {_JOINING}),
    "kubeadm:kubelet-bootstrap": ("system:node-bootstrapper", {_JOINING}),
    "kubeadm:node-autoapprove-bootstrap": (f"{_CSR}:nodeclient", {_JOINING}),
    "kubeadm:node-autoapprove-certificate-rotation": (f"{_CSR}:selfnodeclient", {_NODES}),
    "kubeadm:node-proxier": (
        "system:node-proxier",
        {("ServiceAccount", "kube-system", "kube-proxy")},
    ),
}
"""Role and subjects of each ClusterRoleBinding."""
_READING = {
    ("kube-public", "kubeadm:bootstrap-signer-clusterinfo"): (
        "cluster-info",
        {("User", "", "system:anonymous")},
    ),
    ("kube-system", "kube-proxy"): ("kube-proxy", {_JOINING}),
    ("kube-system", "kubeadm:kubelet-config"): ("kubelet-config", {_JOINING, _NODES}),
    ("kube-system", "kubeadm:nodes-kubeadm-config"): ("kubeadm-config", {_JOINING, _NODES}),
}
"""The ConfigMap that each Role lets be read, and whom its RoleBinding names."""


def brings(resource: Resource) -> bool:
    """Whether an object of RBAC is one of kubeadm's, unchanged."""
    place = resource.id.namespace, resource.id.name
    match resource.id.kind:
        case "ClusterRole":
            nodes = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]
            return place == ("", "kubeadm:get-nodes") and resource.body.get("rules") == nodes
        case "ClusterRoleBinding":
            return _bound(resource) == ("ClusterRole", *_CLUSTER.get(resource.id.name, ()))
        case "Role" if place in _READING:
            return resource.body.get("rules") == [_reads(_READING[place][0])]
        case "RoleBinding" if place in _READING:
            return _bound(resource) == ("Role", resource.id.name, _READING[place][1])
    return False


def _bound(binding: Resource) -> tuple[str, str, set[tuple[str, str, str]]]:
    role = mapping(binding.body, "roleRef")
    subjects = {
        (str(one.get("kind")), str(one.get("namespace", "")), str(one.get("name")))
        for one in map(mapping, items(binding.body, "subjects"))
    }
    return str(role.get("kind")), str(role.get("name")), subjects


def _reads(name: str) -> dict[str, Any]:
    return {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [name],
        "verbs": ["get"],
    }
