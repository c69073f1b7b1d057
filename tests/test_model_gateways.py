"""Models behind llm-d's router and a gateway of another class: routes name the InferencePool."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks
from groundplan.answers import Answers, checked
from groundplan.errors import AnswersError
from groundplan.findings import Severity
from groundplan.template import Template
from groundplan.verify import verify
from tests.rendering import ROOT, parsed
from tests.test_inference import IMAGE, QWEN, answers, found, loaded, render
from tests.test_serving import GIVEN, MODELS

if TYPE_CHECKING:
    from groundplan.tree import Tree
    from tests.control_planes import Planes

ENVOY = {"EnvoyExtensionPolicy", "BackendTrafficPolicy"}


def given(gateway: str, place: str = "eks", engine: str = "flux") -> dict[str, Any]:
    """One model behind the router, and one that is reached without it."""
    models = [
        QWEN | {"source": IMAGE, "name": "routed"} | MODELS["routed"],
        QWEN | {"source": IMAGE, "name": "plain", "access": "gateway"},
    ]
    said = answers(place, pool={"most": 20}, **GIVEN) | {"models": models, "engine": engine}
    said["clusters"][0] |= {"model_gateway": gateway} if gateway else {}
    return said


@cache
def through(gateway: str, place: str = "eks", engine: str = "flux") -> Tree:
    return render(Path(mkdtemp()), **given(gateway, place, engine))


def named(tree: Tree, kind: str, name: str) -> Any:
    [body] = [body for body in found(tree, kind) if body["metadata"]["name"] == name]
    return body


@pytest.mark.parametrize(
    ("gateway", "place", "engine"),
    [
        ("agentgateway", "eks", "argocd"),
        ("istio", "gke", "flux"),
        ("agentgateway", "capi", "flux"),
        ("istio", "aks", "argocd"),
    ],
)
def test_no_gateway_has_a_finding(gateway: str, place: str, engine: str) -> None:
    report = checks.run(loaded(through(gateway, place, engine)))

    assert [str(finding) for finding in report.at_least(Severity.LOW)] == []
    seen = {result.check_id: result for result in report.results}
    assert seen["SRV014"].evaluated


def test_a_route_names_the_pool_where_the_gateway_knows_it_and_the_service_elsewhere() -> None:
    tree = through("agentgateway")
    route, plain = (named(tree, "HTTPRoute", name)["spec"] for name in ("routed", "plain"))
    policies = {kind for kind in ENVOY if found(tree, kind)}

    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "routed"}
    assert [rule["backendRefs"] for rule in route["rules"]] == [[pool]]
    assert [(p["namespace"], p["name"]) for p in route["parentRefs"]] == [
        ("model-gateway", "models")
    ]
    assert plain["rules"][0]["backendRefs"] == [{"name": "plain", "port": 80}]
    assert policies == set(), "Envoy's policies say nothing to another gateway"
    assert named(tree, "Gateway", "models")["spec"]["gatewayClassName"] == "agentgateway"
    default = through("")
    assert {kind for kind in ENVOY if found(default, kind)} == ENVOY
    assert "InferencePool" not in str(named(default, "HTTPRoute", "routed"))


@pytest.mark.parametrize(
    ("gateway", "secure"), [("agentgateway", "true"), ("istio", "false"), ("", "false")]
)
def test_the_picker_speaks_what_its_gateway_speaks(gateway: str, secure: str) -> None:
    tree = through(gateway)
    [container] = named(tree, "Deployment", "routed-picker")["spec"]["template"]["spec"][
        "containers"
    ]
    [port] = named(tree, "Service", "routed-picker")["spec"]["ports"]

    assert f"--secure-serving={secure}" in container["args"]
    assert ("appProtocol" in port) == (secure == "false"), "h2c is HTTP/2 without TLS"


@pytest.mark.parametrize(
    ("gateway", "namespace"), [("agentgateway", "model-gateway"), ("", "envoy-gateway-system")]
)
def test_only_the_proxies_of_its_gateway_reach_a_picker(gateway: str, namespace: str) -> None:
    tree = through(gateway)
    policy = named(tree, "NetworkPolicy", "routed-picker")["spec"]
    [asked] = [rule for rule in policy["ingress"] if rule["ports"][0]["port"] == 9002]
    [peer] = asked["from"]

    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": namespace}
    assert peer["podSelector"]["matchLabels"], "not whatever else is in the namespace"


def test_the_gateways_proxies_reach_servers_and_nobody_elses_do() -> None:
    servers = named(through("agentgateway"), "NetworkPolicy", "routed-servers")["spec"]
    proxy = named(through("istio"), "NetworkPolicy", "model-gateway-proxy")["spec"]

    [rule] = servers["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8000}]
    assert "model-gateway" in str(rule["from"])
    assert "istio-system" in str(proxy["egress"])
    assert "agentgateway-system" not in str(proxy), "the other class is not here"


def test_names_are_kept_for_both_gateways_and_for_no_others() -> None:
    tree = through("agentgateway")
    values = parsed(tree, "components/external-dns/values.yaml")[0]
    label, _, value = values["extraArgs"]["gateway-label-filter"].partition("=")

    assert "gatewayNamespace" not in values
    gateways = {g["metadata"]["name"]: g["metadata"]["labels"] for g in found(tree, "Gateway")}
    assert {name for name, labels in gateways.items() if labels[label] == value} == {
        "models",
        "platform",
    }
    plain = parsed(through(""), "components/external-dns/values.yaml")[0]
    assert plain["gatewayNamespace"] == "envoy-gateway-system"


def test_without_a_model_behind_the_router_there_is_no_second_gateway(tmp_path: Path) -> None:
    said = given("agentgateway")
    tree = render(tmp_path, **said | {"models": said["models"][1:]})

    assert {gateway["metadata"]["name"] for gateway in found(tree, "Gateway")} == {"platform"}


def test_a_class_that_knows_no_pools_is_refused(tmp_path: Path) -> None:
    said = given("cilium")

    with pytest.raises(AnswersError) as refusal:
        checked(Answers(said), Template(ROOT, "v0.0.0"))
    assert [error.id for error in refusal.value.problems] == ["answers.not-a-model-gateway"]
    with pytest.raises(AnswersError, match=re.escape("is on EKS but has no model_gateway")):
        render(tmp_path, **said)


@pytest.mark.cluster
@pytest.mark.parametrize("gateway", ["agentgateway", "istio"])
def test_the_api_server_takes_every_object(gateway: str, one_plane: Planes) -> None:
    report = verify(loaded(through(gateway)), one_plane).report

    assert [str(finding) for finding in report.at_least(Severity.MEDIUM)] == []
