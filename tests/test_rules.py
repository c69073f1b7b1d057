"""Each rule is read by Prometheus, fires or records for what it is about, and for nothing else."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan import copier_adapter
from groundplan.checks._objects import objects
from groundplan.checks.queries import queries, series
from groundplan.exporters import exporters
from groundplan.repository import Repository
from groundplan.schemas import default_charts, default_store
from groundplan.template import Template
from groundplan.tree import Tree
from tests import promtool
from tests.promtool import name, needed, question
from tests.rendering import ENGINES, EVERYTHING, READY, ROOT, parsed
from tests.test_inference import EVALUATION, IMAGE, answers, kept

if TYPE_CHECKING:
    from collections.abc import Mapping

engines = pytest.mark.parametrize("engine", ENGINES)
MODEL = {
    "itl_ms": 50,
    "e2e_ms": 30000,
    "availability": "99.9",
    "evaluation": EVALUATION,
}
SHORT = {
    "{MODEL}": '{namespace="chat", model="qwen3-8b"}',
    "HERE": 'namespace="chat", model_name="qwen3-8b"',
}


@cache
def watched(engine: str) -> Tree:
    """A platform with every component, one model of which all is promised, and two pools."""
    given = answers(model=MODEL, engine=engine, tier="enterprise", practices=READY, **EVERYTHING)
    [pool] = given["pools"]
    given["pools"] = [pool | {"hour_cents": 125}, pool | {"name": "by-the-cloud"}]
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), given, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


@cache
def on_own_machines() -> Tree:
    """A platform with the GPU operator and KServe's cache, which clouds do without, and queues."""
    given = kept() | {"tier": "growing", "accelerator_queues": "kueue"}
    [cluster] = given["clusters"]
    given["clusters"] = [cluster | {"gpu_stack": "operator"}]
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), given, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


@cache
def every() -> tuple[promtool.Rule, ...]:
    """The rules of both engines' repositories, without those that both have twice.

    Of those on one's own machines without the model's, which has the same ones elsewhere.
    """
    found = [rule for engine in ENGINES for _, rule in promtool.rules(watched(engine))]
    own = promtool.rules(on_own_machines())
    found += [rule for path, rule in own if not path.startswith("models/")]
    return tuple({yaml.safe_dump(rule): rule for rule in found}.values())


