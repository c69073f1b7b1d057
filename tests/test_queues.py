"""Queues of accelerators: who is in them, and what Kueue may be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundplan import checks
from groundplan.findings import Severity
from groundplan.verify import verify
from tests import control_planes
from tests.test_checks import EXAMPLES, findings
from tests.test_inference import IMAGE, QWEN, TEAM, answers, found, loaded, render
from tests.test_pools import OTHER
from tests.test_serving import GIVEN, MODELS

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.tree import Tree

QUEUE = "kueue.x-k8s.io/queue-name"


def queued(folder: Path) -> Tree:
    """A platform with a model for each way to serve it, all in a queue."""
    models = [QWEN | {"source": IMAGE, "name": name} | model for name, model in MODELS.items()]
    more = GIVEN | {"teams": [TEAM | {"gpus": "20"}, OTHER], "models": models}
    given = answers("eks", pool={"most": 20}, **more)
    return render(folder, accelerator_queues="kueue", **given)


@pytest.mark.cluster
def test_every_server_is_in_its_teams_queue_however_it_is_served(tmp_path: Path) -> None:
    tree = queued(tmp_path)

    kinds = ("Deployment", "LeaderWorkerSet", "InferenceService")
    every = [body["metadata"] for kind in kinds for body in found(tree, kind)]
    assert {one["name"] for one in every if QUEUE in one.get("labels", {})} == set(MODELS)
    values = tree.files["components/kueue/values.yaml"].decode()
    assert "        - leaderworkerset.x-k8s.io/leaderworkerset\n" in values
    repository = loaded(tree)
    assert [str(one) for one in checks.run(repository).at_least(Severity.LOW)] == []
    report = verify(repository, control_planes.scheduled).report
    assert [str(finding) for finding in report.findings] == []


RELEASE = """apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: kueue, namespace: kueue-system}
spec: {interval: 12h, url: "oci://registry.k8s.io/kueue/charts/kueue", ref: {tag: 0.19.2}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: kueue, namespace: kueue-system}
spec:
  interval: 1h
  chartRef: {kind: OCIRepository, name: kueue}
"""
TOLD = """  values:
    managerConfig:
      controllerManagerConfigYaml: |
        apiVersion: config.kueue.x-k8s.io/v1beta2
        kind: Configuration
"""


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("", "is asked about pods of every namespace: it has no managedJobsNamespaceSelector"),
        (TOLD, "is asked about pods of every namespace: it has no managedJobsNamespaceSelector"),
        (TOLD + "        managedJobsNamespaceSelector: {}\n", "is asked about pods of kube-system"),
        (
            TOLD + "        managedJobsNamespaceSelector: {matchExpressions: [{key: "
            "kubernetes.io/metadata.name, operator: NotIn, values: [kube-system]}]}\n",
            "is asked about pods of flux-system",
        ),
        (
            TOLD + "        managedJobsNamespaceSelector: {matchExpressions: [{key: "
            "kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, flux-system]}]}\n",
            "is asked about pods of kueue-system",
        ),
        (TOLD + "        managedJobsNamespaceSelector: {matchLabels: {queued: here}}\n", ""),
        (TOLD + "        managedJobsNamespaceSelector: [\n", "cannot be read"),
    ],
)
def test_a_kueue_that_is_asked_about_the_platforms_pods_is_found(told: str, said: str) -> None:
    sync = "clusters/a/flux-system/gotk-sync.yaml"
    files = {
        sync: EXAMPLES.joinpath("GPU024/good", sync).read_text("utf-8"),
        "clusters/a/kueue.yaml": RELEASE + told,
    }
    assert [said in one for one in findings(files, "GPU024")] == ([True] if said else [])
