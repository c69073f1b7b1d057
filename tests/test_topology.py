"""Pools that stand, and Kueue that looks at their nodes: what is rendered, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundplan import checks, cli, documents
from groundplan.errors import ExitCode
from groundplan.findings import Severity
from groundplan.repository import ANSWERS_FILE
from groundplan.verify import verify
from tests.rendering import ROOT
from tests.test_inference import IMAGE, QWEN, TEAM, answers, found, loaded, render
from tests.test_pools import refuse

if TYPE_CHECKING:
    from pathlib import Path

    from tests.control_planes import Planes

PREFIX = "kueue.x-k8s.io/podset-"
RACK, HOST = "node.cluster.x-k8s.io/rack", "kubernetes.io/hostname"
ONE_BY_ONE = {f"{PREFIX}unconstrained-topology": "true"}
STANDING = {"accelerator": "h100", "per_node": 4, "most": 16, "minimum": 16}
RACKS = {"topology": ["rack", "node"], "racks": ["a", "b"]}


def standing(place: str = "capi", model: dict[str, Any] | None = None, **pool: Any) -> Any:
    """A platform with queues and a pool that is never empty, with a model of two nodes."""
    return answers(
        place,
        {"source": IMAGE, "gpus": 8} | (model or {}),
        pool=STANDING | pool,
        teams=[TEAM | {"gpus": "16"}],
        tier="growing",
        accelerator_queues="kueue",
    )


def asked(tree: Any) -> list[dict[str, str]]:
    """The annotations of every pod template of a model."""
    sets = [s["spec"]["leaderWorkerTemplate"] for s in found(tree, "LeaderWorkerSet")]
    templates = [t for s in sets for t in (s["leaderTemplate"], s["workerTemplate"])]
    templates += [
        d["spec"]["template"]
        for d in found(tree, "Deployment")
        if d["metadata"]["name"].startswith("qwen")
    ]
    predictors = [one["spec"]["predictor"] for one in found(tree, "InferenceService")]
    every = [t["metadata"].get("annotations", {}) for t in templates]
    return every + [p.get("annotations", {}) for p in predictors]


@pytest.mark.cluster
@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_a_pool_in_racks_is_a_topology_that_a_group_is_placed_by(
    engine: str, one_plane: Planes, tmp_path: Path
) -> None:
    tree = render(tmp_path, engine=engine, **standing(**RACKS))

    [flavour] = found(tree, "ResourceFlavor")
    [topology] = found(tree, "Topology")
    assert flavour["spec"]["topologyName"] == topology["metadata"]["name"]
    assert [one["nodeLabel"] for one in topology["spec"]["levels"]] == [RACK, HOST]
    group = {f"{PREFIX}required-topology": RACK, f"{PREFIX}group-name": "qwen3-8b"}
    assert asked(tree) == [group, group]
    machines = [m for m in found(tree, "MachineDeployment") if "gpu" in m["metadata"]["name"]]
    labels = [m["spec"]["template"]["metadata"]["labels"] for m in machines]
    assert [
        (m["spec"]["replicas"], one[RACK]) for m, one in zip(machines, labels, strict=True)
    ] == [
        (2, "a"),
        (2, "b"),
    ]
    repository = loaded(tree)
    assert [str(one) for one in checks.run(repository).at_least(Severity.LOW)] == []
    report = verify(repository, one_plane).report
    assert [str(finding) for finding in report.findings] == []


def test_a_group_that_no_rack_holds_is_kept_together_as_far_as_can_be(tmp_path: Path) -> None:
    tree = render(tmp_path, **standing(topology=["rack", "node"], racks=["a", "b", "c", "d"]))

    group = {f"{PREFIX}preferred-topology": RACK, f"{PREFIX}group-name": "qwen3-8b"}
    assert asked(tree) == [group, group]


@pytest.mark.parametrize("serving", ["deployment", "kserve"])
def test_a_server_on_one_node_is_put_where_it_leaves_least(serving: str, tmp_path: Path) -> None:
    tree = render(tmp_path, **standing(model={"gpus": 4, "serving": serving}, **RACKS))

    assert asked(tree) == [ONE_BY_ONE]


def test_a_topology_of_nodes_alone_counts_them_one_by_one(tmp_path: Path) -> None:
    tree = render(tmp_path, **standing(topology=["node"]))

    [topology] = found(tree, "Topology")
    assert topology["spec"]["levels"] == [{"nodeLabel": HOST}]
    assert asked(tree) == [ONE_BY_ONE, ONE_BY_ONE]


def test_a_pool_may_keep_some_nodes_and_no_topology(tmp_path: Path) -> None:
    given = standing(minimum=8, hour_cents=250)
    tree = render(tmp_path, **given)

    assert found(tree, "Topology") == []
    assert asked(tree) == [{}, {}]
    [machines] = [m for m in found(tree, "MachineDeployment") if "gpu" in m["metadata"]["name"]]
    size = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-{}-size"
    notes = machines["metadata"]["annotations"]
    assert [notes[size.format(end)] for end in ("min", "max")] == ["2", "4"]
    assert "replicas" not in machines["spec"]
    [text] = [
        t.decode() for p, t in tree.files.items() if p.endswith("accelerator-pools/pools.yaml")
    ]
    assert "8 accelerators, for 20.00 an hour." in text
    said = tree.root / ANSWERS_FILE
    said.write_text(re.sub("_commit: .*\n", "", said.read_text()))
    done = CliRunner().invoke(cli.main, ["report", "--models", str(tree.root)])
    assert done.exit_code == ExitCode.CLEAN, done.output
    stands = "Pool gpu of factory always has 8 \N{MULTIPLICATION SIGN} NVIDIA H100 80 GB"
    assert f"{stands}; it costs 20.00 an hour and 14600 a month, used or not." in done.stdout
    assert "`--enforce-node-group-min-size=true`" in tree.files["docs/bootstrap.md"].decode()


@pytest.mark.parametrize(
    ("pool", "fault", "reason"),
    [
        ({"minimum": 6}, "minimum-not-whole", "whole nodes"),
        ({"minimum": 20}, "minimum-above-most", "most"),
        ({"topology": ["rack"]}, "topology-out-of-order", "down to node"),
        ({"topology": ["node", "rack"]}, "topology-out-of-order", "in this order"),
        ({"topology": ["node"], "minimum": 12}, "topology-of-empty-pool", "nodes that exist"),
        ({"topology": ["node"], "sharing": "dra"}, "topology-of-claims", "does not queue"),
        ({"topology": ["rack", "node"]}, "no-racks", "names?"),
        ({"topology": ["node"], "racks": ["a"]}, "idle-key", "unless rack is in"),
        ({"racks": ["a"]}, "idle-key", "unless rack is in"),
        (RACKS | {"racks": ["a", "b", "c"]}, "uneven-racks", "as many in each"),
        (RACKS | {"racks": ["a", "a"]}, "rack-twice", "each rack|a name of its own"),
        (RACKS | {"racks": ["a", "B_1"]}, "not-a-label", "B_1"),
        ({"topology": ["block", "node"]}, "not-a-level", "block"),
    ],
)
def test_nodes_that_would_not_be_found_are_refused(
    pool: dict[str, Any], fault: str, reason: str
) -> None:
    refuse(standing(**pool), fault, reason)


@pytest.mark.parametrize(
    ("place", "each", "why"),
    [
        ("eks", 8, "alpha gate"),
        ("gke", 8, "buffers"),
        ("aks", 2, "Node Auto Provisioning"),
    ],
)
@pytest.mark.parametrize("pool", [{}, {"minimum": 0, "topology": ["node"]}])
def test_a_place_that_keeps_no_nodes_says_why(
    place: str, each: int, pool: dict[str, Any], why: str
) -> None:
    sizes = {"per_node": each, "most": 2 * each, "minimum": 2 * each}
    refuse(standing(place, {"gpus": 2 * each}, **(sizes | pool)), "pool-cannot-stand", why)


@pytest.mark.parametrize("tier", ["growing", "small"])
def test_a_topology_is_for_queues(tier: str) -> None:
    given = standing(topology=["node"]) | {"tier": tier, "models": [QWEN]}
    del given["accelerator_queues"]

    refuse(given, "topology-without-queues", "Kueue looks at|without queues")


def test_the_example_loses_one_server_with_a_machine() -> None:
    """Kueue packs: what fits twice on a machine is there twice."""
    given = documents.load((ROOT / "examples/inference-enterprise/answers.yaml").read_text())

    each = {pool["name"]: pool["per_node"] for pool in given["pools"] if "topology" in pool}
    servers = [m for m in given["models"] if m["pool"] in each and m["replicas"] > 1]
    assert servers
    assert [m["name"] for m in servers if 2 * m["gpus"] <= each[m["pool"]]] == []