def cases(*files: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        text = (ROOT / "tests/rules" / file).read_text("utf-8")
        for short, long in SHORT.items():
            text = text.replace(short, long)
        found |= yaml.safe_load(text)
    return found


ALERTS = cases("platform.yaml", "models.yaml")
RECORDED = cases("recorded.yaml")


@pytest.mark.parametrize("platform", [*ENGINES, "on own machines"])
def test_an_alert_says_what_is_the_matter_and_what_to_do(platform: str) -> None:
    tree = watched(platform) if platform in ENGINES else on_own_machines()
    alerts = [(path, rule) for path, rule in promtool.rules(tree) if "alert" in rule]

    assert len({(r["alert"], r["labels"].get("window")) for _, r in alerts}) == len(alerts)
    for path, rule in alerts:
        assert rule["labels"]["severity"] in {"critical", "warning"}, (path, rule["alert"])
        said = rule["annotations"]
        assert said["summary"], (path, rule["alert"])
        runbook = said.get("runbook_url", "").partition("/docs/runbooks/")[2]
        assert said.get("description") or runbook, (path, rule["alert"])
        assert not runbook or f"docs/runbooks/{runbook}" in tree.files, runbook


def test_prometheus_reads_every_rule(tmp_path: Path) -> None:
    assert promtool.read(every(), tmp_path) == ""


def test_there_are_cases_for_just_the_rules_that_there_are() -> None:
    alerts = {name(rule) for rule in every() if "alert" in rule}
    recorded = {name(rule) for rule in every() if "record" in rule}

    assert set(ALERTS) == alerts
    unmatched = {one for one in recorded if not any(fnmatch(one, case) for case in RECORDED)}
    assert unmatched == set()
    assert [case for case in RECORDED if not any(fnmatch(one, case) for one in recorded)] == []


def test_no_alert_that_a_template_writes_is_left_out() -> None:
    """Whatever answers it takes: these platforms together have all alerts but one."""
    written: set[str] = set()
    for file in [*(ROOT / "blueprints").rglob("*.yaml"), *(ROOT / "overlays").rglob("*.yaml")]:
        of_model = file.is_relative_to(ROOT / "blueprints/lib/model")
        alerts = re.findall(r"^ *- alert: (.+)$", file.read_text("utf-8"), re.MULTILINE)
        assert of_model or not [one for one in alerts if not one.isalpha()], file
        written |= set() if of_model else set(alerts)
    rules = (ROOT / "blueprints/model-rules.yaml").read_text("utf-8")
    written |= set(re.findall(r"(?:alert|name): (Model\w+)$", rules, re.MULTILINE))

    # Of a model that may rest, with what holds its requests: test_serving.py.
    assert written - set(ALERTS) == {"ModelRequestsHeld"}


def test_each_alert_fires_for_what_it_is_about_and_for_nothing_else(tmp_path: Path) -> None:
    def asked(alert: str, case: dict[str, Any]) -> list[dict[str, Any]]:
        labels = {"alertname": alert} | case.get("labels", {})
        query = (
            f'group by ({", ".join(labels)}) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
        )
        fired = "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
        return [
            question(case["fires"], case["at"], {query: {fired: 1}}),
            question(case["silent"], case["at"], {query: {}}),
        ]

    about = {one: (needed(one, every()), asked(one, case)) for one, case in ALERTS.items()}
    assert promtool.tested(about, tmp_path) == ""


def test_each_recorded_series_is_what_it_says(tmp_path: Path) -> None:
    def asked(which: str, case: dict[str, Any]) -> list[dict[str, Any]]:
        def named(gives: Mapping[str, float]) -> dict[str, dict[str, float]]:
            found = {name(rule) for rule in every() if fnmatch(name(rule), which)}
            return {f"round({one}, 1e-6)": dict(gives) for one in sorted(found)}

        otherwise = named(case.get("gives_otherwise", {}))
        return [
            question(case["given"], case["at"], named(case["gives"])),
            question(case["otherwise"], case["at"], otherwise),
        ]

    about = {one: (needed(one, every()), asked(one, case)) for one, case in RECORDED.items()}
    assert promtool.tested(about, tmp_path) == ""


PROMISES = {
    "ModelFirstTokenLate": ("vllm:time_to_first_token_seconds", "1.0"),
    "ModelTokensLate": ("vllm:inter_token_latency_seconds", "0.05"),
    "ModelRequestsLate": ("vllm:e2e_request_latency_seconds", "30.0"),
}


def test_a_promise_alerts_by_how_fast_its_budget_burns(tmp_path: Path) -> None:
    """So many percent of requests come too late, where one percent may: which windows say so."""
    rates = {50: "1d 1h 3d 6h", 10: "1d 3d 6h", 4: "1d 3d", 2: "3d", 0.5: ""}

    def asked(alert: str, late: float, windows: list[str]) -> dict[str, Any]:
        series, bound = PROMISES[alert]
        here = SHORT["HERE"]
        given = {
            f'{series}_bucket{{{here}, le="{bound}"}}': f"0+{1000 - 10 * late:g}",
            f"{series}_count{{{here}}}": "0+1000",
        }
        query = f'group by (window) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
        return question(given, "78h", {query: {f'{{window="{w}"}}': 1 for w in windows}})

    about = {
        alert: (needed(alert, every()), [asked(alert, r, w.split()) for r, w in rates.items()])
        for alert in PROMISES
    }
    assert promtool.tested(about, tmp_path) == ""


@cache
def asked_of_models() -> tuple[tuple[str, str], ...]:
    """The queries of models and accelerators, wherever they are, with their objects."""
    repository = Repository.of(
        watched("flux"), schemas=default_store("1.37"), charts=default_charts()
    )
    return tuple(
        (str(resource.id), query)
        for resource in objects(repository)
        if resource.id.namespace in ("chat", "monitoring")
        for query, _ in queries(resource)
    )


def test_prometheus_reads_every_query_of_a_dashboard(tmp_path: Path) -> None:
    dashboards = {query for whose, query in asked_of_models() if "ConfigMap" in whose}

    assert len(dashboards) > 40
    assert promtool.unread(sorted(dashboards), tmp_path) == set()


def test_queries_of_models_name_just_what_is_exported_or_recorded() -> None:
    exported = frozenset().union(*(exporter.known for exporter in exporters()))
    recorded = {name(rule) for rule in every() if "record" in rule}

    asked = frozenset().union(*(series(query) for _, query in asked_of_models()))
    assert asked - exported - recorded == {"up", "model_evaluation_score"}


def test_the_exporter_counts_what_rules_ask_for() -> None:
    [counters] = [
        document["data"]["counters.csv"]
        for path in watched("flux").files
        if path.endswith("dcgm-exporter/counters.yaml")
        for document in parsed(watched("flux"), path)
    ]
    counted = {line.partition(",")[0] for line in counters.splitlines()}

    asked = frozenset().union(*(series(query) for _, query in asked_of_models()))
    assert {one for one in asked if one.startswith("DCGM_")} <= counted


def test_names_are_those_of_the_versions_that_are_run() -> None:
    versions = {exporter.name: exporter.version for exporter in exporters()}
    server = yaml.safe_load((ROOT / "blueprints/model-server.yaml").read_text())
    dcgm = (ROOT / "blueprints/components/dcgm-exporter.yaml").read_text()

    assert versions["vllm"] == server["version"]
    assert f"dcgm-exporter:{versions['dcgm']}-" in dcgm


@cache
def otherwise_served() -> dict[str, list[promtool.Rule]]:
    """The rules of a model on several nodes, of one by KServe, and of one that may rest."""
    ways: dict[str, dict[str, Any]] = {
        "large": {"gpus": 4, "availability": "99.9"},
        "managed": {"serving": "kserve", "most": 2, "availability": "99.9"},
        "resting": {"serving": "llm-d", "access": "gateway", "replicas": 0, "most": 2},
    }
    given = answers(tier="growing", practices=READY, pool={"most": 12, "hour_cents": 125})
    [model], [team] = given["models"], given["teams"]
    given["models"] = [model | {"source": IMAGE, "name": one} | way for one, way in ways.items()]
    given["teams"] = [team | {"gpus": "12"}]
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), given, Path(folder, "rendered"))
        rules = list(promtool.rules(Tree.read(Path(folder, "rendered"))))
    return {one: [r for path, r in rules if path.startswith(f"models/{one}/")] for one in ways}


