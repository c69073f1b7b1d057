"""What claimed and shared accelerators cost, and who is told when nobody uses them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest

from tests import promtool
from tests.promtool import needed, question
from tests.test_inference import render
from tests.test_pools import SHARED, SLICED, On

if TYPE_CHECKING:
    from groundplan.tree import Tree

PRICED = {"hour_cents": 200}
PARTS = {"sharing": "mps", "shares": 4}
CLAIMED = {"sharing": "dra", "per_node": 2, "most": 2}
GPU = "kube_node_status_allocatable{node='n', resource='%s'}"
ASKS = "kube_pod_container_resource_requests{namespace='chat', pod='a', node='n', resource='%s'}"
HELD = (
    "DCGM_FI_DEV_GPU_TEMP{node='n', gpu='%s', dra_claim_name='c', exported_namespace='chat',"
    " exported_pod='a'}"
)
LABELS = {
    "eks": "kube_node_labels{node='n', label_groundplan_dev_pool='gpu'}",
    "gke": "kube_node_labels{node='n', label_cloud_google_com_compute_class='gpu'}",
    "capi": "kube_node_labels{node='n', label_node_cluster_x_k8s_io_pool='gpu'}",
}
POD = {
    "kube_pod_status_phase{namespace='chat', pod='a', phase='Running'}": 1,
    "kube_pod_info{namespace='chat', pod='a', node='n'}": 1,
    "kube_pod_info{namespace='chat', pod='other', node='n'}": 1,
    "up{job='chat/qwen3-8b', namespace='chat', pod='a'}": 1,
    # Half a million tokens an hour.
    "vllm:generation_tokens_total{namespace='chat', model_name='qwen3-8b'}": "0+8333.333333",
}
SEEN = "DCGM_FI_DEV_GPU_TEMP{node='n', gpu='0'}"


@dataclass(frozen=True, eq=False)
class Metered:
    """A node with accelerators, and the model's pod on it."""

    on: On
    resource: str
    """What pods ask for; nothing where they claim."""
    there: int
    """How many of it the node has."""
    asked: int
    """How many of it the pod has."""
    cost: float
    """An hour, of these."""

    def __str__(self) -> str:
        return str(self.on)

    @property
    def node(self) -> dict[str, Any]:
        """What is exported of the node."""
        allocatable = {GPU % self.resource: self.there} if self.resource else {}
        return {LABELS[self.on.place]: 1} | allocatable

    @property
    def pod(self) -> dict[str, Any]:
        """What is exported of the pod."""
        if self.resource:
            return POD | {ASKS % self.resource: self.asked}
        return POD | {HELD % gpu: 50 for gpu in range(self.asked)}

    @cache  # noqa: B019
    def tree(self) -> Tree:
        """The platform."""
        given = self.on.answers
        given["teams"] = [given["teams"][0] | {"gpus": "8"}]
        given["models"] = [model | {"gpus": self.asked} for model in given["models"]]
        return render(Path(mkdtemp()), tier="growing", **given)

    def judged(self, cases: dict[str, list[dict[str, Any]]], folder: Path) -> str:
        """Ask promtool about rules of the platform."""
        every = [rule for _, rule in promtool.rules(self.tree())]
        return promtool.tested({one: (needed(one, every), c) for one, c in cases.items()}, folder)


WAYS = (
    Metered(On("eks", pool=SHARED | PRICED), "nvidia_com_gpu_shared", 4, 1, 0.5),
    Metered(On("eks", "operator", PARTS | PRICED), "nvidia_com_gpu_shared", 4, 2, 1),
    Metered(On("gke", pool=SLICED | PRICED), "nvidia_com_gpu", 2, 1, 1),
    Metered(On("capi", "operator", SLICED | PRICED), "nvidia_com_mig_3g_40gb", 2, 1, 1),
    Metered(On("capi", "operator", CLAIMED | PRICED), "", 2, 2, 4),
)
ways = pytest.mark.parametrize("way", WAYS, ids=str)


