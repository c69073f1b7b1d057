"""Workloads that make pods of several kinds: each kind is compared, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundplan.posture import identity, network, pod_security, rbac
from tests.posture.states import said

if TYPE_CHECKING:
    from types import ModuleType

GROUP = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: chat, namespace: shop}
spec:
  leaderWorkerTemplate:
    size: 2
    leaderTemplate:
      metadata: {labels: {app: leader}}
      spec: {containers: [{name: engine, image: registry.example/engine:1}]}
    workerTemplate:
      metadata: {labels: {app: worker}}
      spec: {containers: [{name: engine, image: registry.example/engine:1}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec:
  podSelector: {matchLabels: {leaderworkerset.sigs.k8s.io/name: chat}}
  policyTypes: [Ingress, Egress]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: mighty}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: mighty, namespace: shop}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: mighty, namespace: shop}
"""
WORKER = "{labels: {app: worker}}\n      spec: {"


@pytest.mark.parametrize(
    ("dimension", "change", "atom"),
    [
        (pod_security, "hostPID: true, ", "worker: hostPID is on"),
        (network, "hostNetwork: true, ", "because it uses the node's network"),
        (rbac, "serviceAccountName: mighty, ", "may now do anything with every resource"),
    ],
)
def test_what_only_the_workers_gain_is_a_gain(
    dimension: ModuleType, change: str, atom: str
) -> None:
    found = said(dimension, GROUP, GROUP.replace(WORKER, WORKER + change))

    assert any(atom in one for one in found["widened"]), found


def test_a_label_of_the_workers_is_a_cloud_identity() -> None:
    labelled = GROUP.replace("{app: worker}", '{azure.workload.identity/use: "true"}')

    assert said(identity, GROUP, labelled) == {
        "widened": ["LeaderWorkerSet shop/chat: gets a token for Azure"]
    }


@pytest.mark.parametrize("dimension", [pod_security, network, rbac, identity])
def test_a_group_that_stays_the_same_is_silent(dimension: ModuleType) -> None:
    assert said(dimension, GROUP, GROUP) == {}
