"""Who may do what, in the corners where Kubernetes surprises."""

from __future__ import annotations

import pytest

from groundplan.posture import rbac
from tests.posture.states import changes, said

ROLE = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: "{namespace}", labels: {{{labels}}}}}
rules:
{rules}
"""
BINDING = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: "{namespace}"}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {role_kind}, name: {role}}}
subjects: [{subjects}]
"""
WEB = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  template:
    spec: {{{spec}}}
"""
ACCOUNT = """\
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, namespace: shop}}
{more}
"""

SA = "{kind: ServiceAccount, name: web, namespace: shop}"
JANE = "{kind: User, name: jane}"
PODS = "- {apiGroups: [''], resources: [pods], verbs: [get]}"


def role(rules: str, name: str = "r", *, cluster: bool = False, labels: str = "") -> str:
    kind, namespace = ("ClusterRole", "") if cluster else ("Role", "shop")
    return ROLE.format(kind=kind, name=name, namespace=namespace, labels=labels, rules=rules)


def binding(
    subjects: str,
    role: str = "r",
    name: str = "b",
    *,
    cluster: bool = False,
    everywhere: bool = False,
) -> str:
    kind, namespace = ("ClusterRoleBinding", "") if everywhere else ("RoleBinding", "shop")
    role_kind = "ClusterRole" if cluster or everywhere else "Role"
    return BINDING.format(
        kind=kind,
        name=name,
        namespace=namespace,
        role_kind=role_kind,
        role=role,
        subjects=subjects,
    )


def rule(
    verbs: str = "get", resources: str = "pods", groups: str = "''", names: str | None = None
) -> str:
    more = f", resourceNames: [{names}]" if names is not None else ""
    return f"- {{apiGroups: [{groups}], resources: ['{resources}'], verbs: [{verbs}]{more}}}"


ACCOUNT_MAY = "ServiceAccount shop/web: may now"
RULES: dict[str, tuple[str, str, list[str]]] = {
    "another verb": (rule("get"), rule("get, list"), ["list pods in namespace shop"]),
    "every verb, after all that are known": (
        rule("get, list, watch, create, update, patch, delete, deletecollection"),
        rule("'*'"),
        ["do anything with pods in namespace shop"],
    ),
    "a subresource is not the resource": (
        rule(),
        rule(resources="pods/log"),
        ["get pods/log in namespace shop"],
    ),
    "pods/* matches nothing": (rule(), rule(resources="pods/*"), []),
    "a subresource of everything": (
        rule(),
        rule(resources="*/scale"),
        ["get the subresource scale of everything in namespace shop"],
    ),
    "every resource has the subresources": (rule(resources="*"), rule(resources="pods/exec"), []),
    "the core group is not every group": (
        rule(),
        rule(groups="'*'"),
        ["get pods of every group in namespace shop"],
    ),
    "a name more": (
        rule(names="a"),
        rule(names="a, b"),
        ["get pods named b in namespace shop"],
    ),
    "no names": (rule(names="a"), rule(), ["get pods in namespace shop"]),
    "a name added": (rule(), rule(names="a"), []),
    "the empty name": (
        rule(names="a"),
        rule(names="''"),
        ["get pods without a name in namespace shop"],
    ),
    "a half wildcard is a letter": (
        rule(resources="po*"),
        rule(resources="pods"),
        ["get pods in namespace shop"],
    ),
    "two rules for one": (rule("get, list"), f"{rule('get')}\n{rule('list')}", []),
    "a URL in a Role is refused": (rule(), "- {nonResourceURLs: ['*'], verbs: [get]}", []),
    "no verbs are refused": (rule(), f"{rule()}\n{rule(verbs='', resources='nodes')}", []),
}


@pytest.mark.parametrize("case", RULES)
def test_rules(case: str) -> None:
    before, after, expected = RULES[case]
    base, head = (role(rules) + binding(SA) for rules in (before, after))
    found = said(rbac, base, head)
    assert found.get("widened", []) == [f"{ACCOUNT_MAY} {words}" for words in expected]
    assert "incomparable" not in found
    # With the sides swapped the same is lost, in the same words.
    lost = said(rbac, head, base).get("narrowed", [])
    assert [words.replace("no longer", "now") for words in lost] == found.get("widened", [])


ALL_URLS = "- {nonResourceURLs: ['*'], verbs: ['*']}"
OBJECTS: dict[str, tuple[str, str, dict[str, list[str]]]] = {
    "everywhere instead of here": (
        role(PODS, cluster=True) + binding(SA, cluster=True),
        role(PODS, cluster=True) + binding(SA, everywhere=True),
        {"widened": [f"{ACCOUNT_MAY} get pods everywhere"]},
    ),
    "URLs by a RoleBinding grant nothing": (
        role(ALL_URLS, cluster=True),
        role(ALL_URLS, cluster=True) + binding(SA, cluster=True),
        {},
    ),
    "nodes by a RoleBinding grant nothing": (
        "",
        role(rule(resources="nodes"), cluster=True) + binding(SA, cluster=True),
        {},
    ),
    "its own namespace by a RoleBinding": (
        "",
        role(rule("patch", "namespaces"), cluster=True) + binding(SA, cluster=True),
        {
            "widened": [
                f"{ACCOUNT_MAY} patch namespaces in namespace shop",
                f"{ACCOUNT_MAY} control the pod security of namespace shop",
            ]
        },
    ),
    "a subject more": (
        role(PODS) + binding(SA),
        role(PODS) + binding(f"{SA}, {JANE}"),
        {"widened": ["User jane: may now get pods in namespace shop"]},
    ),
    "an account is a user too": (
        role(PODS) + binding(SA),
        role(PODS) + binding("{kind: User, name: 'system:serviceaccount:shop:web'}"),
        {},
    ),
    "an account without a namespace is of the binding's": (
        role(PODS) + binding(SA),
        role(PODS) + binding("{kind: ServiceAccount, name: web}"),
        {},
    ),
    "and of none in a ClusterRoleBinding": (
        "",
        role(PODS, cluster=True) + binding("{kind: ServiceAccount, name: web}", everywhere=True),
        {},
    ),
    "the group of all accounts of a namespace": (
        role(PODS) + binding(SA),
        role(PODS) + binding("{kind: Group, name: 'system:serviceaccounts:shop'}"),
        {"widened": ["Group system:serviceaccounts:shop: may now get pods in namespace shop"]},
    ),
    "what its group had": (
        role(PODS) + binding("{kind: Group, name: 'system:authenticated'}"),
        role(PODS)
        + binding("{kind: Group, name: 'system:authenticated'}")
        + binding(SA, name="own"),
        {},
    ),
    "masters are never asked": (
        "",
        role(PODS, cluster=True)
        + binding("{kind: Group, name: 'system:masters'}", everywhere=True),
        {},
    ),
    "aggregation by a label on another object": (
        role(rule("get", "secrets"), "more", cluster=True) + binding(SA, "edit", cluster=True),
        role(
            rule("get", "widgets", "acme.io"),
            "more",
            cluster=True,
            labels="rbac.authorization.k8s.io/aggregate-to-view: 'true'",
        )
        + binding(SA, "edit", cluster=True),
        {"widened": [f"{ACCOUNT_MAY} get widgets of acme.io in namespace shop"]},
    ),
    "a binding to what nobody knows": (
        "",
        binding(SA, "operator", cluster=True),
        {
            "incomparable": [
                f"{ACCOUNT_MAY} do all that ClusterRole operator allows (not in the repository)"
                " in namespace shop"
            ]
        },
    ),
    "a role that was awaited": (
        binding(SA),
        role(PODS) + binding(SA),
        {
            "widened": [f"{ACCOUNT_MAY} get pods in namespace shop"],
            "narrowed": [
                "ServiceAccount shop/web: may no longer do all that Role shop/r allows"
                " (not in the repository) in namespace shop"
            ],
        },
    ),
    "a role by another name": (
        role(PODS) + binding(SA),
        role(PODS, "other") + binding(SA, "other"),
        {},
    ),
    "a roleRef that would allow less": (
        role(PODS) + role(rule("list"), "less") + binding(SA),
        role(PODS) + role(rule("list"), "less") + binding(SA, "less"),
        {
            "widened": [f"{ACCOUNT_MAY} list pods in namespace shop"],
            "narrowed": ["ServiceAccount shop/web: may no longer get pods in namespace shop"],
            "incomparable": [
                "ServiceAccount shop/web: keeps Role shop/r until the binding is deleted"
            ],
        },
    ),
    "one role written twice": (
        role(PODS) + binding(SA),
        role(rule("list")) + role(PODS) + binding(SA),
        {"incomparable": ["Role shop/r: is written more than once, and not the same each time"]},
    ),
    "two bindings for one": (
        role(PODS) + binding(f"{SA}, {JANE}"),
        role(PODS) + binding(SA, name="one") + binding(JANE, name="two"),
        {},
    ),
    "two roles for one": (
        role(rule("get, list")) + binding(SA),
        role(rule("get"), "one")
        + role(rule("list"), "two")
        + binding(SA, "one", "x")
        + binding(SA, "two", "y"),
        {},
    ),
}


@pytest.mark.parametrize("case", OBJECTS)
def test_objects(case: str) -> None:
    base, head, expected = OBJECTS[case]
    assert said(rbac, base, head) == expected


GRANTED = role(PODS) + binding(SA)
QUIET = "automountServiceAccountToken: false"
POWER = "Deployment shop/web: may now get pods in namespace shop"
WORKLOADS: dict[str, tuple[str, str, list[str]]] = {
    "another account": (
        WEB.format(spec="serviceAccountName: other"),
        WEB.format(spec="serviceAccountName: web"),
        [POWER],
    ),
    "the old name of the field": (
        WEB.format(spec="serviceAccountName: web"),
        WEB.format(spec="serviceAccount: web"),
        [],
    ),
    "a token": (
        WEB.format(spec=f"serviceAccountName: web, {QUIET}"),
        WEB.format(spec="serviceAccountName: web"),
        [POWER],
    ),
    "the account's word about tokens": (
        WEB.format(spec="serviceAccountName: web") + ACCOUNT.format(name="web", more=QUIET),
        WEB.format(spec="serviceAccountName: web") + ACCOUNT.format(name="web", more=""),
        [POWER],
    ),
    "the pod's word counts": (
        WEB.format(spec=f"serviceAccountName: web, {QUIET}"),
        WEB.format(spec=f"serviceAccountName: web, {QUIET}")
        + ACCOUNT.format(name="web", more="automountServiceAccountToken: true"),
        [],
    ),
    "a token as a volume": (
        WEB.format(spec=f"serviceAccountName: web, {QUIET}"),
        WEB.format(
            spec=f"serviceAccountName: web, {QUIET}, volumes: "
            "[{projected: {sources: [{serviceAccountToken: {path: t}}]}}]"
        ),
        [POWER],
    ),
    "a new workload": ("", WEB.format(spec="serviceAccountName: web"), [POWER]),
    "a new workload without a token": (
        "",
        WEB.format(spec=f"serviceAccountName: web, {QUIET}"),
        [],
    ),
}


@pytest.mark.parametrize("case", WORKLOADS)
def test_workloads(case: str) -> None:
    before, after, expected = WORKLOADS[case]
    assert said(rbac, GRANTED + before, GRANTED + after).get("widened", []) == expected


def test_the_token_of_another_account_as_a_secret() -> None:
    minted = """\
