"""Accelerators that several share: doors that are counted, names that tell, pools that fit.

An API server takes every object here, and then somebody has what is not theirs, or waits for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.checks import Check
from groundplan.checks._objects import ACCELERATOR, PodOf, Rule, objects, pods, tolerated
from groundplan.checks.accelerators import CLAIMS, CLASS_DEVICES, device_quotas
from groundplan.costs import quantity
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.verify.pools import Pool, pools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository

_SHARED = "requests.nvidia.com/gpu.shared"
_CAPACITY = "capacity.cluster-autoscaler.kubernetes.io/"
_LEAST = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
_ADMIN = "resource.kubernetes.io/admin-access"


def _way_past(repository: Repository) -> Iterator[Outcome]:
    """Find quotas that count one class of devices and leave another one on them open."""
    for resource, hard, open_ in device_quotas(repository):
        if not any(key.endswith(CLASS_DEVICES) for key in hard):
            continue
        if open_:
            yield WAY_PAST.fail(
                f"{resource.id} counts device classes and leaves {open_[0]} unlimited",
                repository.locate(resource.origin, "/spec/hard"),
                resource.id,
            )
        else:
            yield Passed()


def _nameless(body: Mapping[str, Any]) -> Iterator[Fault]:
    """Find configurations of NVIDIA's device plugin that sell a part as a whole."""
    for key, text in mapping(body, "data").items():
        if "sharing:" not in str(text):
            continue
        try:
            sharing = mapping(documents.load(str(text), key), "sharing")
        except documents.YamlError:
            continue
        for way in ("timeSlicing", "mps"):
            said = mapping(sharing, way)
            pointer = "/data/" + key.replace("~", "~0").replace("/", "~1")
            if said and said.get("renameByDefault") is not True:
                yield pointer, "calls a part of an accelerator as a whole one is called"
            elif way == "timeSlicing" and said and not said.get("failRequestsGreaterThanOne"):
                yield pointer, "lets a pod ask for several parts, which are no more than one"


def _neighbours(repository: Repository) -> Iterator[Outcome]:
    """Find teams that may be on one accelerator at a time with nothing between them."""
    found = list(objects(repository))
    owners = {
        r.id.name: str(
            mapping(r.body, "metadata", "labels").get("groundplan.dev/tenant", r.id.name)
        )
        for r in found
        if (r.id.group, r.id.kind) == ("", "Namespace")
    }
    entitled = [
        resource
        for resource in found
        if resource.id.kind == "ResourceQuota"
        and quantity(str(mapping(resource.body, "spec", "hard").get(_SHARED, 0))) > 0
    ]
    first = ""
    for resource in entitled:
        owner = owners.get(resource.id.namespace, resource.id.namespace)
        first = first or owner
        if owner != first:
            yield NEIGHBOURS.fail(
                f"{resource.id} lets {owner} share accelerators with {first}",
                repository.locate(resource.origin, f"/spec/hard/{_SHARED.replace('/', '~1')}"),
                resource.id,
            )
        else:
            yield Passed()


def _unforeseen(body: Mapping[str, Any]) -> Iterator[Fault]:
    """Find empty pools of which the cluster autoscaler does not know what a node would have."""
    notes = mapping(body, "metadata", "annotations")
    place = "/metadata/annotations"
    tainted = [mapping(taint).get("key") for taint in _taints(body)]
    if f"{_CAPACITY}gpu-count" not in notes and str(notes.get(_LEAST)) == "0":
        if ACCELERATOR in tainted:
            yield place, "does not say how many accelerators a machine will have"
        return
    if f"{_CAPACITY}gpu-count" not in notes or str(notes.get(_LEAST, "0")) != "0":
        return
    for what in ("cpu", "memory"):
        if _CAPACITY + what not in notes:
            yield place, f"does not say how much {what} a machine will have"
    if not {f"{_CAPACITY}gpu-type", f"{_CAPACITY}dra-driver"} & notes.keys():
        yield place, "does not say by what name pods ask for its accelerators"
    taints = {
        f"{taint.get('key')}={taint.get('value', '')}:{taint.get('effect')}"
        for taint in map(mapping, _taints(body))
    }
    said = {each for each in str(notes.get(f"{_CAPACITY}taints", "")).split(",") if each}
    if taints != said:
        yield (
            place,
            f"gives its machines other taints than it announces: {_difference(taints, said)}",
        )


