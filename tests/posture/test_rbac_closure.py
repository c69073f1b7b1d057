"""Level 1: what somebody can come to by becoming others, while their own permissions stay."""

from __future__ import annotations

import pytest

from groundplan.posture import rbac
from tests.posture.states import changes, said
from tests.posture.test_rbac import JANE, PODS, SA, WEB, binding, role, rule

RBAC = "rbac.authorization.k8s.io"
GRANT = role(PODS, "power") + binding(SA, "power", "power")
MADE = """\
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
"""
GAINED = "User jane: can become ServiceAccount shop/web, and so may now get pods in namespace shop"
WAYS: dict[str, tuple[str, bool]] = {
    "pods": (rule("create"), True),
    "workloads": (rule("patch", "deployments", "apps"), True),
    "custom workloads": (rule("create", "rayjobs", "ray.io"), True),
    "only a look at pods": (rule("list"), False),
    "a shell in its pods": (rule("get", "pods/exec"), True),
    "debug containers": (rule("patch", "pods/ephemeralcontainers"), True),
    "its tokens": (rule("create", "serviceaccounts/token", names="web"), True),
    "tokens of another account": (rule("create", "serviceaccounts/token", names="x"), False),
    "its name": (rule("impersonate", "serviceaccounts"), True),
    "secrets to be filled with tokens": (rule("create, get", "secrets"), True),
    "everything already": (rule("'*'", "*", "'*'"), False),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_new_grant_reaches_those_who_can_become_its_holder(way: str) -> None:
    rules, reaches = WAYS[way]
    could = role(rules) + binding(JANE) + WEB.format(spec="serviceAccountName: web") + MADE
    found = said(rbac, could, could + GRANT)["widened"]
    assert (GAINED in found) is reaches
    assert "ServiceAccount shop/web: may now get pods in namespace shop" in found


POWERS: dict[str, tuple[str, str]] = {
    "admission": (
        rule("delete", "validatingadmissionpolicies", "admissionregistration.k8s.io"),
        "what is admitted everywhere",
    ),
    "mutation": (
        rule("create", "mutatingwebhookconfigurations", "admissionregistration.k8s.io"),
        "everything everywhere",
    ),
    "files of nodes": (rule("create", "persistentvolumes"), "the files of nodes everywhere"),
    "scheduling": (rule("patch", "nodes/status"), "where pods run everywhere"),
    "network": (
        rule("patch", "networkpolicies", "networking.k8s.io"),
        "the network everywhere",
    ),
    "Argo CD": (rule("create", "applications", "argoproj.io"), "what Argo CD applies everywhere"),
    "Flux": (
        rule("create", "kustomizations", "kustomize.toolkit.fluxcd.io"),
        "what Flux applies everywhere",
    ),
    "stores": (
        rule("create", "externalsecrets", "external-secrets.io"),
        "what is read from secret stores everywhere",
    ),
    "devices": (
        rule("update", "resourceclaims/driver", "resource.k8s.io"),
        "the devices of others everywhere",
    ),
    "any role": (
        f"{rule('bind', 'clusterroles', RBAC)}\n{rule('create', 'clusterrolebindings', RBAC)}",
        "everything everywhere",
    ),
    "more than one has": (
        f"{rule('escalate', 'clusterroles', RBAC)}\n{rule('update', 'clusterroles', RBAC)}",
        "everything everywhere",
    ),
    "anybody": (rule("impersonate", "groups"), "everything everywhere"),
    "masters": (rule("impersonate", "groups", names="'system:masters'"), "everything everywhere"),
    "certificates": (
        "\n".join(
            (
                rule("create", "certificatesigningrequests", "certificates.k8s.io"),
                rule("update", "certificatesigningrequests/approval", "certificates.k8s.io"),
                rule("approve", "signers", "certificates.k8s.io"),
            )
        ),
        "everything everywhere",
    ),
}


@pytest.mark.parametrize("case", POWERS)
def test_powers_are_named(case: str) -> None:
    rules, power = POWERS[case]
    head = role(rules, cluster=True) + binding(JANE, everywhere=True)
    assert f"User jane: may now control {power}" in said(rbac, "", head)["widened"]
    assert said(rbac, head, head) == {}


@pytest.mark.parametrize("verb", ["get", "create"])
def test_the_proxy_of_nodes_leads_to_whoever_runs_on_them(verb: str) -> None:
    could = role(rule(verb, "nodes/proxy"), cluster=True) + binding(JANE, everywhere=True)
    runs = WEB.format(spec="serviceAccountName: web") + MADE
    assert GAINED in said(rbac, could + runs, could + runs + GRANT)["widened"]
    assert GAINED not in said(rbac, could + MADE, could + MADE + GRANT)["widened"]


def test_whoever_binds_any_role_becomes_everybody_of_the_namespace() -> None:
    rules = f"{rule('bind', 'clusterroles', RBAC)}\n{rule('create', 'rolebindings', RBAC)}"
    group = "{kind: Group, name: 'system:serviceaccounts:shop'}"
    could = role(rules) + binding(JANE)
    head = could + role(rule("list", "nodes"), "look", cluster=True)
    head += binding(group, "look", "look", everywhere=True)
    [found] = [one for one in said(rbac, could, head)["widened"] if "can become" in one]
    assert found.endswith("Group system:serviceaccounts:shop, and so may now list nodes everywhere")


def test_half_of_a_way_leads_nowhere() -> None:
    head = role(rule("bind", "clusterroles", RBAC), cluster=True) + binding(JANE, everywhere=True)
    assert said(rbac, "", head)["widened"] == [
        f"User jane: may now bind clusterroles of {RBAC} everywhere"
    ]


def test_a_role_that_may_be_bound_by_name() -> None:
    rules = f"{rule('bind', 'clusterroles', RBAC, 'r2')}\n{rule('create', 'rolebindings', RBAC)}"
    could = role(rules) + binding(JANE)
    small, large = (role(rule(verbs), "r2", cluster=True) for verbs in ("get", "get, list"))
    holder = "{kind: User, name: joe}"
    base, head = (
        could + one + binding(holder, "r2", "joe", cluster=True) for one in (small, large)
    )
    assert said(rbac, base, head)["widened"] == [
        "User joe: may now list pods in namespace shop",
        "User jane: can bind roles, and so may now list pods in namespace shop",
    ]


def test_who_becomes_somebody_who_becomes_somebody() -> None:
    chain = (
        role(rule("impersonate", "serviceaccounts", names="one"), "a")
        + binding(JANE, "a", "a")
        + role(rule("impersonate", "serviceaccounts", names="web"), "b")
        + binding("{kind: ServiceAccount, name: one}", "b", "b")
    )
    found = said(rbac, chain, chain + GRANT)["widened"]
    assert GAINED in found
    assert GAINED.replace("User jane", "ServiceAccount shop/one") in found


def test_everything_is_said_once() -> None:
    head = binding(JANE, "cluster-admin", everywhere=True)
    assert said(rbac, "", head)["widened"] == [
        "User jane: may now do anything with every URL everywhere",
        "User jane: may now do anything with every resource of every group everywhere",
    ]


def test_what_a_group_can_come_to_is_not_said_of_each_account() -> None:
    group = "{kind: Group, name: 'system:serviceaccounts:shop'}"
    could = role(rule("create")) + binding(group) + role(rule("list", "nodes"), "n")
    could += binding("{kind: ServiceAccount, name: other}", "n", "n")
    about = [c.subject.name for c in changes(rbac, could, could + GRANT) if "become" in c.atom]
    assert about == ["system:serviceaccounts:shop"]
