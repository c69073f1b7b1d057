"""Where the real scheduler puts pods on simulated nodes: the table in `placement.yaml`."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan import copier_adapter
from groundplan.resources import Origin, Resource
from groundplan.runners.apiserver import ApiServer, running
from groundplan.runners.controllers import controlling
from groundplan.template import Template
from groundplan.tree import Tree
from groundplan.verify import placement
from groundplan.verify.placement import Denied, Pending, Placed
from groundplan.verify.pools import Pool, pools
from groundplan.verify.quotas import trial_pod
from tests import control_planes
from tests.rendering import CLUSTERS, READY, ROOT, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.runners.client import Client

CASES = yaml.safe_load(Path(__file__).with_name("placement.yaml").read_text())
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
ON_EKS = {"cluster": "production", "accelerator": "l4", "capacity": ["on-demand"]}
ON_CAPI = {"cluster": "factory", "accelerator": "l40s"}
PLATFORM: dict[str, Any] = {
    "practices": READY,
    "clusters": [CLUSTERS["eks"], CLUSTERS["capi"] | {"management": "factory"}],
    "teams": [
        {"name": "ml", "namespaces": ["chat"], "contact": "@acme/ml", "gpus": "8"},
        {"name": "shop", "namespaces": ["shop"], "contact": "@acme/shop"},
    ],
    "pools": [
        ON_EKS | {"name": "gpu", "per_node": 4, "most": 4},
        ON_EKS | {"name": "gpu-large", "per_node": 8, "most": 8},
        ON_EKS
        | {"name": "gpu-shared", "per_node": 1, "most": 1, "sharing": "time-slicing", "shares": 4},
        ON_CAPI | {"name": "devices", "per_node": 2, "most": 2, "sharing": "dra"},
    ],
}
ENTITLED = {"labels": {"groundplan.dev/accelerators": "allowed"}}
"""Of a namespace where only the scheduler and quotas decide; the policies for teams look away."""
ADMISSION = "/apis/admissionregistration.k8s.io/v1/validatingadmission"
PATHS = {
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "DeviceClass": "/apis/resource.k8s.io/v1/deviceclasses",
    "ValidatingAdmissionPolicy": f"{ADMISSION}policies",
    "ValidatingAdmissionPolicyBinding": f"{ADMISSION}policybindings",
}
OPEN = {"large": "large.example.com", "huge": "huge.example.com"}
CLASS = """device.driver == 'gpu.nvidia.com' &&
device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('{memory}')) >= 0"""


@pytest.fixture(scope="module")
def repository() -> tuple[Resource, ...]:
    """What a platform with pools of each kind renders; its nodes are what the cases run on."""
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), PLATFORM, Path(folder, "rendered"))
        tree = Tree.read(Path(folder, "rendered"))
    wanted = re.compile(
        r"clusters/.*/accelerator-|clusters/.*/node-pools|policies/gpu-00|tenants/|priorities"
    )
    return tuple(
        Resource.of(body, Origin(path))
        for path in tree.files
        if wanted.search(path) and path.endswith(".yaml")
        for body in parsed(tree, path)
    )


@pytest.fixture(scope="module")
def derived(repository: tuple[Resource, ...]) -> dict[str, Pool]:
    found = {pool.name.removeprefix("factory-"): pool for pool in pools(repository)}
    return found | {"devices": replace(found["devices"], name="devices", model="l40s")}


@pytest.fixture(scope="module")
def plane(repository: tuple[Resource, ...]) -> Iterator[ApiServer]:
    binaries, programs = control_planes.binaries(), control_planes.programs()
    with running(binaries) as bare, controlling(programs, bare) as server:
        runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia"}
        path = "/apis/node.k8s.io/v1/runtimeclasses/nvidia"
        placement.install(server.client, path, {**runtime, "metadata": {"name": "nvidia"}})
        for resource in repository:
            if resource.id.kind in PATHS:
                path = f"{PATHS[resource.id.kind]}/{resource.id.name}"
                placement.install(server.client, path, resource.body)
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
        {"limits": {wanted.get("of", "nvidia.com/gpu"): str(wanted["gpus"])}}
        if "gpus" in wanted
        else {}
    )
    spec = body["spec"]
    if wanted.get("tolerates"):
        spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    if "selects" in wanted:
        spec["nodeSelector"] = {wanted.get("by", "groundplan.dev/pool"): wanted["selects"]}
    if "priority" in wanted:
        spec["priorityClassName"] = wanted["priority"]
    if "claims" in wanted:
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": wanted["claims"]}]
        spec["containers"][0]["resources"]["claims"] = [{"name": "gpu"}]
    if "name" in wanted:
        body["metadata"]["name"] = wanted["name"]
    if "fetches" in wanted:
        body["metadata"]["labels"] = {"groundplan.dev/fetches": wanted["fetches"]}
    if "runtime" in wanted:
        spec["runtimeClassName"] = wanted["runtime"]
    return body


def prepare(client: Client, namespace: str, case: dict[str, Any]) -> None:
    """Make the namespace of a case with what its pods refer to."""
    metadata = {"name": namespace, **case.get("namespace", ENTITLED)}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    placement.install(client, f"/api/v1/namespaces/{namespace}", body)
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    placement.until(lambda: client.get(account).ok, "no service account came")
    for name, device_class in case.get("templates", OPEN).items():
        exactly = {"deviceClassName": device_class}
        body = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaimTemplate",
            "metadata": {"name": name},
            "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}},
        }
        path = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaimtemplates/{name}"
        placement.install(client, path, body)
    if "quota" in case:
        count(client, namespace, "accelerators", {"hard": case["quota"]})


def count(client: Client, namespace: str, name: str, spec: dict[str, Any]) -> None:
    """Have a quota, and wait until it counts."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/{name}"
    metadata = {"name": name}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}
    placement.install(client, path, body)
    placement.until(lambda: "used" in client.get(path).body["status"], "the quota was not used")


def priorities(repository: tuple[Resource, ...], team: str) -> dict[str, Any]:
    """Which priorities a team's quota counts."""
    folder = f"tenants/{team}/"
    [quota] = [
        resource.body
        for resource in repository
        if resource.origin.path.startswith(folder)
        and (resource.id.kind, resource.id.name) == ("ResourceQuota", "priorities")
    ]
    spec: dict[str, Any] = quota["spec"]
    return spec


@pytest.mark.cluster
@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["case"] for case in CASES])
def test_pods_land_where_they_belong(
    plane: ApiServer, derived: dict[str, Pool], repository: tuple[Resource, ...], number: int
) -> None:
    case, client, namespace = CASES[number], plane.client, f"case-{number}"
    prepare(client, namespace, case)
    if "quota_of" in case:
        count(client, namespace, "priorities", priorities(repository, case["quota_of"]))
    chosen = [replace(derived[name], nodes=case.get("nodes", 1)) for name in case["pools"]]
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