---
apiVersion: v1
kind: Secret
metadata: {name: t, namespace: shop, annotations: {kubernetes.io/service-account.name: web}}
type: kubernetes.io/service-account-token
"""
    mount = "volumes: [{secret: {secretName: t}}]"
    base = GRANTED + minted + WEB.format(spec="serviceAccountName: other")
    head = GRANTED + minted + WEB.format(spec=f"serviceAccountName: other, {mount}")
    assert said(rbac, base, head) == {"widened": [POWER]}


def test_an_account_renamed_with_its_workload_is_silent() -> None:
    renamed = role(PODS) + binding("{kind: ServiceAccount, name: app, namespace: shop}")
    base = GRANTED + WEB.format(spec="serviceAccountName: web")
    head = renamed + WEB.format(spec="serviceAccountName: app")
    assert said(rbac, base, head) == {}
    # Not when something else runs as it too.
    more = WEB.replace("name: web", "name: job").format(spec="serviceAccountName: app")
    assert said(rbac, base, head + more) == {
        "widened": ["ServiceAccount shop/app: may now get pods in namespace shop"]
    }


def test_default_accounts_are_those_of_pods_that_name_none() -> None:
    grant = role(PODS) + binding("{kind: ServiceAccount, name: default}")
    pods = WEB.format(spec="containers: []")
    (change,) = changes(rbac, pods, pods + grant)
    assert str(change.subject) == "ServiceAccount shop/default"
    assert change.detail.endswith("; for Deployment shop/web")


def test_the_cause_is_the_binding_when_it_is_new_and_else_the_rule() -> None:
    (change,) = changes(rbac, role(PODS), role(PODS) + binding(f"{JANE}, {SA}")[:-1])[1:]
    assert (change.subject.kind, change.pointer) == ("User", "/subjects/0")
    (change,) = changes(rbac, GRANTED, role(f"{PODS}\n{rule('list')}") + binding(SA))
    assert (change.origin.document, change.pointer) == (0, "/rules/1")
    assert change.detail == (
        "through RoleBinding shop/b and Role shop/r; no workload holds its token"
    )


def test_fingerprints_know_no_places() -> None:
    before = role(PODS) + binding(SA)
    wide = role(f"{rule('list')}\n{PODS}") + binding(SA)
    split = role(PODS) + role(rule("list"), "l") + binding(SA) + binding(SA, "l", "lister")
    prints = [{c.fingerprint for c in changes(rbac, before, head)} for head in (wide, split)]
    assert prints[0] == prints[1]
    assert len(prints[0]) == 1
