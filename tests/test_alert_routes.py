"""Alerts about a team's namespaces go to the team, whatever the form of its contact."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from groundplan import copier_adapter
from groundplan.template import Template
from groundplan.tree import Tree
from tests.rendering import (
    CLUSTERS,
    ENGINES,
    READY,
    ROOT,
    TEAMS,
    TIERS,
    on_clusters,
    one,
    rendered,
)


def route(contact: str) -> Any:
    """The route of the only namespace of a team with this contact."""
    team = {"name": "shop", "namespaces": ["shop"], "contact": contact}
    answers = {"tier": "growing", "clusters": [CLUSTERS["kind"]], "teams": [team]}
    answers |= {"practices": READY}
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), answers, Path(folder, "rendered"))
        return one(Tree.read(Path(folder, "rendered")), "tenants/shop/shop/alert-route.yaml")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tier", ["growing", "enterprise"])
def test_each_namespace_of_a_team_has_a_route_to_the_team(engine: str, tier: str) -> None:
    tree = rendered(engine, tier)

    for team in TEAMS:
        for namespace in team["namespaces"]:
            folder = f"tenants/{team['name']}/{namespace}"
            assert "alert-route.yaml" in one(tree, f"{folder}/kustomization.yaml")["resources"]
            found = one(tree, f"{folder}/alert-route.yaml")
            assert found["metadata"]["namespace"] == namespace
            names = {receiver["name"] for receiver in found["spec"]["receivers"]}
            assert found["spec"]["route"]["receiver"] in names


@pytest.mark.parametrize("engine", ENGINES)
def test_one_team_alone_needs_no_routes(engine: str) -> None:
    tree = rendered(engine, "small")

    assert [path for path in tree.files if path.endswith("alert-route.yaml")] == []
    assert "alert-receiver" not in tree.files["docs/bootstrap.md"].decode()


def test_a_channel_is_told_by_slack_and_everybody_else_by_a_webhook() -> None:
    address = {"name": "alert-receiver", "key": "url"}

    [slack] = route("#shop")["spec"]["receivers"]
    assert [config["apiURL"] for config in slack["slackConfigs"]] == [address]
    assert [config["channel"] for config in slack["slackConfigs"]] == ["#shop"]
    for contact in ("shop@acme.example", "@acme/shop", "https://acme.example/oncall/shop"):
        [receiver] = route(contact)["spec"]["receivers"]
        assert [config["urlSecret"] for config in receiver["webhookConfigs"]] == [address]


def test_only_teams_have_routes_and_only_for_their_own_namespace() -> None:
    values = yaml.safe_load(
        rendered("flux", "growing").files["components/kube-prometheus-stack/values.yaml"]
    )["alertmanager"]

    assert values["alertmanagerSpec"]["alertmanagerConfigMatcherStrategy"] == {
        "type": "OnNamespace"
    }
    assert values["alertmanagerSpec"]["alertmanagerConfigNamespaceSelector"] == {
        "matchExpressions": [{"key": "groundplan.dev/tenant", "operator": "Exists"}]
    }
    assert values["config"]["route"]["receiver"] == "oncall"


def monitoring(tree: Tree) -> Any:
    """What Prometheus is told."""
    values = yaml.safe_load(tree.files["components/kube-prometheus-stack/values.yaml"])
    return values["prometheus"]["prometheusSpec"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tier", TIERS)
def test_a_team_reads_and_alerts_on_no_series_but_its_own(engine: str, tier: str) -> None:
    tree = rendered(engine, tier)
    spec = monitoring(tree)
    excluded = {(one["namespace"], one["resource"]) for one in spec["excludedFromEnforcement"]}

    assert spec["enforcedNamespaceLabel"] == "namespace"
    teams = {namespace for team in TEAMS for namespace in team["namespaces"]}
    assert not teams & {namespace for namespace, _ in excluded}
    of_platform = {
        (namespace, kind.lower() + "s")
        for on in on_clusters(tree).values()
        for _, kind, namespace, _ in on
        if kind in {"PodMonitor", "PrometheusRule", "ServiceMonitor"} and namespace not in teams
    }
    assert len(of_platform) > 3
    assert of_platform <= excluded


def test_where_no_team_is_nothing_is_enforced(tmp_path: Path) -> None:
    copier_adapter.render(Template(ROOT, "v0"), {}, tmp_path / "rendered")
    spec = monitoring(Tree.read(tmp_path / "rendered"))

    assert not {"enforcedNamespaceLabel", "excludedFromEnforcement"} & spec.keys()
