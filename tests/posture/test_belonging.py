"""Whose an object is that git does not have: whoever stands in for it, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from groundplan.gitops.model import Cluster, Engine
from groundplan.posture.drift.belonging import CONTROLLERS, KUBERNETES, Belonging
from groundplan.posture.drift.live import resource

GATEWAY = ("gateway.networking.k8s.io", "Gateway", "gateway", "platform")
READ = frozenset({("", "Service"), ("apps", "Deployment"), ("apps", "StatefulSet"), GATEWAY[:2]})


def body(kind: str, name: str, namespace: str = "shop", **metadata: Any) -> dict[str, Any]:
    version = "v1" if kind in {"Service", "ConfigMap"} else "apps/v1"
    named = {"name": name, "namespace": namespace, "uid": f"{kind}-{name}", **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": named, "spec": {}}


def by(kind: str, name: str, version: str = "apps/v1") -> dict[str, Any]:
    owner = {"apiVersion": version, "kind": kind, "name": name, "uid": f"{kind}-{name}"}
    return {"ownerReferences": [owner]}


def whose(*bodies: dict[str, Any]) -> list[str]:
    """Whose each object is, where git has the Gateway and a Deployment called `declared`."""
    found = tuple(map(resource, bodies))
    managed = frozenset({GATEWAY, ("apps", "Deployment", "shop", "declared")})
    belonging = Belonging(Cluster("prod", Engine.FLUX, "", ()), managed, found, READ)
    return [belonging.of(one) for one in found]


ENVOY = "gateway.envoyproxy.io/owning-gateway"


@pytest.mark.parametrize(
    ("labels", "namespace", "expected"),
    [
        ({f"{ENVOY}-name": "platform", f"{ENVOY}-namespace": "gateway"}, "envoy", CONTROLLERS),
        ({f"{ENVOY}-name": "platform", f"{ENVOY}-namespace": "shop"}, "envoy", ""),
        ({f"{ENVOY}-name": "platform"}, "envoy", ""),
        ({"gateway.networking.k8s.io/gateway-name": "platform"}, "gateway", CONTROLLERS),
        ({"gateway.networking.k8s.io/gateway-name": "platform"}, "shop", ""),
    ],
)
def test_the_proxy_of_a_gateway_is_of_a_gateway_that_git_has(
    labels: dict[str, str], namespace: str, expected: str
) -> None:
    proxy = (body(kind, "proxy", namespace, labels=labels) for kind in ("Service", "Deployment"))
    assert whose(*proxy) == [expected, expected]


def test_a_gateway_says_nothing_about_other_kinds() -> None:
    labels = {"gateway.networking.k8s.io/gateway-name": "platform"}
    assert whose(body("ConfigMap", "proxy", "gateway", labels=labels)) == [""]


def test_owners_count_when_somebody_answers_for_them() -> None:
    declared, stray = body("Deployment", "declared"), body("Deployment", "stray")
    chain = body("StatefulSet", "middle", **by("Deployment", "declared"))
    assert whose(
        declared,
        stray,
        chain,
        body("Service", "of-declared", **by("Deployment", "declared")),
        body("Service", "of-stray", **by("Deployment", "stray")),
        body("Service", "of-middle", **by("StatefulSet", "middle")),
        body("Service", "of-gone", **by("Deployment", "gone")),
        body("Service", "of-custom", **by("Challenge", "any", "acme.cert-manager.io/v1")),
        body("Service", "of-secret", **by("Secret", "any", "v1")),
    ) == ["", "", CONTROLLERS, CONTROLLERS, "", CONTROLLERS, "", CONTROLLERS, ""]


def test_two_that_own_each_other_belong_to_nobody() -> None:
    one = body("StatefulSet", "one", **by("StatefulSet", "two"))
    two = body("StatefulSet", "two", **by("StatefulSet", "one"))
    assert whose(one, two) == ["", ""]


@pytest.mark.parametrize(
    ("namespace", "name", "spec", "expected"),
    [
        ("default", "kubernetes", {"type": "ClusterIP"}, KUBERNETES),
        ("default", "kubernetes", {"type": "LoadBalancer"}, ""),
        ("default", "other", {}, ""),
        ("kube-system", "kube-dns", {}, KUBERNETES),
        ("kube-system", "kube-dns", {"externalIPs": ["192.0.2.1"]}, ""),
        ("kube-system", "debug", {"type": "NodePort"}, ""),
    ],
)
def test_a_service_of_kubernetes_is_inside_of_the_cluster(
    namespace: str, name: str, spec: dict[str, Any], expected: str
) -> None:
    assert whose({**body("Service", name, namespace), "spec": spec}) == [expected]


JOINING = {"kind": "Group", "name": "system:bootstrappers:kubeadm:default-node-token"}
READS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
PROXY = READS | {"resourceNames": ["kube-proxy"]}


def rbac(kind: str, name: str, namespace: str = "", **said: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        **said,
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            rbac(
                "ClusterRoleBinding",
                "kubeadm:kubelet-bootstrap",
                roleRef={"kind": "ClusterRole", "name": "system:node-bootstrapper"},
                subjects=[JOINING],
            ),
            KUBERNETES,
        ),
        (
            rbac(
                "ClusterRoleBinding",
                "kubeadm:kubelet-bootstrap",
                roleRef={"kind": "ClusterRole", "name": "cluster-admin"},
                subjects=[JOINING],
            ),
            "",
        ),
        (
            rbac(
                "ClusterRoleBinding",
                "kubeadm:cluster-admins",
                roleRef={"kind": "ClusterRole", "name": "cluster-admin"},
                subjects=[{"kind": "Group", "name": "kubeadm:cluster-admins"}, JOINING],
            ),
            "",
        ),
        (
            rbac(
                "ClusterRoleBinding",
                "kubeadm:more",
                roleRef={"kind": "ClusterRole", "name": "view"},
                subjects=[JOINING],
            ),
            "",
        ),
        (
            rbac(
                "Role",
                "kube-proxy",
                "kube-system",
                rules=[READS | {"resourceNames": ["kube-proxy"]}],
            ),
            KUBERNETES,
        ),
        (rbac("Role", "kube-proxy", "kube-system", rules=[READS]), ""),
        (
            rbac("Role", "kube-proxy", "shop", rules=[PROXY]),
            "",
        ),
        (
            rbac(
                "RoleBinding",
                "kube-proxy",
                "kube-system",
                roleRef={"kind": "Role", "name": "kube-proxy"},
                subjects=[JOINING],
            ),
            KUBERNETES,
        ),
        (
            rbac(
                "RoleBinding",
                "kube-proxy",
                "kube-system",
                roleRef={"kind": "ClusterRole", "name": "kube-proxy"},
                subjects=[JOINING],
            ),
            "",
        ),
    ],
)
def test_what_kubeadm_grants_is_its_own_unchanged(said: dict[str, Any], expected: str) -> None:
    assert whose(said) == [expected]