def test_accelerators_of_a_group_are_those_of_all_its_nodes(tmp_path: Path) -> None:
    """Only the leader is scraped."""
    there = 'namespace="chat", node="n"'
    given: dict[str, Any] = {'up{job="chat/large", namespace="chat", pod="large-0"}': 1}
    for pod in ("large-0", "large-0-1", "large-0-2", "large-0-3", "larger-0"):
        asked = f'kube_pod_container_resource_requests{{{there}, pod="{pod}"'
        given[f'{asked}, resource="nvidia_com_gpu"}}'] = 1
        given[f'kube_pod_info{{{there}, pod="{pod}"}}'] = 1
    wanted = "model:accelerators:sum"
    answer = {f"sum by (model) ({wanted})": {'{model="large"}': 4.0}}

    about = {
        wanted: (needed(wanted, otherwise_served()["large"]), [question(given, "30m", answer)])
    }
    assert promtool.tested(about, tmp_path) == ""


COUNTED = {
    "large": ("kube_statefulset_replicas", "kube_statefulset_status_replicas_ready"),
    "managed": ("kube_deployment_spec_replicas", "kube_deployment_status_replicas_ready"),
}
"""What counts the servers that are wanted and ready, where no Deployment of ours makes them."""
MADE = {"large": 'statefulset="large"', "managed": 'deployment="managed-predictor"'}


