"""What the rendered network policies let through is what components and teams declare: no less, no
more.

What is declared is read from the data, and what is let through from the objects that reach each
cluster; either is asked about every pod that a component declares, pods that nobody declares, and
addresses of each kind.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from groundplan import copier_adapter, template
from groundplan.posture.comparison import Side
from groundplan.posture.network.addresses import block
from groundplan.posture.network.exposure import Exposures, Namespaces
from groundplan.posture.network.policies import DIRECTIONS, EGRESS, INGRESS, read
from groundplan.posture.network.ports import EVERY, Ports, numbers
from groundplan.posture.network.scene import Scene
from groundplan.posture.selectors import selects
from groundplan.tree import Tree
from tests.rendering import (
    BLUEPRINTS,
    CLUSTERS,
    ENGINES,
    EVERYTHING,
    READY,
    TEAMS,
    TIERS,
    rendered,
    sharding_template,
)

if TYPE_CHECKING:
    from pathlib import Path

PEERS = yaml.safe_load((BLUEPRINTS / "lib" / "network-peers.yaml").read_text())
TEAM = yaml.safe_load((BLUEPRINTS / "lib" / "team-flows.yaml").read_text())
NAME = "kubernetes.io/metadata.name"
PRIVATE, PUBLIC = ("10.1.2.3", "100.64.0.9"), ("8.8.8.8", "2001:db8::1")
ADDRESSES = (*PRIVATE, *PUBLIC, "169.254.169.254", "169.254.170.23")
CASES = [
    *product(ENGINES, TIERS, [(place,) for place in CLUSTERS]),
    *product(ENGINES, ("enterprise",), [tuple(CLUSTERS)]),
]
each = pytest.mark.parametrize(("engine", "tier", "places"), CASES)


class Pod(NamedTuple):
    """A pod that may be there."""

    name: str
    namespace: str
    labels: dict[str, str]


End = Pod | str
"""A pod, or an address."""


class Declarer(NamedTuple):
    """A component on a cluster, or a team's namespace."""

    name: str
    namespace: str
    closed: bool
    """Whether its namespace starts from nothing but DNS."""
    pods: dict[str, dict[str, str]]
    flows: dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Platform:
    """One cluster of a rendered repository, and what is declared for it."""

    declarers: list[Declarer]
    places: set[str]
    exposures: Exposures

    @cached_property
    def declared(self) -> list[Pod]:
        """The pods that are declared."""
        return [
            Pod(f"{one.name}/{pods}", one.namespace, labels)
            for one in self.declarers
            for pods, labels in one.pods.items()
        ]

    @cached_property
    def named(self) -> dict[str, Pod]:
        return {pod.name: pod for pod in self.declared}

    @cached_property
    def ends(self) -> list[End]:
        """Them, others beside them, pods of the cluster, and addresses."""
        spaces = sorted({one.namespace for one in self.declarers} | {"elsewhere"})
        others = [Pod("somebody", space, {"app": "somebody"}) for space in spaces]
        dns = Pod("dns", "kube-system", {"k8s-app": "kube-dns"})
        return [*self.declared, *others, dns, *ADDRESSES]


@cache
def platforms(engine: str, tier: str, places: tuple[str, ...]) -> list[Platform]:
    answers = {
        "engine": engine,
        "tier": tier,
        "clusters": [CLUSTERS[place] for place in places],
        "teams": TEAMS,
        "practices": READY,
        **(EVERYTHING if tier == "enterprise" else {}),
    }
    plan = copier_adapter.resolve(template.locate(), answers)["plan"]
    return on_each_cluster(plan, rendered(engine, tier, places))


def on_each_cluster(plan: dict[str, Any], tree: Tree) -> list[Platform]:
    side = Side.of(tree)
    places = {cluster["place"] for cluster in plan["clusters"]}
    found = []
    for cluster in plan["clusters"]:
        state = side.state(cluster["name"])
        scene = Scene.of(state)
        assert not scene.refused
        assert not scene.opaque
        labels = {name: scene.labels(name) or {} for name in scene.namespaces}
        declarers = [*components(plan, cluster), *teams(plan)]
        found.append(Platform(declarers, places, Exposures(scene, Namespaces(labels))))
    return found


