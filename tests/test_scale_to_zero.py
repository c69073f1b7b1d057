"""Pools that go to nothing: no DaemonSet keeps a node with accelerators, no pool an empty one.

Read in Karpenter 1.15: a DaemonSet's pods count for nothing, unless they bear `do-not-disrupt` or
belong to a disruption budget that lets none go. The cluster autoscaler counts accelerators alone
on nodes that have some, and no pods of DaemonSets when it empties one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks
from groundplan.charts import given
from groundplan.findings import Passed, Severity
from groundplan.schemas import Missing
from tests.rendering import CLUSTERS, ENGINES, READY
from tests.test_inference import CLOUDS, TEAM, found, loaded, render

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.repository import Repository
    from groundplan.tree import Tree

LASTING = ("do-not-disrupt", "safe-to-evict")
GPU = ("GPU001", "GPU004", "GPU006", "GPU015", "GPU019", "GPU029", "GPU030")


def everywhere(folder: Path, tier: str, engine: str, stack: str) -> Tree:
    """A platform with a pool at each place; whoever may be answered looks after their nodes."""
    clusters: list[dict[str, Any]] = [
        CLUSTERS[place]
        | ({"management": "factory"} if place == "capi" else {})
        | ({"gpu_stack": stack} if stack and place != "gke" else {})
        for place in CLOUDS
    ]
    pools = [
        {
            "name": f"gpu-{cluster['place']}",
            "cluster": cluster["name"],
            "accelerator": CLOUDS[cluster["place"]],
            "per_node": 1,
            "most": 1,
        }
        for cluster in clusters
    ]
    answers = {"clusters": clusters, "pools": pools, "teams": [TEAM], "practices": READY}
    return render(folder, tier=tier, engine=engine, **answers)


def values(repository: Repository) -> dict[str, str]:
    """What each chart is told, and what it says by itself where that is known."""
    return {
        installed.release.chart: json.dumps(given(installed.release))
        + ("" if isinstance(installed.chart, Missing) else json.dumps(installed.chart.values))
        for installed in repository.installations
    }


@pytest.mark.parametrize("stack", ["", "operator"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tier", ["small", "growing", "enterprise"])
def test_nothing_keeps_a_node_with_accelerators(
    tier: str, engine: str, stack: str, tmp_path: Path
) -> None:
    tree = everywhere(tmp_path, tier, engine, stack)
    repository = loaded(tree)

    report = checks.run(repository, only=GPU)
    assert [str(one) for one in report.at_least(Severity.LOW)] == []
    seen = {
        result.check_id: sum(o.count for o in result.outcomes if isinstance(o, Passed))
        for result in report.results
    }
    # DCGM's exporter where the operator does not bring it, which is never at GKE.
    assert seen["GPU029"] >= 1
    assert seen["GPU030"] >= 2
    told = values(repository)
    assert [chart for chart, said in told.items() if any(word in said for word in LASTING)] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_every_pool_may_be_empty(engine: str, tmp_path: Path) -> None:
    tree = everywhere(tmp_path, "growing", engine, "")

    karpenter = [p["spec"] for p in found(tree, "NodePool") if p["metadata"]["name"][:4] == "gpu-"]
    waits = [spec["disruption"]["consolidateAfter"] for spec in karpenter]
    assert waits == ["10m", "10m"]
    assert [spec["disruption"]["consolidationPolicy"] for spec in karpenter] == ["WhenEmpty"] * 2
    assert [spec.get("replicas") for spec in karpenter] == [None] * 2
    [gke] = [c["spec"] for c in found(tree, "ComputeClass") if c["metadata"]["name"][:4] == "gpu-"]
    assert gke["nodePoolAutoCreation"] == {"enabled": True}
    assert not gke.get("autoscalingPolicy", {}).get("minNodes")
    [capi] = [m for m in found(tree, "MachineDeployment") if "gpu" in m["metadata"]["name"]]
    least = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
    assert capi["metadata"]["annotations"][least] == "0"
    assert "replicas" not in capi["spec"]
