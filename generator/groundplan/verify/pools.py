"""Node pools that a repository declares, and the nodes and devices that they would bring."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.runners.controllers import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from groundplan.resources import Resource

POOL = "groundplan.dev/simulated-pool"
"""The label by which a simulated node says which pool it is from."""

DRIVER = "gpu.nvidia.com"
ACCELERATOR = "nvidia.com/gpu"

_SIZE = {"cpu": "64", "memory": "512Gi", "pods": "110", "ephemeral-storage": "800Gi"}
"""So large that only taints, labels and accelerators decide."""

_PRESENT = {"key": ACCELERATOR, "value": "present", "effect": "NoSchedule"}
_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)
_LEAST = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
_MOST = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
_CAPACITY = "capacity.cluster-autoscaler.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes of one kind."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    accelerators: int = 0
    """On each node, counted by a device plugin; parts of one where it is shared."""
    resource: str = ACCELERATOR
    """What the device plugin calls them."""
    model: str = ""
    """Which accelerator it is, as `accelerators.yaml` names it."""
    devices: int = 0
    """On each node, published by a DRA driver."""
    nodes: int = 1
    most: int = 0
    """How many nodes it may have; 0 where it does not say."""
    least: int = 0
    """How many nodes it always has."""


def pools(resources: Iterable[Resource]) -> tuple[Pool, ...]:
    """Read the node pools out of a repository's objects: Karpenter's, GKE's and Cluster API's.

    What is not as its schema says is none: SCH001 is about that.
    """
    every = tuple(resources)
    readers: dict[tuple[str, str], Callable[[str, Mapping[str, Any]], Pool]] = {
        ("karpenter.sh", "NodePool"): partial(_karpenter, overlays=tuple(_overlays(every))),
        ("cloud.google.com", "ComputeClass"): _compute_class,
        ("cluster.x-k8s.io", "MachineDeployment"): _machine_deployment,
    }
    found = []
    for resource in every:
        if reader := readers.get((resource.id.group, resource.id.kind)):
            with suppress(*_MALFORMED):
                found.append(reader(resource.id.name, resource.body))
    return tuple(found)


def nodes(pool: Pool) -> Iterator[dict[str, Any]]:
    """Make the nodes of a pool, for kwok to look after."""
    size = dict(_SIZE)
    if pool.accelerators:
        size[pool.resource] = str(pool.accelerators)
    for name in _names(pool):
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            **pool.labels,
            POOL: pool.name,
        }
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels, "annotations": {SIMULATED: "fake"}},
            "spec": {"taints": [dict(taint) for taint in pool.taints]},
            "status": {"capacity": size, "allocatable": size},
        }


def slices(pool: Pool) -> Iterator[dict[str, Any]]:
    """Make what a DRA driver would publish about the devices of each node."""
    model = _models().get(pool.model) or next(iter(_models().values()))
    for name in _names(pool) if pool.devices else ():
        devices = [
            {
                "name": f"gpu-{number}",
                "attributes": {
                    "type": {"string": "gpu"},
                    "productName": {"string": model["product"]},
                    "driverVersion": {"version": model["driver"]},
                    "uuid": {"string": f"GPU-{name}-{number}"},
                },
                "capacity": {"memory": {"value": model["memory"]}},
            }
            for number in range(pool.devices)
        ]
        yield {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceSlice",
            "metadata": {"name": f"{name}-{DRIVER}"},
            "spec": {
                "driver": DRIVER,
                "nodeName": name,
                "pool": {"name": name, "generation": 1, "resourceSliceCount": 1},
                "devices": devices,
            },
        }


def _names(pool: Pool) -> list[str]:
    return [f"{pool.name}-{number}" for number in range(pool.nodes)]


def _overlays(resources: Iterable[Resource]) -> Iterator[tuple[Collection[str], Mapping[str, Any]]]:
    """What overlays say that nodes will have beside what the cloud says: pools, and capacity."""
    for resource in resources:
        if (resource.id.group, resource.id.kind) == ("karpenter.sh", "NodeOverlay"):
            spec = mapping(resource.body, "spec")
            rules = map(mapping, items(spec, "requirements"))
            said = {str(rule.get("key")): items(rule, "values") for rule in rules}
            yield said.get("karpenter.sh/nodepool", ()), mapping(spec, "capacity")


def _karpenter(
    name: str,
    body: Mapping[str, Any],
    overlays: Iterable[tuple[Collection[str], Mapping[str, Any]]],
) -> Pool:
    template = body["spec"]["template"]
    spec = template["spec"]
    said = {r["key"]: r.get("values") or [] for r in spec.get("requirements") or ()}
    labels = {
        **{r["key"]: r["values"][0] for r in spec["requirements"] if r["operator"] == "In"},
        **(template.get("metadata", {}).get("labels") or {}),
        "karpenter.sh/nodepool": name,
    }
    counts = [_count(n) for key, ns in said.items() if key.endswith("gpu-count") for n in ns]
    limited = ACCELERATOR in (body["spec"].get("limits") or {})
    model = next((ns[0] for key, ns in said.items() if key.endswith("gpu-name") and ns), "")
    accelerators = max(counts, default=1) if counts or limited or model else 0
    taints = tuple(spec.get("taints") or ())
    least = _count(body["spec"].get("replicas"))
    for pools_of, capacity in overlays:
        for resource, number in capacity.items():
            if name in pools_of and resource.startswith("nvidia.com/"):
                most = _most(body, resource, _count(number))
                return Pool(
                    name, labels, taints, _count(number), resource, model, most=most, least=least
                )
    most = _most(body, ACCELERATOR, accelerators)
    return Pool(name, labels, taints, accelerators, model=model, most=most, least=least)


def _count(said: object, otherwise: int = 0) -> int:
    """How many there are; a variable of the engine's is not known, and counts as not said."""
    return int(str(said)) if str(said).isdecimal() else otherwise