def components(plan: dict[str, Any], cluster: dict[str, Any]) -> list[Declarer]:
    return [
        Declarer(c["name"], c["namespace"], bool(c["pod_security"]), c["pods"], c["flows"])
        for c in plan["components"]
        if (cluster["hub"] or not c["hub"]) and cluster["place"] in (c["places"] or CLUSTERS)
    ]


def teams(plan: dict[str, Any]) -> list[Declarer]:
    return [
        Declarer("team", space, True, TEAM["pods"], TEAM["flows"])
        for team in plan["teams"]
        for space in team["namespaces"]
    ]


def ports(listed: list[Any]) -> Ports:
    """Ports as flows write them: 443 is TCP, 53/UDP says what else; none means every one."""
    found = Ports()
    for one in listed:
        number, _, protocol = str(one).partition("/")
        found |= Ports(numbers(protocol or "TCP", int(number), int(number)))
    return found if listed else EVERY


def means(platform: Platform, other: str, end: End, namespace: str) -> bool:
    """Whether the other end of a flow, as the data names it, is a pod or an address."""
    if pod := platform.named.get(other):
        return isinstance(end, Pod) and is_like(end, pod.namespace, pod.labels)
    peers = PEERS[other]["peers"] if other in PEERS else [{"nowhere": True}]
    if isinstance(end, str):
        blocks = [peer["ipBlock"] for peer in peers if "ipBlock" in peer]
        return not peers or any(lies_in(end, where) for where in blocks)
    space = {**(platform.exposures.labels(end.namespace) or {}), NAME: end.namespace}
    here = {NAME: namespace}
    return not peers or any(
        wanted(peer.get("namespaceSelector", {"matchLabels": here})) <= space.items()
        and wanted(peer.get("podSelector", {})) <= end.labels.items()
        for peer in peers
        if not {"ipBlock", "nowhere"} & set(peer)
    )


def wanted(selector: dict[str, Any]) -> Any:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items()


def is_like(pod: Pod, namespace: str, labels: dict[str, str]) -> bool:
    return pod.namespace == namespace and labels.items() <= pod.labels.items()


def lies_in(address: str, where: dict[str, Any]) -> bool:
    inside = [
        ipaddress.ip_address(address) in ipaddress.ip_network(cidr)
        for cidr in (where["cidr"], *where.get("except", ()))
    ]
    return inside[0] and not any(inside[1:])


def declared(platform: Platform, direction: str, own: Pod, end: End) -> Ports:
    """What is declared between a pod and another end, at the pod's side."""
    field, mine, theirs = (
        ("ingress", "to", "from") if direction == INGRESS else ("egress", "from", "to")
    )
    here = [one for one in platform.declarers if one.namespace == own.namespace]
    found, isolated = Ports(), any(one.closed for one in here)
    if isolated and direction == EGRESS and means(platform, "dns", end, own.namespace):
        found |= ports(PEERS["dns"]["ports"])
    for one in here:
        for pods, labels in one.pods.items():
            if not is_like(own, one.namespace, labels):
                continue
            isolated = True
            for flow in one.flows[field]:
                fits = platform.places.intersection(flow.get("places", platform.places))
                if (
                    flow[mine] == pods
                    and fits
                    and means(platform, flow[theirs], end, own.namespace)
                ):
                    found |= ports(flow.get("ports", PEERS.get(flow[theirs], {}).get("ports", [])))
    return found if isolated else EVERY


def let_through(platform: Platform, direction: str, own: Pod, end: End) -> Ports:
    """What the policies on the cluster let through between a pod and another end."""
    found = Ports()
    for term in platform.exposures.of(own.namespace, direction).terms:
        box = term.box
        if not selects(dict(box.part("of")), own.labels) or term.external is isinstance(end, Pod):
            continue
        if isinstance(end, str):
            inside = not block(end) - box.addresses
        else:
            space = platform.exposures.labels(end.namespace) or {NAME: end.namespace}
            inside = selects(dict(box.part("namespace")), space)
            inside = inside and selects(dict(box.part("pod")), end.labels)
        if inside:
            found |= box.ports
    return found


