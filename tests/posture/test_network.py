"""The network dimension case by case: what is said, of whom, and what is not."""

from __future__ import annotations

import pytest

from groundplan.posture import network
from groundplan.posture.model import Verdict
from tests.posture.states import changes, said

SPACES = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: Namespace
metadata: {name: mon, labels: {team: mon}}
"""
WEB, DB, PROM = (
    f"""\
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {space}}}
spec:
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers: [{{name: c, image: x, ports: [{{name: http, containerPort: 8080}}]}}]
"""
    for name, space in (("web", "shop"), ("db", "shop"), ("prom", "mon"))
)
POLICY = """\
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: shop}}
spec: {spec}
"""
DENY = POLICY.format(name="deny", spec="{podSelector: {}, policyTypes: [Ingress, Egress]}")
FROM_PROM = (
    "{namespaceSelector: {matchLabels: {team: mon}}, podSelector: {matchLabels: {app: prom}}}"
)
TO_WEB = POLICY.format(
    name="web",
    spec="{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], "
    f"ingress: [{{from: [{FROM_PROM}], ports: [{{port: http}}]}}], "
    "egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}",
)
TO_DB = POLICY.format(
    name="db",
    spec="{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], "
    "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}",
)
SHOP = SPACES + WEB + DB + PROM + DENY + TO_WEB + TO_DB

WIDENED = {
    "the default deny is removed": (
        DENY,
        "",
        "Namespace shop: anything may connect to pods app other than db|web of shop on any port, "
        "because no policy isolates them any more",
        "Deployment shop/db: pods app other than web of shop may connect to anything on any port, "
        "because no policy isolates them any more",
    ),
    "egress: [] without policyTypes isolates no egress": (
        "{podSelector: {}, policyTypes: [Ingress, Egress]}",
        "{podSelector: {}, egress: []}",
        "Deployment shop/db: pods app other than web of shop may connect to anything on any port, "
        "because no policy isolates them any more",
    ),
    "the last rule's ports are removed": (
        "{app: web}}}], ports: [{port: 5432}]}]}",
        "{app: web}}}]}]}",
        "Deployment shop/db: pods app=web of shop may connect to pods app=db of shop on "
        "TCP 1-5431, 5433-65535, UDP any port, SCTP any port",
    ),
    "one dash more makes OR of AND": (
        ", podSelector: {matchLabels: {app: prom}}}",
        "}, {podSelector: {matchLabels: {app: prom}}}",
        "Deployment shop/web: pods app other than prom of mon and pods app other than prom of "
        "other namespaces team=mon and pods app=prom of shop may connect to pods app=web of shop "
        "on TCP http",
    ),
    "a range of ports": (
        "{port: http}",
        "{port: http}, {port: 9000, endPort: 9100}",
        "Deployment shop/web: pods app=prom of mon and pods app=prom of other namespaces team=mon "
        "may connect to pods app=web of shop on TCP 9000-9100",
    ),
    "another protocol": (
        "ports: [{port: 5432}]}]}\n---",
        "ports: [{port: 5432}, {port: 5432, protocol: UDP}]}]}\n---",
        "Deployment shop/web: pods app=web of shop may connect to pods app=db of shop on UDP 5432",
    ),
    "an empty list of peers": (
        "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ",
        "ingress: [{from: [], ",
        "Deployment shop/db: any pod of namespaces other than shop and pods app other than web of "
        "shop and any address may connect to pods app=db of shop on TCP 5432",
    ),
    "a label of a namespace": (
        "{name: shop, labels: {team: shop}}",
        "{name: shop, labels: {team: mon}}",
        "Deployment shop/web: pods app=prom of shop may connect to pods app=web of shop on "
        "TCP http",
    ),
    "a workload takes another's labels": (
        DB,
        DB.replace("labels: {app: db}", "labels: {app: web}"),
        "Deployment shop/db: Deployment shop/db may connect to pods app=db of shop on TCP 5432",
        "Deployment shop/db: pods app=prom of mon and pods app=prom of other namespaces team=mon "
        "may connect to Deployment shop/db on TCP 8080",
    ),
    "a named port becomes another number": (
        WEB,
        WEB.replace("8080", "9090"),
        "Deployment shop/web: pods app=prom of mon and pods app=prom of other namespaces team=mon "
        "may connect to Deployment shop/web on TCP 9090",
    ),
    "a workload goes to the node's network": (
        WEB,
        WEB.replace("containers:", "hostNetwork: true\n      containers:"),
        "Deployment shop/web: Deployment shop/web may connect to anything on any port, because it "
        "uses the node's network, where no policy holds",
        "Deployment shop/web: anything may connect to Deployment shop/web on any port, because it "
        "uses the node's network, where no policy holds",
    ),
    "a new namespace without a policy": (
        SPACES,
        SPACES + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n",
        "Namespace new: anything may connect to pods of the new namespace",
    ),
    "an exception is removed": (
        "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ",
        "ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}], ",
        "Deployment shop/db: 192.0.2.0/24 may connect to pods app=db of shop on TCP 5432",
    ),
}


@pytest.mark.parametrize("case", WIDENED)
def test_a_widening_names_who_may_connect_to_whom(case: str) -> None:
    old, new, *atoms = WIDENED[case]
    assert SHOP.count(old) == 1
    found = said(network, SHOP, SHOP.replace(old, new))
    assert sorted(found["widened"]) == sorted(atoms)
    assert "incomparable" not in found


@pytest.mark.parametrize("case", WIDENED)
def test_the_other_way_round_nothing_widens(case: str) -> None:
    old, new, *_ = WIDENED[case]
    found = said(network, SHOP.replace(old, new), SHOP)
    # What a peer or a label is exchanged for is another gain.
    assert set(found) <= {"narrowed"} or case in {
        "a workload takes another's labels",
        "a named port becomes another number",
        "an exception is removed",
        "a workload goes to the node's network",
    }


SILENT = {
    "nothing": (DENY, DENY),
    "another name": (DENY, DENY.replace("name: deny", "name: nothing-passes")),
    "one policy for each direction": (
        DENY,
        POLICY.format(name="in", spec="{podSelector: {}, policyTypes: [Ingress]}")
        + POLICY.format(name="out", spec="{podSelector: {}, policyTypes: [Egress]}"),
    ),
    "a namespace by its name": (
        "namespaceSelector: {matchLabels: {team: shop}}",
        "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}",
    ),
    "two selectors that say the same": (
        "{podSelector: {matchLabels: {app: db}}, policyTypes",
        "{podSelector: {matchExpressions: [{key: app, operator: In, values: [db]}]}, policyTypes",
    ),
    "what one policy says, another says too": (
        TO_DB,
        TO_DB + TO_DB.replace("name: db", "name: again"),
    ),
    "two ranges that meet": (
        "ports: [{port: 9999}]",
        "ports: [{port: 9999, endPort: 9999}]",
    ),
    "the protocol that is meant anyway": ("{port: http}", "{port: http, protocol: TCP}"),
    "a workload that the policies already know": (
        PROM,
        PROM + WEB.replace("name: web,", "name: canary,"),
    ),
    "a port without a name": (DB, DB.replace("8080", "9090")),
}


@pytest.mark.parametrize("case", SILENT)
def test_what_allows_the_same_is_silent(case: str) -> None:
    old, new = SILENT[case]
    if old in SHOP:
        assert changes(network, SHOP, SHOP.replace(old, new)) == ()
    else:
        rule = "{from: [{namespaceSelector: {matchLabels: {team: shop}}}], ports: [{port: 9999}]}"
        policy = POLICY.format(name="x", spec=f"{{podSelector: {{}}, ingress: [{rule}]}}")
        assert old in policy
        base, head = SHOP + policy, SHOP + policy.replace(old, new)
        assert [c for c in changes(network, base, head) if c.verdict is Verdict.WIDENED] == []


def test_adding_a_policy_to_pods_that_none_isolates_takes_away() -> None:
    assert set(said(network, SPACES + WEB + DB + PROM, SHOP)) == {"narrowed"}


def test_a_namespace_that_goes_with_all_its_policies_is_no_widening() -> None:
    mon = SPACES.partition("---\n")[2] + PROM
    assert changes(network, SHOP, mon) == ()


def test_what_another_policy_makes_up_for_is_compensated() -> None:
    loose = TO_DB.replace("ports: [{port: 5432}]", "ports: [{port: 5432}, {port: 5433}]")
    other = loose.replace("name: db", "name: other")
    base = SHOP + other
    [change] = changes(network, base, base.replace(TO_DB, loose))
    assert change.verdict is Verdict.EQUAL
    assert str(change.subject) == "NetworkPolicy shop/db"
    assert change.atom.endswith(
        "has a rule that allows more (ingress), and nothing more is allowed"
    )
    assert "NetworkPolicy shop/other" in change.detail


def test_a_gain_that_concerns_nobody_yet_is_latent() -> None:
    seen = SHOP.replace("team: mon}}, podSelector", "team: else}}, podSelector")
    [change] = (c for c in changes(network, SHOP, seen) if c.verdict is Verdict.WIDENED)
    assert "latent" in change.detail
    before = SHOP.replace("{app: prom}}}", "{app: nobody}}}", 1)
    [change] = (c for c in changes(network, before, SHOP) if c.verdict is Verdict.WIDENED)
    assert "for example Deployment mon/prom to Deployment shop/web" in change.detail


def test_private_addresses_may_be_pods() -> None:
    policy = "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: CIDR}}]}]}"
    for cidr, hint in (("10.0.0.0/16", True), ("192.0.2.0/24", False), ("fd00::/8", True)):
        text = POLICY.format(name="out", spec=policy.replace("CIDR", cidr))
        [change] = changes(network, SHOP, SHOP + text)
        assert change.verdict is Verdict.WIDENED
        assert ("pods may have these addresses" in change.detail) is hint


@pytest.mark.parametrize(
    "spec",
    [
        "{podSelector: {}, ingress: [{from: [{}]}]}",
        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}",
        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}, {ipBlock: {}}]}]}",
        "{podSelector: {}, ingress: [{ports: [{port: 90, endPort: 80}]}]}",
        "{podSelector: {}, ingress: [{ports: [{port: http, endPort: 80}]}]}",
        "{podSelector: {}, ingress: [{ports: [{port: 80, protocol: ICMP}]}]}",
        "{podSelector: {matchExpressions: [{key: a, operator: In}]}}",
        "{podSelector: {matchExpressions: [{key: a, operator: Near, values: [b]}]}}",
        "{podSelector: {matchLabels: {a: true}}}",
        "{podSelector: {}, policyTypes: [Both]}",
    ],
)
def test_what_the_api_server_refuses_is_incomparable(spec: str) -> None:
    head = SHOP.replace(DENY, POLICY.format(name="deny", spec=spec))
    found = said(network, SHOP, head)
    assert [line.split(": ")[1] for line in found.pop("incomparable")] == [
        "the API server refuses it"
    ]
    assert found == {}


def test_a_policy_that_is_written_twice_is_incomparable() -> None:
    twice = SHOP + DENY.replace("[Ingress, Egress]", "[Ingress]")
    assert said(network, SHOP, twice) == {
        "incomparable": ["NetworkPolicy shop/deny: it is written twice, and differently"]
    }


CILIUM = """\
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: extra, namespace: shop}
spec: {endpointSelector: {}}
"""


@pytest.mark.parametrize(
    ("api", "kind", "where"),
    [
        ("cilium.io/v2", "CiliumNetworkPolicy", ", namespace: shop"),
        ("cilium.io/v2", "CiliumClusterwideNetworkPolicy", ""),
        ("projectcalico.org/v3", "GlobalNetworkPolicy", ""),
        ("crd.projectcalico.org/v1", "NetworkPolicy", ", namespace: shop"),
        ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", ""),
        ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", ""),
        ("security.istio.io/v1", "AuthorizationPolicy", ", namespace: shop"),
    ],
)
def test_other_kinds_of_policy_are_incomparable(api: str, kind: str, where: str) -> None:
    text = CILIUM.replace("cilium.io/v2", api).replace("CiliumNetworkPolicy", kind)
    text = text.replace(", namespace: shop", where)
    assert set(said(network, SHOP, SHOP + text)) == {"incomparable"}
    assert said(network, SHOP + text, SHOP + text) == {}
    # What narrows by itself may widen beside them.
    assert "incomparable" in said(network, SHOP.replace(DENY, "") + text, SHOP + text)
    assert "incomparable" in said(network, SHOP + text, SHOP.replace("app: prom", "app: x") + text)


def test_too_many_sides_are_incomparable_and_not_equal() -> None:
    keys = [
        POLICY.format(name=f"p{i}", spec=f"{{podSelector: {{matchLabels: {{a{i}: x, b{i}: y}}}}}}")
        for i in range(14)
    ]
    found = said(network, SPACES + "".join(keys), SPACES + "".join(keys[1:]))
    assert "incomparable" in found
