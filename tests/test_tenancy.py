"""What a team may do on a cluster: asked of a real API server, as its accounts and people.

The server has no controller manager, so the test fills the aggregated roles as that would.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import copier_adapter, repository
from groundplan.runners.apiserver import ApiServer, Binaries, running
from groundplan.runners.client import Request, apply
from groundplan.runners.kinds import discover
from groundplan.template import Template
from groundplan.verify.rehearsal import Rehearsal
from tests.programs import program
from tests.rendering import CLUSTERS, ENGINES, READY, ROOT, TEAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.resources import Resource
    from groundplan.runners.client import Answer

pytestmark = pytest.mark.cluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"
MINE = "system:serviceaccount:payments:reconciler"
HELD = {
    ("NetworkPolicy", "default-deny"),
    ("NetworkPolicy", "dns"),
    ("NetworkPolicy", "team-all"),
    ("ResourceQuota", "namespace"),
    ("ResourceQuota", "priorities"),
    ("LimitRange", "containers"),
    ("RoleBinding", "team"),
    ("RoleBinding", "reconciler"),
    ("ServiceAccount", "default"),
    ("ServiceAccount", "reconciler"),
}
WRITES = ("create", "update", "patch", "delete", "deletecollection")
PLURALS = {
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "RoleBinding": RBAC + "/namespaces/{}/rolebindings",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
}


class Silent:
    """Takes no notice of what the rehearsal finds; other tests do."""

    def accepted(self, resource: Resource) -> None: ...
    def rejected(self, resource: Resource, fault: Any) -> None:
        raise AssertionError(f"{resource.id}: {fault}")

    def warned(self, resource: Resource, text: str) -> None: ...
    def admitted(self, resource: Resource) -> None: ...
    def turned_away(self, resource: Resource, fault: Any) -> None: ...
    def skipped(self, subject: str, reason: str, count: int = 1) -> None: ...


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """An API server with everything that a repository of the enterprise tier brings."""
    binaries = Binaries(program("etcd"), program("kube-apiserver"))
    answers = {
        "engine": request.param,
        "tier": "enterprise",
        "practices": READY,
        "clusters": [CLUSTERS["eks"]],
        "teams": [TEAMS[0] | {"repository": "https://github.com/acme/payments.git"}, TEAMS[1]],
    }
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), answers, Path(folder, "rendered"))
        rendered = repository.load(Path(folder, "rendered"))
    [cluster] = rendered.clusters
    with running(binaries) as started:
        Rehearsal(cluster, started, rendered.schemas, Silent()).run(lambda _: None)
        kinds = discover(started.client)
        for unit in cluster.units:
            for resource in unit.resources:
                served = kinds.find(resource.id)
                if resource.id.kind == "NetworkPolicy" and served:
                    done = apply(served.path(resource.id), resource.body, dry_run=False)
                    assert started.client.send(done).ok
        aggregate(started)
        yield started


def aggregate(server: ApiServer) -> None:
    """Give aggregated roles their rules, as the controller manager does; some build on others."""
    for _ in range(3):
        roles = server.client.get(f"{RBAC}/clusterroles").body["items"]
        for role in roles:
            selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors", [])
            rules = [
                rule
                for other in roles
                for selector in selectors
                if selector["matchLabels"].items() <= other["metadata"].get("labels", {}).items()
                for rule in other.get("rules") or ()
            ]
            if rules:
                path = f"{RBAC}/clusterroles/{role['metadata']['name']}"
                patch = Request("PATCH", path, {"rules": rules}, "application/merge-patch+json")
                assert server.client.send(patch).ok


def may(server: ApiServer, user: str, groups: list[str], **what: str) -> bool:
    """Ask the server's authorizer."""
    spec = {"user": user, "groups": groups, "resourceAttributes": what}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    allowed: bool = server.client.send(Request("POST", path, body)).body["status"]["allowed"]
    return allowed


def account(server: ApiServer, **what: str) -> bool:
    """Ask for the account that applies what team payments delivers."""
    groups = ["system:serviceaccounts", "system:serviceaccounts:payments", "system:authenticated"]
    return may(server, MINE, groups, **what)


def person(server: ApiServer, **what: str) -> bool:
    """Ask for somebody in team payments."""
    return may(server, "jane", ["acme:payments", "system:authenticated"], **what)


def send(
    server: ApiServer, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = ""
) -> Answer:
    """Do it as the account of namespace payments."""
    kind = kind or "application/json"
    return server.client.send(Request(method, path, body, kind, user=MINE))


def config_map(namespace: str) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def test_a_team_runs_software_in_its_namespace(server: ApiServer) -> None:
    for group, resource in (
        ("apps", "deployments"),
        ("batch", "cronjobs"),
        ("", "services"),
        ("", "secrets"),
        ("gateway.networking.k8s.io", "httproutes"),
        ("monitoring.coreos.com", "servicemonitors"),
        ("networking.k8s.io", "networkpolicies"),
    ):
        where = {"namespace": "payments", "group": group, "resource": resource}
        assert account(server, verb="create", **where), resource
        assert account(server, verb="delete", **where), resource
    answer = send(server, "POST", "/api/v1/namespaces/payments/configmaps", config_map("payments"))
    assert answer.status == 201


