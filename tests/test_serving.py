"""How models are served: by which controller, on how many nodes, and by how many servers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks
from groundplan.errors import AnswersError
from groundplan.findings import Severity
from tests.rendering import READY
from tests.test_inference import IMAGE, TEAM, answers, found, loaded, render

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.tree import Tree


def served(folder: Path, model: dict[str, Any], engine: str = "flux", **more: Any) -> Tree:
    """A platform of the tier growing that has room for four servers of one model."""
    given = {"pool": {"most": 4}, "teams": [TEAM | {"gpus": "4"}], "tier": "growing"} | more
    known = answers("eks", {"source": IMAGE} | model, **given)
    return render(folder, engine=engine, practices=READY, **known)


def findings(tree: Tree) -> list[str]:
    return [str(finding) for finding in checks.run(loaded(tree)).at_least(Severity.LOW)]


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_the_number_of_servers_follows_the_load_within_the_pool(
    engine: str, tmp_path: Path
) -> None:
    tree = served(tmp_path, {"replicas": 2, "most": 4}, engine)

    assert findings(tree) == []
    [scaler] = found(tree, "ScaledObject")
    [server] = [d for d in found(tree, "Deployment") if d["metadata"]["name"] == "qwen3-8b"]
    spec = scaler["spec"]
    assert spec["scaleTargetRef"]["name"] == server["metadata"]["name"]
    assert "replicas" not in server["spec"], "GitOps would set back what KEDA sets"
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 4)
    [quota] = found(tree, "ResourceQuota")
    assert quota["spec"]["hard"]["requests.cpu"] == "32", "the quota has no room for the last"
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= 600


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        ({"replicas": 3, "most": 2}, {}, "has at most 2 replicas and begins with 3"),
        ({"most": 2}, {"tier": "small"}, "the tier small does not have it"),
        ({"most": 5}, {}, "has at most 4 accelerators and its models want 5"),
        ({"most": 3}, {"teams": [TEAM | {"gpus": "2"}]}, 'may use 2 accelerators in "chat"'),
        ({"most": 2, "source": "hf://a/b@" + "0" * 40}, {}, "one volume that a single node"),
    ],
)
def test_the_template_itself_refuses_what_cannot_be_scaled(
    model: dict[str, Any], more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(AnswersError, match=re.escape(sentence)):
        served(tmp_path / "refused", model, **more)
