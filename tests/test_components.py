"""Components say whom they talk to, and their network policies agree with each other."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan import copier_adapter, template
from tests.rendering import (
    BLUEPRINTS,
    CLUSTERS,
    ENGINES,
    EVERYTHING,
    PLACES,
    READY,
    TEAMS,
    TIERS,
    parsed,
    rendered,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

engines = pytest.mark.parametrize("engine", ENGINES)
PEERS = yaml.safe_load((BLUEPRINTS / "lib" / "network-peers.yaml").read_text())
TEAM = yaml.safe_load((BLUEPRINTS / "lib" / "team-flows.yaml").read_text())


@cache
def components(engine: str, tier: str = "enterprise") -> dict[str, Any]:
    """The component data of a platform with a cluster at each place, all that can be chosen."""
    answers = {
        "engine": engine,
        "tier": tier,
        "clusters": [CLUSTERS[p] for p in PLACES],
        "teams": TEAMS,
        **(EVERYTHING if tier == "enterprise" else {}),
        "practices": READY,
    }
    plan = copier_adapter.resolve(template.locate(), answers)["plan"]
    return {component["name"]: component for component in plan["components"]}


def flows(engine: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every declared flow, with its component and direction."""
    for name, component in components(engine).items():
        for direction, declared in component["flows"].items():
            for flow in declared:
                yield name, direction, flow


def ports(flow: dict[str, Any]) -> set[str]:
    return {str(port) for port in flow.get("ports", ())}


def policies(engine: str) -> dict[str, list[Any]]:
    """Rendered network policies by namespace."""
    tree = rendered(engine, "enterprise", PLACES)
    found: dict[str, list[Any]] = {}
    for path in tree.files:
        if path.endswith(".yaml") and path.startswith(("clusters/", "components/", "tenants/")):
            for document in parsed(tree, path):
                if document.get("kind") == "NetworkPolicy":
                    found.setdefault(document["metadata"]["namespace"], []).append(document)
    return found


@engines
def test_a_flow_has_two_ends_that_exist(engine: str) -> None:
    known = components(engine)
    for name, direction, flow in flows(engine):
        assert set(flow) <= {"from", "to", "ports", "why", "places"}, (name, flow)
        own, other = ("to", "from") if direction == "ingress" else ("from", "to")
        assert flow[own] in known[name]["pods"], (name, flow)
        component, _, pods = flow[other].partition("/")
        if not pods:
            assert flow[other] in PEERS, (name, flow)
        elif component in known:
            assert pods in known[component]["pods"], (name, flow)


@engines
def test_both_ends_of_a_flow_between_components_allow_it(engine: str) -> None:
    known = components(engine)
    for name, direction, flow in flows(engine):
        own, other = ("to", "from") if direction == "ingress" else ("from", "to")
        component, _, pods = flow[other].partition("/")
        if not pods or component not in known:
            continue
        back = known[component]["flows"]["egress" if direction == "ingress" else "ingress"]
        assert any(
            allowed[other] == pods
            and (
                (allowed[own] == f"{name}/{flow[own]}" and ports(flow) <= ports(allowed))
                or allowed[own] in {"pods", "anywhere"}
            )
            for allowed in back
        ), f"{component} does not allow {name}: {flow}"


@engines
def test_every_namespace_of_ours_starts_closed(engine: str) -> None:
    found = policies(engine)
    namespaces = {c["namespace"] for c in components(engine).values() if c["pod_security"]}
    namespaces |= {namespace for team in TEAMS for namespace in team["namespaces"]}

    for namespace in namespaces:
        by_name = {policy["metadata"]["name"]: policy["spec"] for policy in found[namespace]}
        assert by_name["default-deny"] == {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
        }
        assert by_name["dns"]["podSelector"] == {}


@engines
def test_policies_say_their_types_and_name_their_pods(engine: str) -> None:
    for namespace, found in policies(engine).items():
        for policy in found:
            name, spec = policy["metadata"]["name"], policy["spec"]
            assert spec["policyTypes"], name
            if name not in {"default-deny", "dns", "team-all"}:
                assert spec["podSelector"]["matchLabels"], (namespace, name)
            for rule in spec.get("egress", ()):
                assert rule["to"], (namespace, name)


def test_a_flow_of_a_place_without_clusters_is_left_out() -> None:
    def addresses(place: str) -> str:
        tree = rendered("flux", places=(place,))
        return tree.files["components/cert-manager/network-policies.yaml"].decode()

    assert "169.254.170.23/32" in addresses("eks")
    assert "169.254.170.23/32" not in addresses("kind")


@pytest.mark.parametrize("tier", TIERS)
@engines
def test_a_component_names_what_it_installs_exactly(engine: str, tier: str) -> None:
    for name, component in components(engine, tier).items():
        assert component["title"], name
        assert component["summary"].endswith("."), name
        assert not (component["chart"] and component["git"]), name
        source = component["chart"] or component["git"]
        if source:
            assert source["evidence"], name
        if component["chart"]:
            assert (BLUEPRINTS / "components" / name / "values.yaml").is_file()
        for size in component.get("sizes", {}).values():
            assert size.keys() == component["sizes"][tier].keys()
        assert component.get("sizes", dict.fromkeys(TIERS)).keys() == set(TIERS), name


def test_teams_flows_name_components_that_exist() -> None:
    for declared in TEAM["flows"].values():
        for flow in declared:
            for end in (flow["from"], flow["to"]):
                component, _, pods = end.partition("/")
                if pods:
                    assert pods in components("flux")[component]["pods"]
                else:
                    assert end in {*TEAM["pods"], *PEERS}
