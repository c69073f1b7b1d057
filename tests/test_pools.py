"""Pools of accelerators: who looks after the nodes, and how an accelerator is shared."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks, copier_adapter
from groundplan.answers import Answers, checked
from groundplan.errors import AnswersError
from groundplan.findings import Passed, Severity
from groundplan.template import Template
from groundplan.verify import verify
from tests.rendering import CLUSTERS, ROOT
from tests.test_inference import CLOUDS, IMAGE, QWEN, TEAM, answers, found, loaded, render

if TYPE_CHECKING:
    from groundplan.tree import Tree
    from tests.control_planes import Planes

OTHER = {"name": "lab", "namespaces": ["lab"], "contact": "@acme/lab", "gpus": "1"}
SHARED = {"sharing": "time-slicing", "shares": 4}
SLICED = {"accelerator": "a100-80gb", "sharing": "mig", "profile": "3g.40gb"}
EIGHT = {"per_node": 8, "most": 8}


@dataclass(frozen=True)
class On:
    """One pool at a place, with a model where one can be served there."""

    place: str
    stack: str = ""
    pool: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.place}-{self.stack or 'default'}-{self.pool.get('sharing', 'none')}"

    @property
    def served(self) -> bool:
        return self.pool.get("sharing") not in {"time-slicing", "mps"}

    @property
    def answers(self) -> dict[str, Any]:
        cluster = CLUSTERS[self.place] | ({"management": "factory"} if self.place == "capi" else {})
        cluster |= {"gpu_stack": self.stack} if self.stack else {}
        models = [QWEN | {"source": IMAGE}] if self.served else []
        return answers(self.place, pool=self.pool, clusters=[cluster], models=models) | self.more


WAYS = [
    (On("eks", pool=SHARED), "nvidia.com/gpu.shared", 4),
    (On("eks", pool=SLICED | EIGHT), "nvidia.com/gpu", 16),
    (On("eks", "operator", SHARED | {"sharing": "mps"}), "nvidia.com/gpu.shared", 4),
    (On("eks", "operator", SLICED | EIGHT), "nvidia.com/mig-3g.40gb", 16),
    (On("gke", pool=SLICED), "nvidia.com/gpu", 2),
    (On("aks", "operator"), "nvidia.com/gpu", 1),
    (On("capi", "operator", SLICED), "nvidia.com/mig-3g.40gb", 2),
    (On("capi", pool={"sharing": "dra"}), "", 1),
    (On("capi", "operator", {"sharing": "dra"}), "", 1),
]


def operated(*, queued: bool) -> Tree:
    """A platform with the operator, and queues or else the driver of claims."""
    pool = SLICED if queued else {"sharing": "dra"}
    way = On("capi", "operator", pool, {"teams": [TEAM, OTHER], "models": []})
    queues = {"accelerator_queues": "kueue"} if queued else {}
    return render(Path(mkdtemp()), tier="growing", **queues, **way.answers)


@pytest.mark.cluster
@pytest.mark.parametrize(("way", "resource", "number"), WAYS, ids=[str(way) for way, *_ in WAYS])
def test_the_scheduler_finds_what_pods_ask_for_however_it_is_shared(
    way: On, resource: str, number: int, one_plane: Planes, tmp_path: Path
) -> None:
    tree = render(tmp_path, **way.answers)
    repository = loaded(tree)

    assert [str(one) for one in checks.run(repository).at_least(Severity.LOW)] == []
    report = verify(repository, one_plane).report
    assert [str(finding) for finding in report.findings] == []
    results = {result.check_id: result.outcomes for result in report.results}
    assert sum(o.count for o in results["SCH001"] if isinstance(o, Passed)) == way.served
    of_chat = {"name": "namespace", "namespace": "chat"}
    [quota] = [q for q in found(tree, "ResourceQuota") if q["metadata"] == of_chat]
    own = "gpu.groundplan.dev.deviceclass.resource.k8s.io/devices"
    assert quota["spec"]["hard"][f"requests.{resource}" if resource else own] == "1"
    if number > 1 and way.place == "eks":
        [overlay] = found(tree, "NodeOverlay")
        assert overlay["spec"]["capacity"] == {resource: str(number)}
        pools = {pool["metadata"]["name"]: pool["spec"] for pool in found(tree, "NodePool")}
        assert pools["gpu"]["limits"][resource] == str(number)


REFUSED = [
    (On("eks", "preinstalled"), "gpu-stack-not-there", "Karpenter boots an image of Amazon's"),
    (On("gke", "operator"), "gpu-stack-not-there", "GKE installs driver and device plugin"),
    (On("capi", "cloud"), "gpu-stack-not-there", "there is no cloud"),
    (On("eks", pool={"sharing": "dra"}), "sharing-not-there", "makes no node for a claim"),
    (On("aks", "operator", SHARED), "sharing-not-there", "knows only whole accelerators"),
    (On("capi", pool=SHARED), "sharing-not-there", "say gpu_stack: operator"),
    (On("eks", pool={"sharing": "mps"}), "no-shares", "from 2 to 48"),
    (On("eks", pool=SLICED | {"accelerator": "l4"}), "no-such-profile", "none|another accelerator"),
    (On("eks", pool={"shares": 4}), "idle-key", "says? nothing"),
    (On("eks", pool={"driver": "535"}), "driver-not-chosen", "580.178.04"),
    (On("eks", pool={"teams": ["nobody"]}), "unknown-team", "not there|no team"),
    (On("eks", pool=SHARED, more={"teams": [TEAM, OTHER]}), "shared-across-teams", "ml, lab"),
    (On("eks", pool=SHARED, more={"models": [QWEN]}), "model-on-shared-accelerator", "no latency"),
    (On("capi", pool={"driver": "535"}), "driver-too-old", "driver 580"),
    (
        On("capi", "operator", SLICED, {"models": [QWEN | {"gpus": 2}]}),
        "model-over-slice",
        "slices, which do not reach each other",
    ),
]


def refuse(given: dict[str, Any], fault: str, reason: str) -> None:
    """By us before anything is rendered, and by the template's own validator."""
    with pytest.raises(AnswersError) as ours:
        checked(Answers(given), Template(ROOT, "v0"))
    assert f"answers.{fault}" in [problem.id for problem in ours.value.problems]
    assert re.search(reason, str(ours.value)), str(ours.value)
    with pytest.raises(AnswersError, match=reason):
        copier_adapter.resolve(Template(ROOT, "v0"), given)