def differences(platform: Platform) -> list[tuple[str, str, End, str, str]]:
    """Where the policies and the data disagree: what is too much, and what is missing."""
    pods = [end for end in platform.ends if isinstance(end, Pod)]
    found = []
    for own, end, direction in product(pods, platform.ends, DIRECTIONS):
        passes = let_through(platform, direction, own, end)
        asked = declared(platform, direction, own, end)
        if passes - asked or asked - passes:
            found.append((direction, own.name, end, str(passes - asked), str(asked - passes)))
    return found


@each
def test_policies_let_through_what_is_declared_and_nothing_else(
    engine: str, tier: str, places: tuple[str, ...]
) -> None:
    for platform in platforms(engine, tier, places):
        assert len(platform.declared) > 15
        assert differences(platform) == []


@pytest.mark.parametrize(
    ("change", "too_much"),
    [
        ({"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}}, True),
        ({"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}, False),
    ],
)
def test_a_policy_that_says_something_else_is_noticed(
    change: dict[str, Any], too_much: bool
) -> None:
    [platform] = platforms("flux", "small", ("eks",))
    scene = platform.exposures.scene
    name = "default-deny" if too_much else "kube-prometheus-stack-grafana"
    key = ("networking.k8s.io", "NetworkPolicy", "monitoring", name)
    resource = scene.policies[key].resource
    other = read(replace(resource, body={**resource.body, **change}))
    changed = replace(scene, policies={**scene.policies, key: other})
    labels = {name: scene.labels(name) or {} for name in scene.namespaces}
    found = differences(replace(platform, exposures=Exposures(changed, Namespaces(labels))))
    assert found
    assert all(bool(one[3]) is too_much for one in found if one[0] == "Ingress")


@each
def test_a_declared_flow_passes_at_both_ends(
    engine: str, tier: str, places: tuple[str, ...]
) -> None:
    """What one end declares and the other does not never arrives."""
    for platform in platforms(engine, tier, places):
        assert stuck(platform) == []


def stuck(platform: Platform) -> list[tuple[str, dict[str, Any]]]:
    """The declared flows that one of their ends does not let through."""
    found = []
    for one in platform.declarers:
        for field, mine, theirs in (("ingress", "to", "from"), ("egress", "from", "to")):
            for flow in one.flows[field]:
                other = platform.named.get(flow[theirs])
                own = Pod("", one.namespace, one.pods[flow[mine]])
                if other is None:
                    continue
                sender, receiver = (own, other) if field == "egress" else (other, own)
                passes = let_through(platform, EGRESS, sender, receiver)
                passes &= let_through(platform, INGRESS, receiver, sender)
                asked = ports(flow["ports"]) if "ports" in flow else passes
                if not asked or asked - passes:
                    found.append((one.name, flow))
    return found


def test_shards_of_flux_are_let_through_what_they_declare(tmp_path: Path) -> None:
    many = TEAMS[0] | {"repository": "https://github.com/acme/payments.git"}
    many |= {"namespaces": [f"payments-{number}" for number in range(3)]}
    answers = {"tier": "enterprise", "practices": READY, "clusters": [CLUSTERS["eks"]]}
    answers |= {"teams": [many]}
    sharding = sharding_template(tmp_path / "template", 2)
    plan = copier_adapter.resolve(sharding, answers)["plan"]
    copier_adapter.render(sharding, answers, tmp_path / "rendered")

    [platform] = on_each_cluster(plan, Tree.read(tmp_path / "rendered"))

    assert {f"flux-operator/helm-shard{number}" for number in (1, 2)} <= {
        pod.name for pod in platform.declared
    }
    assert differences(platform) == []
    assert stuck(platform) == []


@each
def test_workloads_of_the_repository_are_declared(
    engine: str, tier: str, places: tuple[str, ...]
) -> None:
    """Pods that no component declares have no flows, and would find out on the cluster."""
    for platform in platforms(engine, tier, places):
        spaces = {one.namespace for one in platform.declarers}
        for workload in platform.exposures.scene.workloads.values():
            if workload.namespace in spaces and not workload.host:
                assert any(
                    is_like(Pod("", workload.namespace, dict(workload.labels)), *pod[1:])
                    for pod in platform.declared
                ), workload