def _most(body: Mapping[str, Any], resource: str, each: int) -> int:
    """How many nodes with so many accelerators each a Karpenter pool may have."""
    limit = str((body["spec"].get("limits") or {}).get(resource, ""))
    return int(limit) // each if limit.isdecimal() and each else 0


def _compute_class(name: str, body: Mapping[str, Any]) -> Pool:
    """GKE taints nodes with accelerators itself."""
    spec = body["spec"]
    gpu: Mapping[str, Any] = next((r["gpu"] for r in spec["priorities"] if "gpu" in r), {})
    config = spec.get("nodePoolConfig") or {}
    labels = {**(config.get("nodeLabels") or {}), "cloud.google.com/compute-class": name}
    taints = [*(config.get("taints") or ()), *([_PRESENT] if gpu else [])]
    model = str(gpu.get("type", "")).removeprefix("nvidia-")
    if gpu:
        labels["cloud.google.com/gke-accelerator"] = str(gpu.get("type", ""))
    shared = gpu.get("gpuSharing") or {}
    parts = _count(
        shared.get("maxSharedClientsPerGPU"), _slices(shared.get("gpuPartitionSize", ""))
    )
    return Pool(name, labels, tuple(taints), _count(gpu.get("count")) * parts, model=model)


def _slices(profile: str) -> int:
    """Into how many a MIG profile cuts an accelerator: as its seven compute slices allow."""
    compute = profile.partition("g.")[0]
    return 7 // int(compute) if compute.isdecimal() else 1


def _machine_deployment(name: str, body: Mapping[str, Any]) -> Pool:
    annotations = body["metadata"].get("annotations") or {}
    template = body["spec"]["template"]
    written = template.get("metadata", {}).get("labels") or {}
    declared = str(annotations.get(_CAPACITY + "labels", ""))
    labels = {
        **{k: v for k, v in written.items() if k.startswith("node.cluster.x-k8s.io/")},
        **dict(pair.split("=", 1) for pair in declared.split(",") if "=" in pair),
    }
    taints = [
        {key: taint[key] for key in ("key", "value", "effect") if key in taint}
        for taint in template["spec"].get("taints") or ()
    ]
    count = _count(annotations.get(_CAPACITY + "gpu-count"))
    by_driver = _CAPACITY + "dra-driver" in annotations
    return Pool(
        name,
        labels,
        tuple(taints),
        accelerators=0 if by_driver else count,
        resource=str(annotations.get(_CAPACITY + "gpu-type", ACCELERATOR)),
        devices=count if by_driver else 0,
        most=_count(annotations.get(_MOST)),
        # Without an autoscaler there are as many as it says, and one where it does not say.
        least=_count(annotations.get(_LEAST), _count(body["spec"].get("replicas"), 1)),
    )


@cache
def _models() -> Mapping[str, Mapping[str, str]]:
    text = files(__package__).joinpath("accelerators.yaml").read_text("utf-8")
    models: Mapping[str, Mapping[str, str]] = documents.load(text)
    return models