@pytest.mark.parametrize(
    ("way", "fault", "reason"), REFUSED, ids=[f"{r[1]}-{r[0]}" for r in REFUSED]
)
def test_what_cannot_work_is_refused_with_the_reason(way: On, fault: str, reason: str) -> None:
    refuse(way.answers, fault, reason)


@pytest.mark.parametrize(
    ("sharing", "fault", "reason"),
    [
        ("dra", "two-owners", "two would give away one"),
        ("none", "pools-differ", "share accelerators differently"),
    ],
)
def test_an_accelerator_has_one_owner(sharing: str, fault: str, reason: str) -> None:
    given = On("capi", "operator", SLICED).answers
    [pool] = given["pools"]
    other = {key: value for key, value in pool.items() if key != "profile"}
    refuse(given | {"pools": [pool, other | {"name": "other", "sharing": sharing}]}, fault, reason)


def test_a_pool_of_one_team_is_closed_to_the_others(tmp_path: Path) -> None:
    way = On("eks", pool=SHARED | {"teams": ["ml"]}, more={"teams": [TEAM, OTHER]})
    tree = render(tmp_path, **way.answers)

    quotas = {
        one["metadata"]["namespace"]: one["spec"]["hard"]
        for one in found(tree, "ResourceQuota")
        if one["metadata"]["name"] == "namespace"
    }
    assert quotas["chat"]["requests.nvidia.com/gpu.shared"] == "1"
    assert quotas["lab"]["requests.nvidia.com/gpu.shared"] == "0"
    spaces = {one["metadata"]["name"]: one["metadata"] for one in found(tree, "Namespace")}
    note = "groundplan.dev/pools"
    assert [spaces[name]["annotations"].get(note) for name in ("chat", "lab")] == ["gpu", None]


@pytest.mark.parametrize("place", CLOUDS)
def test_who_looks_after_a_pool_need_not_be_said(place: str, tmp_path: Path) -> None:
    default = "preinstalled" if place == "capi" else "cloud"

    said = render(tmp_path / "said", **On(place, default).answers).files
    unsaid = render(tmp_path / "unsaid", **On(place).answers).files
    assert {path for path in said if said[path] != unsaid[path]} == {".copier-answers.yml"}


@pytest.mark.cluster
def test_a_team_lends_what_it_does_not_use_and_has_it_back(
    one_plane: Planes, tmp_path: Path
) -> None:
    """The API server takes Kueue's objects; what they say adds up to no more than there is."""
    both = {"teams": [TEAM | {"gpus": "4"}, OTHER | {"gpus": "4"}], "models": []}
    way = On("eks", pool={"per_node": 4, "most": 4}, more=both)
    tree = render(tmp_path, tier="growing", accelerator_queues="kueue", **way.answers)
    repository = loaded(tree)

    assert [str(one) for one in checks.run(repository).at_least(Severity.LOW)] == []
    report = verify(repository, one_plane).report
    assert [str(finding) for finding in report.findings] == []
    groups = [queue["spec"]["resourceGroups"] for queue in found(tree, "ClusterQueue")]
    shares = [flavor["resources"] for [group] in groups for flavor in group["flavors"]]
    share = {"name": "nvidia.com/gpu", "nominalQuota": 2, "borrowingLimit": 2}
    assert shares == [[share], [share]]
    queues = {queue["metadata"]["namespace"] for queue in found(tree, "LocalQueue")}
    assert queues == {"chat", "lab"}
    [flavor] = found(tree, "ResourceFlavor")
    assert flavor["spec"]["nodeLabels"] == {"groundplan.dev/pool": "gpu"}