def _taints(body: Mapping[str, Any]) -> list[Any]:
    return items(mapping(body, "spec", "template", "spec"), "taints")


def _difference(one: set[str], other: set[str]) -> str:
    return ", ".join(sorted(one ^ other))


def _homeless(repository: Repository) -> Iterator[Outcome]:
    """Find pods with accelerators that fit no pool that the repository declares."""
    declared = [
        pool for pool in pools(list(objects(repository))) if pool.accelerators or pool.devices
    ]
    for pod in pods(repository):
        selector = mapping(pod.spec, "nodeSelector")
        if not pod.accelerated or not selector or pod.resource.id.kind == "DaemonSet":
            continue
        if not declared:
            yield Skipped(str(pod.resource.id), "no node pool with accelerators is declared")
            continue
        fault = _misfit(pod, selector, declared)
        if fault:
            place = repository.locate(pod.resource.origin, pod.place("/spec/nodeSelector"))
            yield HOMELESS.fail(f"{pod.resource.id} {fault}", place, pod.resource.id)
        else:
            yield Passed()


def _misfit(pod: PodOf, selector: Mapping[str, Any], declared: list[Pool]) -> str:
    fitting = [pool for pool in declared if selector.items() <= {**pool.labels}.items()]
    if not fitting:
        wanted = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
        return f"selects {wanted}, which no declared pool gives its nodes"
    tolerations = [mapping(each) for each in items(pod.spec, "tolerations")]
    left = [
        [str(taint["key"]) for taint in pool.taints if not tolerated(taint, tolerations)]
        for pool in fitting
    ]
    if all(left):
        return f"selects {fitting[0].name} and does not tolerate its taint {', '.join(left[0])}"
    return ""


def _opened(body: Mapping[str, Any]) -> Iterator[Fault]:
    """Find who may claim devices that others use."""
    labels = mapping(body, "metadata", "labels")
    if str(labels.get(_ADMIN)) == "true":
        yield f"/metadata/labels/{_ADMIN.replace('/', '~1')}", "lets claims open devices in use"
    for nested in ("/spec/spec/devices/requests", "/spec/devices/requests"):
        requests = items(mapping(body, *nested.split("/")[1:-1]), "requests")
        for number, request in enumerate(map(mapping, requests)):
            if mapping(request, "exactly").get("adminAccess"):
                yield f"{nested}/{number}", "opens devices that others use"


WAY_PAST = Check(
    "GPU016",
    "A quota of device classes counts every class",
    Severity.HIGH,
    "Add a line for each class: one without is unlimited, on the same devices.",
    _way_past,
)
NEIGHBOURS = Check(
    "GPU018",
    "One team at most shares accelerators by time",
    Severity.HIGH,
    "Give the others a quota of 0, or cut accelerators by MIG: time slicing keeps no memory apart.",
    _neighbours,
)
HOMELESS = Check(
    "GPU020",
    "Pods with accelerators fit a declared pool",
    Severity.HIGH,
    "Select the label that the pool gives its nodes, and tolerate all of its taints.",
    _homeless,
)
RULES = (
    Rule(
        "GPU017",
        "A part of an accelerator has a name of its own",
        Severity.MEDIUM,
        "Set renameByDefault, and for time slicing failRequestsGreaterThanOne too.",
        (("", "ConfigMap"),),
        _nameless,
    ),
    Rule(
        "GPU019",
        "An empty pool says what its machines will have",
        Severity.HIGH,
        "Annotate gpu-count, gpu-type or dra-driver, cpu, memory, and the taints of machines.",
        (("cluster.x-k8s.io", "MachineDeployment"), ("cluster.x-k8s.io", "MachinePool")),
        _unforeseen,
    ),
    Rule(
        "GPU021",
        "Nobody opens devices that others use",
        Severity.HIGH,
        "Drop the label and adminAccess; what monitors devices has a namespace of its own.",
        (("", "Namespace"), *CLAIMS),
        _opened,
    ),
)
CHECKS = (WAY_PAST, NEIGHBOURS, HOMELESS, *(rule.check() for rule in RULES))
