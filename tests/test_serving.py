"""How models are served: by which controller, on how many nodes, and by how many servers."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import yaml

from groundplan import checks
from groundplan.answers.model_servers import sized
from groundplan.errors import AnswersError
from groundplan.findings import Passed, Severity
from groundplan.tree import Tree
from groundplan.verify import verify
from groundplan.verify.pod_templates import pods
from tests import control_planes, promtool
from tests.rendering import READY
from tests.test_inference import IMAGE, KNOWN, QWEN, TEAM, answers, found, loaded, render

engines = pytest.mark.parametrize("engine", ["flux", "argocd"])
MODELS = {
    "scaled": {"replicas": 2, "most": 4},
    "large": {"gpus": 4},
    "managed": {"serving": "kserve", "replicas": 2},
    "managed-scaled": {"serving": "kserve", "most": 2},
    "routed": {"serving": "llm-d", "access": "gateway", "replicas": 0, "most": 4},
    "routed-large": {"serving": "llm-d", "access": "gateway", "gpus": 2, "most": 2},
}
"""One model for each way to serve it."""
GIVEN = {"tier": "growing", "practices": READY, "teams": [TEAM | {"gpus": "20"}]}


def served(folder: Path, model: dict[str, Any], **more: Any) -> Tree:
    """A platform of the tier growing that has room for four servers of one model."""
    given = GIVEN | {"pool": {"most": 4}, "teams": [TEAM | {"gpus": "4"}]} | more
    return render(folder, **answers("eks", {"source": IMAGE} | model, **given))


@cache
def every_way(engine: str) -> Tree:
    """A platform with a model for each way to serve it; rendered once per run."""
    models = [QWEN | {"source": IMAGE, "name": name} | model for name, model in MODELS.items()]
    given = answers("eks", pool={"most": 20}, **GIVEN) | {"models": models, "engine": engine}
    return render(Path(mkdtemp()), **given)


def servers(tree: Tree) -> dict[str, Any]:
    """What makes the pods of each model, by name."""
    kinds = ("Deployment", "LeaderWorkerSet", "InferenceService")
    every = [body for kind in kinds for body in found(tree, kind)]
    return {b["metadata"]["name"]: b for b in every if b["metadata"]["name"] in MODELS}


@engines
def test_no_way_to_serve_has_a_finding(engine: str) -> None:
    report = checks.run(loaded(every_way(engine)))

    assert [str(finding) for finding in report.at_least(Severity.LOW)] == []
    seen = {result.check_id: result for result in report.results}
    for check in ("SRV001", "SRV010", "GPU014", "MET001", "MET004", "SCL001", "SCL002"):
        assert seen[check].evaluated, check


def test_both_engines_give_the_same_servers() -> None:
    assert servers(every_way("flux")) == servers(every_way("argocd"))


def test_a_server_is_the_same_pod_whoever_makes_it() -> None:
    """What only one of them has are its place in a group, and the name that KServe wants."""
    made = {
        resource.id.name: [pod["spec"] for _, pod in pods(resource)]
        for resource in loaded(every_way("flux")).resources
        if resource.id.name in MODELS and list(pods(resource))
    }
    assert {name: len(specs) for name, specs in made.items()} == {
        "scaled": 1,
        "large": 2,
        "managed": 1,
        "managed-scaled": 1,
        "routed": 1,
        "routed-large": 2,
    }
    for name, (spec, *_) in made.items():
        [engine] = spec["containers"]
        probe = engine["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 1800
        assert engine["livenessProbe"]["httpGet"]["path"] == "/health", name
        assert spec["terminationGracePeriodSeconds"] == 150
        assert {"name": "shm", "mountPath": "/dev/shm"} in engine["volumeMounts"]  # noqa: S108
        assert engine["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"name": "HF_HUB_OFFLINE", "value": "1"} in engine["env"]
        assert spec["nodeSelector"] == {"groundplan.dev/pool": "gpu"}


def test_a_group_is_as_many_nodes_as_its_accelerators_fill() -> None:
    spec = servers(every_way("flux"))["large"]["spec"]
    template = spec["leaderWorkerTemplate"]
    leader, worker = template["leaderTemplate"]["spec"], template["workerTemplate"]["spec"]

    assert template["size"] == 4
    assert spec["startupPolicy"] == "LeaderCreated", "a leader that waits for workers never starts"
    for pod in (leader, worker):
        [engine] = pod["containers"]
        assert engine["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert {"--tensor-parallel-size=1", "--pipeline-parallel-size=4"} <= {*engine["args"]}
    [follower] = worker["containers"]
    assert "--headless" in follower["args"]
    assert not {"ports", "startupProbe", "livenessProbe"} & follower.keys()
    [service] = [s for s in found(every_way("flux"), "Service") if s["metadata"]["name"] == "large"]
    labels = template["workerTemplate"]["metadata"]["labels"]
    assert not service["spec"]["selector"].items() <= labels.items(), "a worker would get requests"


@engines
def test_the_number_of_servers_follows_the_load_within_the_pool(engine: str) -> None:
    tree = every_way(engine)
    scalers = {s["metadata"]["name"]: s["spec"] for s in found(tree, "ScaledObject")}

    assert scalers.keys() == {"scaled", "managed-scaled", "routed", "routed-large"}
    for name, spec in scalers.items():
        server = servers(tree)[name]
        if name == "managed-scaled":
            aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-predictor"}
        else:
            aim = {"apiVersion": server["apiVersion"], "kind": server["kind"], "name": name}
        assert spec["scaleTargetRef"] == aim
        assert "replicas" not in server["spec"], "GitOps would set back what KEDA sets"
        down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] >= 600
    assert (scalers["scaled"]["minReplicaCount"], scalers["scaled"]["maxReplicaCount"]) == (2, 4)
    queries = [trigger["metadata"]["query"] for trigger in scalers["routed"]["triggers"]]
    assert all("llm_d_epp_" in query for query in queries), "nobody answers at nothing"


def test_kserve_leaves_the_replicas_to_the_scaler_or_has_as_many_as_are_written() -> None:
    """Read in KServe 0.20: of the class external it sets no number, of none the least one."""
    made = servers(every_way("flux"))
    classes = {
        name: made[name]["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"]
        for name in ("managed", "managed-scaled")
    }

    assert classes == {"managed": "none", "managed-scaled": "external"}
    assert made["managed"]["spec"]["predictor"]["minReplicas"] == 2
    assert made["managed-scaled"]["spec"]["predictor"]["maxReplicas"] == 2


def test_nobody_is_called_because_nobody_asks() -> None:
    rules = {r["metadata"]["name"]: r["spec"] for r in found(every_way("flux"), "PrometheusRule")}
    alerts = {
        name: {
            rule["alert"] for g in rules[name]["groups"] for rule in g["rules"] if "alert" in rule
        }
        for name in ("scaled", "routed")
    }

    assert "ModelMetricsAbsent" in alerts["scaled"] - alerts["routed"]
    assert "ModelRequestsHeld" in alerts["routed"] - alerts["scaled"]


READY_SERVERS = 'llm_d_epp_ready_endpoints{namespace="chat", name="routed"}'
RUNNING = 'vllm:num_requests_running{namespace="chat", model_name="routed"}'
HELD = (
    "llm_d_epp_flow_control_queue_size"
    '{namespace="chat", inference_pool="routed", model_name="routed"}'
)


@pytest.mark.parametrize(
    ("series", "running", "held", "alerted"),
    [
        ({READY_SERVERS: 0}, 0, 0, False),
        ({READY_SERVERS: 0, HELD: 3}, 0, 3, True),
        ({READY_SERVERS: 1, HELD: 3, RUNNING: 4}, 4, 3, False),
        ({READY_SERVERS: 1}, None, 0, False),
        ({RUNNING: 4}, 4, None, False),
    ],
    ids=["nobody asks", "no server comes", "busy", "servers not heard", "picker not heard"],
)
def test_no_server_is_no_load_and_a_server_that_is_not_heard_is_an_error(
    series: dict[str, float],
    running: float | None,
    held: float | None,
    alerted: bool,
    tmp_path: Path,
) -> None:
    tree = every_way("flux")
    [scaler] = [s for s in found(tree, "ScaledObject") if s["metadata"]["name"] == "routed"]
    queries = {t["name"]: t["metadata"]["query"] for t in scaler["spec"]["triggers"]}
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    expected = {
        queries["running"]: {} if running is None else {"{}": running},
        queries["held"]: {} if held is None else {"{}": held},
        firing: {'{alertname="ModelRequestsHeld"}': 1} if alerted else {},
    }
    rules = [rule for path, rule in promtool.rules(tree) if path.startswith("models/routed/")]
    asked = promtool.needed("ModelRequestsHeld", rules)

    question = promtool.question(series, "3h", expected)
    assert promtool.tested({"routed": (asked, [question])}, tmp_path) == ""


def test_a_request_is_held_as_long_as_an_answer_may_take() -> None:
    tree = every_way("flux")
    [config] = [c for c in found(tree, "ConfigMap") if c["metadata"]["name"] == "routed-picker"]
    [route] = [r for r in found(tree, "HTTPRoute") if r["metadata"]["name"] == "routed"]
    [policy] = [p for p in found(tree, "EnvoyExtensionPolicy") if p["metadata"]["name"] == "routed"]

    held = yaml.safe_load(config["data"]["picker.yaml"])["flowControl"]["defaultRequestTTL"]
    assert held == route["spec"]["rules"][0]["timeouts"]["request"]
    assert held == policy["spec"]["extProc"][0]["messageTimeout"], "Envoy gives up no sooner"


def test_what_chooses_a_server_may_read_pods_and_nothing_more() -> None:
    tree = every_way("flux")

    [role] = [r for r in found(tree, "Role") if r["metadata"]["name"] == "routed-picker"]
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    [policy] = [p for p in found(tree, "NetworkPolicy") if p["metadata"]["name"] == "routed-picker"]
    ports = [p["port"] for rule in policy["spec"]["ingress"] for p in rule["ports"]]
    assert sorted(ports) == [9002, 9090]
    assert "0.0.0.0/0" not in str(policy)


@pytest.mark.parametrize("name", ["scaled", "large", "managed"])
@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        ("SRV001", "failureThreshold: 180", "failureThreshold: 3"),
        ("SRV007", "--model=/models", "--model=Qwen/Qwen3-8B"),
        ("SRV010", "terminationGracePeriodSeconds: 150", "terminationGracePeriodSeconds: 5"),
        ("GPU014", "maxSurge: 0", "maxSurge: 1"),
    ],
)
def test_no_way_to_serve_hides_a_server_from_the_checks(
    name: str, check: str, right: str, wrong: str
) -> None:
    tree, path = every_way("flux"), f"models/{name}/server.yaml"
    assert right.encode() in tree.files[path]
    changed = tree.files[path].replace(right.encode(), wrong.encode())
    report = checks.run(loaded(Tree.of({**tree.files, path: changed})), only=[check])

    assert {finding.location.path for finding in report.findings} == {path}


@pytest.mark.parametrize(
    ("check", "file", "right", "wrong"),
    [
        ("SCL001", "server", "Class: external", "Class: none"),
        ("SCL001", "server", "    serving.kserve.io/autoscalerClass: external\n", ""),
        ("SCL002", "scaling", "maxReplicaCount: 2", "maxReplicaCount: 40"),
    ],
)
def test_a_scaler_of_what_kserve_makes_is_checked_against_kserve(
    check: str, file: str, right: str, wrong: str
) -> None:
    tree, path = every_way("flux"), f"models/managed-scaled/{file}.yaml"
    changed = tree.files[path].replace(right.encode(), wrong.encode())
    assert changed != tree.files[path]
    report = checks.run(loaded(Tree.of({**tree.files, path: changed})), only=[check])

    assert {one.location.path for one in report.findings} == {path}


@pytest.mark.parametrize(
    ("model", "pool", "gpus", "nodes"),
    [
        ({}, {"per_node": 1, "most": 8}, 1, 1),
        ({"context": 32768}, {"per_node": 4, "most": 8}, 4, 1),
        ({"context": 131072}, {"per_node": 4, "most": 8}, 8, 2),
        ({"context": 131072}, {"per_node": 4, "most": 4}, 1, 1),
        ({"gpus": 16}, {"per_node": 8, "most": 16}, 16, 2),
    ],
)
def test_a_server_has_as_few_accelerators_as_the_model_fits_in(
    model: dict[str, Any], pool: dict[str, Any], gpus: int, nodes: int
) -> None:
    got = sized(QWEN | model, pool, KNOWN.accelerators["l4"], KNOWN.server)

    assert (got["gpus"], got["nodes"]) == (gpus, nodes)


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        ({"replicas": 3, "most": 2}, {}, "has at most 2 replicas and begins with 3"),
        ({"most": 2}, {"tier": "small"}, "the tier small does not have it"),
        ({"most": 5}, {}, "has at most 4 accelerators and its models want 5"),
        ({"most": 3}, {"teams": [TEAM | {"gpus": "2"}]}, 'may use 2 accelerators in "chat"'),
        ({"most": 2, "source": QWEN["source"]}, {}, "has nothing that several of them can read"),
        ({"gpus": 6}, {"pool": {"per_node": 4, "most": 8}}, "which are no whole nodes"),
        ({"gpus": 2}, {"tier": "small"}, "on 2 nodes, which needs LeaderWorkerSet"),
        ({"serving": "kserve"}, {"tier": "small"}, "kserve, which the tier small does not have"),
        ({"serving": "kserve", "gpus": 2}, {}, "KServe's servers are on one each"),
        ({"serving": "llm-d"}, {}, "write access: gateway"),
        ({"serving": "triton"}, {}, "there are deployment, kserve and llm-d"),
        ({"replicas": 0}, {}, "nobody counts the requests"),
        (MODELS["routed"] | {"availability": "99"}, {}, "promises an availability"),
    ],
)
def test_the_template_itself_refuses_what_cannot_be_served_so(
    model: dict[str, Any], more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(AnswersError, match=re.escape(sentence)):
        served(tmp_path / "refused", model, **more)


@pytest.mark.cluster
def test_a_server_takes_every_way_and_the_scheduler_places_leaders_and_workers() -> None:
    report = verify(loaded(every_way("flux")), control_planes.scheduled).report

    assert [str(finding) for finding in report.at_least(Severity.MEDIUM)] == []
    [landed] = [result for result in report.results if result.check_id == "SCH001"]
    assert [outcome for outcome in landed.outcomes if not isinstance(outcome, Passed)] == []
    # Four servers of a pod each, and groups of four and of two.
    assert sum(o.count for o in landed.outcomes if isinstance(o, Passed)) == 4 + 4 + 2
