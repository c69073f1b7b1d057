"""Where the real scheduler puts pods on simulated nodes: the table in `placement.yaml`."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan.resources import Origin, Resource
from groundplan.runners.apiserver import ApiServer, running
from groundplan.runners.controllers import controlling
from groundplan.verify import placement
from groundplan.verify.placement import Denied, Pending, Placed
from groundplan.verify.pools import Pool, pools
from groundplan.verify.quotas import trial_pod
from tests import control_planes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.runners.client import Client

CASES = yaml.safe_load(Path(__file__).with_name("placement.yaml").read_text())
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
POOLS = {
    "general": Pool("general"),
    "gpu": Pool("gpu", {"groundplan.dev/pool": "gpu"}, (TAINT,), accelerators=2),
    "gpu-large": Pool("gpu-large", {"groundplan.dev/pool": "gpu-large"}, (TAINT,), accelerators=8),
    "devices": Pool("devices", {}, (TAINT,), devices=2, model="l40s"),
}
CLASS = """device.driver == 'gpu.nvidia.com' &&
device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('{memory}')) >= 0"""


@pytest.fixture(scope="module")
def plane() -> Iterator[ApiServer]:
    binaries, programs = control_planes.binaries(), control_planes.programs()
    with running(binaries) as bare, controlling(programs, bare) as server:
        for name, value, policy in (("online", 1000, None), ("batch", 10, "Never")):
            body = {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": value,
                **({"preemptionPolicy": policy} if policy else {}),
            }
            path = f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}"
            placement.install(server.client, path, body)
        for name, memory in (("large.example.com", "40Gi"), ("huge.example.com", "100Gi")):
            body = {
                "apiVersion": "resource.k8s.io/v1",
                "kind": "DeviceClass",
                "metadata": {"name": name},
                "spec": {"selectors": [{"cel": {"expression": CLASS.format(memory=memory)}}]},
            }
            path = f"/apis/resource.k8s.io/v1/deviceclasses/{name}"
            placement.install(server.client, path, body)
        yield server


def pod(wanted: dict[str, Any]) -> dict[str, Any]:
    """Write out what a step says in short."""
    body = trial_pod(
        {"limits": {"nvidia.com/gpu": str(wanted["gpus"])}} if "gpus" in wanted else {}
    )
    spec = body["spec"]
    if wanted.get("tolerates"):
        spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    if "selects" in wanted:
        spec["nodeSelector"] = {"groundplan.dev/pool": wanted["selects"]}
    if "priority" in wanted:
        spec["priorityClassName"] = wanted["priority"]
    if "claims" in wanted:
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": wanted["claims"]}]
        spec["containers"][0]["resources"]["claims"] = [{"name": "gpu"}]
    if "name" in wanted:
        body["metadata"]["name"] = wanted["name"]
    return body


def prepare(client: Client, namespace: str, case: dict[str, Any]) -> None:
    """Make the namespace of a case with what its pods refer to."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    placement.install(client, f"/api/v1/namespaces/{namespace}", body)
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    placement.until(lambda: client.get(account).ok, "no service account came")
    for name in ("large", "huge"):
        exactly = {"deviceClassName": f"{name}.example.com"}
        body = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaimTemplate",
            "metadata": {"name": name},
            "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}},
        }
        path = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaimtemplates/{name}"
        placement.install(client, path, body)
    if "quota" in case:
        path = f"/api/v1/namespaces/{namespace}/resourcequotas/accelerators"
        body = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "accelerators"},
            "spec": {"hard": case["quota"]},
        }
        placement.install(client, path, body)
        placement.until(lambda: "used" in client.get(path).body["status"], "the quota was not used")


@pytest.mark.cluster
@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["case"] for case in CASES])
def test_pods_land_where_they_belong(plane: ApiServer, number: int) -> None:
    case, client, namespace = CASES[number], plane.client, f"case-{number}"
    prepare(client, namespace, case)
    chosen = [POOLS[name] for name in case["pools"]]
    made = []
    try:
        for pool in chosen:
            placement.furnish(client, pool)
        for step in case["steps"]:
            said = placement.place(client, namespace, pod(step["pod"]))
            made.append(said)
            match said:
                case Placed():
                    assert fnmatch(said.pool, step.get("pool", "nowhere")), step
                case Pending():
                    assert "pending" in step, (step, said)
                    assert step["pending"] in said.reason
                case Denied():
                    assert "denied" in step, (step, said)
                    assert step["denied"] in said.reason
            if "evicts" in step:
                victim = f"/api/v1/namespaces/{namespace}/pods/{step['evicts']}"
                assert client.get(victim).status == 404
    finally:
        for said in made:
            placement.take_away(client, namespace, said)
        for pool in chosen:
            placement.remove(client, pool)


POOL_OBJECTS = """
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpu-inference}
spec:
  limits: {nvidia.com/gpu: "8"}
  template:
    metadata: {labels: {groundplan.dev/pool: gpu-inference}}
    spec:
      taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule}]
      requirements:
        - {key: kubernetes.io/arch, operator: In, values: [amd64]}
        - {key: karpenter.k8s.aws/instance-gpu-name, operator: In, values: [l40s, l4]}
        - {key: karpenter.k8s.aws/instance-gpu-count, operator: In, values: ["1", "4"]}
        - {key: karpenter.k8s.aws/instance-local-nvme, operator: Gt, values: ["400"]}
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: general}
spec:
  template:
    spec:
      requirements: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]
---
apiVersion: cloud.google.com/v1
kind: ComputeClass
metadata: {name: gpu-l4}
spec:
  priorities: [{machineType: g2-standard-12, gpu: {type: nvidia-l4, count: 1}}]
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata:
  name: edge
  annotations:
    capacity.cluster-autoscaler.kubernetes.io/gpu-count: "2"
    capacity.cluster-autoscaler.kubernetes.io/dra-driver: gpu.nvidia.com
    capacity.cluster-autoscaler.kubernetes.io/labels: groundplan.dev/pool=edge
spec:
  template:
    spec:
      taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule, propagation: Always}]
"""


def test_reads_the_node_pools_that_a_repository_declares() -> None:
    written = [Resource.of(body, Origin("pools.yaml")) for body in yaml.safe_load_all(POOL_OBJECTS)]
    gpu, general, compute_class, edge = pools(written)
    arch = "kubernetes.io/arch"
    assert gpu.labels == {
        arch: "amd64",
        "karpenter.k8s.aws/instance-gpu-name": "l40s",
        "karpenter.k8s.aws/instance-gpu-count": "1",
        "groundplan.dev/pool": "gpu-inference",
        "karpenter.sh/nodepool": "gpu-inference",
    }
    assert (gpu.taints, gpu.accelerators, gpu.model) == ((TAINT,), 4, "l40s")
    assert (general.accelerators, general.taints, general.labels[arch]) == (0, (), "arm64")
    assert (compute_class.accelerators, compute_class.taints) == (1, (TAINT,))
    assert (edge.accelerators, edge.devices, edge.taints) == (0, 2, (TAINT,))
    assert edge.labels == {"groundplan.dev/pool": "edge"}