@pytest.mark.parametrize("model", COUNTED)
def test_servers_count_whoever_makes_them(model: str, tmp_path: Path) -> None:
    wanted, ready = (f'{one}{{namespace="chat", {MADE[model]}}}' for one in COUNTED[model])
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    missing = {'{alertname="ModelServersMissing"}': 1.0}
    counts = ("model:servers_wanted:sum", "model:servers_ready:sum")

    def asked(least: int) -> dict[str, Any]:
        answers = {
            f"sum by (model) ({one})": {f'{{model="{model}"}}': float(number)}
            for one, number in zip(counts, (2, least), strict=True)
        }
        answers[firing] = missing if least < 2 else {}
        return question({wanted: 2, ready: least}, "2h", answers)

    about = needed("ModelServersMissing", otherwise_served()[model])
    assert promtool.tested({model: (about, [asked(1), asked(2)])}, tmp_path) == ""


@pytest.mark.parametrize("model", COUNTED)
def test_promises_burn_whoever_makes_the_servers(model: str, tmp_path: Path) -> None:
    """By what is scraped: of a group the leader, of KServe the pods of its Deployment."""
    here = f'namespace="chat", model_name="{model}"'
    up = f'up{{job="chat/{model}", namespace="chat", pod="{model}-0"}}'

    def asked(alert: str, given: dict[str, Any], windows: str) -> dict[str, Any]:
        query = f'group by (window) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
        return question(given, "78h", {query: {f'{{window="{w}"}}': 1 for w in windows.split()}})

    def late(percent: int) -> dict[str, Any]:
        series = "vllm:time_to_first_token_seconds"
        in_time = f"0+{1000 - 10 * percent}"
        every = f"{series}_count{{{here}}}"
        return {f'{series}_bucket{{{here}, le="1.0"}}': in_time, every: "0+1000"}

    rules = otherwise_served()[model]
    about = {
        "ModelUnavailable": [({up: 0}, "1d 1h 3d 6h"), ({up: 1}, "")],
        "ModelFirstTokenLate": [(late(50), "1d 1h 3d 6h"), (late(0), "")],
    }
    cases = {
        alert: (needed(alert, rules), [asked(alert, given, windows) for given, windows in said])
        for alert, said in about.items()
    }
    assert promtool.tested(cases, tmp_path) == ""


def test_a_model_that_may_rest_is_not_missed() -> None:
    rules = otherwise_served()
    names = {one: {name(rule) for rule in rules[one]} for one in rules}

    assert "ModelMetricsAbsent" in names["large"] - names["resting"]
    assert names["resting"] >= {"ModelRequestsHeld", "ModelRequestsQueue"}


def test_only_the_rules_of_models_are_excluded_by_name_and_teams_cannot_change_them() -> None:
    tree = watched("flux")
    values = yaml.safe_load(tree.files["components/kube-prometheus-stack/values.yaml"])
    excluded = values["prometheus"]["prometheusSpec"]["excludedFromEnforcement"]
    [named] = [one for one in excluded if "name" in one]
    [rule] = [
        body
        for body in parsed(tree, "models/qwen3-8b/monitoring.yaml")
        if body["kind"] == "PrometheusRule"
    ]
    metadata = rule["metadata"]

    assert named == {
        "namespace": metadata["namespace"],
        "resource": "prometheusrules",
        "name": metadata["name"],
    }
    assert metadata["labels"] == {"groundplan.dev/held-by": "platform"}
    held = parsed(tree, "components/policies/ten-001.yaml")[0]["spec"]["matchConstraints"]
    resources = {name for rule in held["resourceRules"] for name in rule["resources"]}
    assert "prometheusrules" in resources