@pytest.mark.parametrize(
    "namespace",
    ["payments-staging", "search", "kube-system", "default", "cert-manager", "monitoring"],
)
def test_a_team_reaches_no_other_namespace(server: ApiServer, namespace: str) -> None:
    for verb, resource in product((*WRITES, "get", "list"), ("secrets", "pods", "serviceaccounts")):
        assert not account(server, verb=verb, namespace=namespace, resource=resource)
    for group, resource in (("apps", "deployments"), ("networking.k8s.io", "networkpolicies")):
        assert not account(
            server, verb="create", namespace=namespace, group=group, resource=resource
        )
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    answer = send(server, "POST", path, config_map(namespace))
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("", "namespaces"),
        ("", "nodes"),
        ("", "persistentvolumes"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("external-secrets.io", "clustersecretstores"),
    ],
)
def test_a_team_writes_nothing_cluster_wide(server: ApiServer, group: str, resource: str) -> None:
    for verb in WRITES:
        assert not account(server, verb=verb, group=group, resource=resource)
        assert not person(server, verb=verb, group=group, resource=resource)


@pytest.mark.parametrize(
    ("verb", "group", "resource", "subresource"),
    [
        ("create", "", "pods", "exec"),
        ("create", "", "pods", "portforward"),
        ("impersonate", "", "serviceaccounts", ""),
        ("create", "", "serviceaccounts", "token"),
        ("update", "", "resourcequotas", ""),
        ("delete", "", "limitranges", ""),
        ("bind", "rbac.authorization.k8s.io", "roles", ""),
        ("escalate", "rbac.authorization.k8s.io", "roles", ""),
        ("patch", "", "namespaces", ""),
        ("delete", "", "namespaces", ""),
    ],
)
def test_a_team_has_no_right_that_widens_its_rights(
    server: ApiServer, verb: str, group: str, resource: str, subresource: str
) -> None:
    what = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
    assert not account(server, namespace="payments", name="payments", **what)
    assert not person(server, namespace="payments", name="payments", **what)


@pytest.mark.parametrize(("kind", "name"), sorted(HELD))
def test_a_team_changes_nothing_that_holds_it(server: ApiServer, kind: str, name: str) -> None:
    path = f"{PLURALS[kind].format('payments')}/{name}"
    assert server.client.get(path).ok
    deleted = send(server, "DELETE", path)
    label = {"metadata": {"labels": {"groundplan.dev/held-by": "payments"}}}
    patched = send(server, "PATCH", path, label, "application/merge-patch+json")

    for answer in (deleted, patched):
        refused = "TEN-001" in answer.message or answer.body["reason"] == "Forbidden"
        assert refused, answer.message
    assert server.client.get(path).ok


def test_a_guard_is_refused_by_the_policy_where_rights_would_do(server: ApiServer) -> None:
    path = PLURALS["NetworkPolicy"].format("payments")
    assert account(
        server,
        verb="delete",
        namespace="payments",
        group="networking.k8s.io",
        resource="networkpolicies",
    )
    assert "TEN-001" in send(server, "DELETE", f"{path}/default-deny").message
    assert not send(server, "DELETE", path).ok, "nor all at once"


def test_a_team_opens_and_closes_flows_of_its_own(server: ApiServer) -> None:
    path = PLURALS["NetworkPolicy"].format("payments")
    to = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "search"}}}]
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "to-search"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": to}]},
    }

    assert send(server, "POST", path, body).status == 201
    assert send(server, "DELETE", f"{path}/to-search").ok


def test_a_team_gives_nobody_more_than_it_has(server: ApiServer) -> None:
    path = PLURALS["RoleBinding"].format("payments")
    for role in ("admin", "cluster-admin", "edit"):
        body = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "more"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role,
            },
            "subjects": [{"kind": "ServiceAccount", "name": "reconciler", "namespace": "payments"}],
        }
        answer = send(server, "POST", path, body)
        assert answer.status == 403
        assert "attempting to grant RBAC permissions not currently held" in answer.message


@pytest.mark.parametrize(
    ("controller", "method"),
    [("namespace-controller", "DELETE"), ("generic-garbage-collector", "PATCH")],
)
def test_kubernetes_own_controllers_are_not_held_up(
    server: ApiServer, controller: str, method: str
) -> None:
    path = f"{PLURALS['NetworkPolicy'].format('payments-staging')}/team-all?dryRun=All"
    user = f"system:serviceaccount:kube-system:{controller}"
    seen = {"metadata": {"labels": {"seen": "yes"}}} if method == "PATCH" else None
    request = Request(method, path, seen, "application/merge-patch+json", user=user)

    assert server.client.send(request).ok


@pytest.mark.parametrize("resource", ["policyexceptions", "validatingpolicies"])
@pytest.mark.parametrize("namespace", ["payments", "kyverno", ""])
def test_a_team_has_no_hand_in_the_guards_of_kyverno(
    server: ApiServer, namespace: str, resource: str
) -> None:
    what = {"namespace": namespace, "group": "policies.kyverno.io", "resource": resource}

    assert not any(account(server, verb=verb, **what) for verb in WRITES)
    assert not any(person(server, verb=verb, **what) for verb in WRITES)


def test_people_of_a_team_look_but_do_not_touch(server: ApiServer) -> None:
    apps = {"namespace": "payments", "group": "apps", "resource": "deployments"}

    assert person(server, verb="list", **apps)
    assert person(server, verb="get", namespace="payments", resource="pods", subresource="log")
    assert not person(server, verb="get", namespace="payments", resource="secrets")
    assert not any(person(server, verb=verb, **apps) for verb in WRITES)
    assert not person(server, verb="list", namespace="search", group="apps", resource="deployments")
