"""Whether what a repository declares puts its pods where they belong."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from groundplan.findings import Passed, Report
from groundplan.runners.apiserver import ApiServer, running
from groundplan.runners.controllers import controlling
from groundplan.verify import verify
from tests import control_planes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.control_planes import Planes

pytestmark = pytest.mark.cluster

POOL = """apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpu}
spec:
  limits: {nvidia.com/gpu: "4"}
  template:
    metadata: {labels: {groundplan.dev/pool: gpu}}
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: gpu}
      taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule}]
      requirements:
        - {key: karpenter.k8s.aws/instance-gpu-name, operator: In, values: [l4]}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: batch}
value: 10
preemptionPolicy: Never
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: online}
value: 1000
---
"""
TEAM = """apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {groundplan.dev/tenant: shop}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: namespace, namespace: shop}
spec: {hard: {requests.nvidia.com/gpu: "2"}}
---
"""
WORK = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example.com/web:1.0.0}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, namespace: shop}
spec:
  selector: {matchLabels: {app: model}}
  template:
    metadata: {labels: {app: model}}
    spec:
      nodeSelector: {groundplan.dev/pool: gpu}
      tolerations: [{key: nvidia.com/gpu, operator: Exists}]
      containers:
        - name: model
          image: example.com/model:1.0.0
          resources: {limits: {nvidia.com/gpu: "1"}}
"""


def verified(plane: Planes, pool: str = POOL, team: str = TEAM, work: str = WORK) -> Report:
    return verify(control_planes.repository(pool=pool, team=team, work=work), plane).report


def passed(report: Report) -> dict[str, int]:
    return {
        result.check_id: sum(o.count for o in result.outcomes if isinstance(o, Passed))
        for result in report.results
        if result.check_id.startswith("SCH")
    }


def scheduling(report: Report) -> list[tuple[str, str, str]]:
    found = ((f.check_id, str(f.resource), f.message) for f in report.findings)
    return [said for said in found if said[0].startswith("SCH")]


def test_what_fits_passes(one_plane):
    report = verified(one_plane)
    assert scheduling(report) == []
    assert passed(report) == {"SCH001": 1, "SCH002": 1, "SCH003": 1, "SCH004": 1}


def test_what_the_platform_before_brought_is_not_there(one_plane):
    """So much is certain on a control plane that tests share."""
    assert verified(one_plane).findings == ()
    priority = "priorityClassName: online\n      containers:"
    lacking = verified(one_plane, pool="", team="", work=WORK.replace("containers:", priority))
    assert {f.check_id for f in lacking.findings} == {"API001"}
    assert {f.message for f in lacking.findings} == {'namespaces "shop" not found'}


def test_says_where_pods_land_that_should_not(one_plane):
    taint = "taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule}]"
    work = WORK.replace("groundplan.dev/pool: gpu}", "groundplan.dev/pool: gone}")
    said = scheduling(verified(one_plane, pool=POOL.replace(taint, "taints: []"), work=work))
    model, web = said if said[0][0] == "SCH001" else said[::-1]
    assert model[:2] == ("SCH001", "Deployment shop/model")
    assert model[2].startswith("its pod is never given a node: 0/3 nodes are available")
    assert web == (
        "SCH002",
        "Deployment shop/web",
        "its pod lands on gpu though it asks for none",
    )


def test_says_when_a_quota_does_not_count_and_nothing_was_looked_at(one_plane):
    report = verified(one_plane, pool="", team=TEAM.replace("requests.", ""))
    assert passed(report) == {"SCH001": 0, "SCH002": 0, "SCH003": 0, "SCH004": 0}
    unseen = [
        (o.subject, o.count)
        for result in report.results
        for o in result.not_evaluated
        if result.check_id.startswith("SCH")
    ]
    assert unseen == [("workloads with accelerators", 1), ("workloads without accelerators", 1)]
    assert [f.check_id for f in report.findings] == ["API008"]


@contextlib.contextmanager
def counting_nothing() -> Iterator[ApiServer]:
    """A control plane whose API server leaves quotas alone."""
    with tempfile.TemporaryDirectory() as folder:
        careless = Path(folder, "kube-apiserver")
        chosen, option = control_planes.binaries(), "--disable-admission-plugins=ResourceQuota"
        careless.write_text(f'#!/bin/sh\nexec {chosen.kube_apiserver} "$@" {option}\n')
        careless.chmod(0o700)
        with (
            running(replace(chosen, kube_apiserver=careless)) as bare,
            controlling(control_planes.programs(), bare) as server,
        ):
            yield server


def test_says_when_more_accelerators_are_claimed_than_a_quota_allows():
    report = verify(control_planes.repository(pool=POOL, team=TEAM), counting_nothing).report
    said = ("SCH003", "ResourceQuota shop/namespace", "claim 3 was let in, 2 are allowed")
    assert [one for one in scheduling(report) if one[0] == "SCH003"] == [said]


def test_a_class_that_never_takes_a_place_leaves_it(one_plane):
    pool = POOL.replace("value: 1000", "value: 1000\npreemptionPolicy: Never")
    report = verified(one_plane, pool=pool)
    assert passed(report)["SCH004"] == 1
    assert scheduling(report) == []


GROUP = """apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: large, namespace: shop}
spec:
  leaderWorkerTemplate:
    size: 3
    workerTemplate:
      metadata: {labels: {app: large}}
      spec:
        nodeSelector: {groundplan.dev/pool: gpu}
        tolerations: [{key: nvidia.com/gpu, operator: Exists}]
        containers:
          - name: model
            image: example.com/model:1.0.0
            resources: {limits: {nvidia.com/gpu: "4"}}
"""
LARGE = "- {key: karpenter.k8s.aws/instance-gpu-count, operator: In, values: ['4']}"


@pytest.mark.parametrize(
    ("most", "said"),
    [
        ("12", ""),
        ("8", "2 of the 3 pods of its group are given a node: 0/4 nodes are available"),
    ],
)
def test_a_group_needs_nodes_for_all_its_pods_at_a_time(one_plane, most: str, said: str):
    pool = POOL.replace('nvidia.com/gpu: "4"', f'nvidia.com/gpu: "{most}"')
    pool = pool.replace("values: [l4]}", f"values: [l4]}}\n        {LARGE}")
    report = verified(one_plane, pool=pool, team=TEAM.replace('"2"', '"12"'), work=GROUP)
    found = [message for check, _, message in scheduling(report) if check == "SCH001"]
    assert [one[: len(said)] for one in found] == ([said] if said else [])
    assert passed(report)["SCH001"] == (0 if said else 3)