@ways
def test_a_team_pays_for_what_its_pods_hold_and_for_nothing_else(
    way: Metered, tmp_path: Path
) -> None:
    node, pod = way.node, way.pod
    team = "round(team:accelerator_cost_per_hour:sum, 1e-3)"
    has = "sum by (node) (node:accelerators:sum)"
    cases = {
        "node:accelerators:sum": [question(node, "30m", {has: {'{node="n"}': way.there}})],
        "team:accelerator_cost_per_hour:sum": [
            question(node | pod, "30m", {team: {'{team="ml"}': way.cost}}),
            question(node, "30m", {team: {}}),
            question(pod, "30m", {team: {}}),
        ],
    }
    assert way.judged(cases, tmp_path) == ""


@pytest.mark.parametrize("way", [way for way in WAYS if way.on.served], ids=str)
def test_a_model_pays_for_its_own_pods(way: Metered, tmp_path: Path) -> None:
    node, pod = way.node, way.pod
    hour, tokens = "model:cost_per_hour:sum", "model:cost_per_million_tokens:ratio1h"
    model = '{namespace="chat", model="qwen3-8b"}'
    nobody = {series: value for series, value in pod.items() if not series.startswith("up{")}
    cases = {
        "model:accelerators:sum": [
            question(node | pod, "30m", {"round(model:accelerators:sum)": {model: way.asked}}),
            question(node | nobody, "30m", {"model:accelerators:sum": {}}),
        ],
        hour: [
            question(node | pod, "30m", {f"round({hour}, 1e-3)": {model: way.cost}}),
            question(node | nobody, "30m", {hour: {}}),
            question(pod, "30m", {hour: {}}),
        ],
        tokens: [question(node | pod, "3h", {f"round({tokens}, 1e-1)": {model: 2 * way.cost}})],
    }
    assert way.judged(cases, tmp_path) == ""


@ways
def test_somebody_is_told_of_a_node_that_nobody_reads_or_uses(way: Metered, tmp_path: Path) -> None:
    node, pod = way.node, way.pod
    firing = 'count by (alertname, node) (ALERTS{alertstate="firing"})'

    def told(alert: str, given: dict[str, Any], *, fires: bool) -> dict[str, Any]:
        gives = {f'{{alertname="{alert}", node="n"}}': 1.0} if fires else {}
        return question(given, "3h", {firing: gives})

    cases = {
        "AcceleratorUnseen": [
            told("AcceleratorUnseen", node, fires=True),
            told("AcceleratorUnseen", node | {SEEN: 50}, fires=False),
        ],
        "AcceleratorNodeUnused": [
            told("AcceleratorNodeUnused", node, fires=True),
            told("AcceleratorNodeUnused", node | pod, fires=False),
        ],
    }
    assert way.judged(cases, tmp_path) == ""


def test_nodes_that_stand_may_be_empty(tmp_path: Path) -> None:
    way = Metered(On("capi", pool={"minimum": 1}), "nvidia_com_gpu", 1, 1, 0)
    alert, firing = "AcceleratorNodeUnused", 'count by (node) (ALERTS{alertstate="firing"})'
    other = {
        series.replace("'gpu'", "'made'").replace("'n'", "'m'"): value
        for series, value in way.node.items()
    }

    cases = {alert: [question(way.node | other, "3h", {firing: {'{node="m"}': 1.0}})]}
    assert way.judged(cases, tmp_path) == ""
    assert [b"nodes=[node.cluster.x-k8s.io/pool]" in t for t in way.tree().files.values()].count(
        True
    ) == 1


@ways
def test_nodes_say_of_which_pool_they_are_where_a_rule_asks(way: Metered) -> None:
    label = LABELS[way.on.place].partition(", ")[2].partition("=")[0]

    [values] = [text for text in way.tree().files.values() if b"metricLabelsAllowlist" in text]
    said = values.decode().partition("nodes=[")[2].partition("]")[0]
    assert "label_" + re.sub("[^a-zA-Z0-9]", "_", said) == label
