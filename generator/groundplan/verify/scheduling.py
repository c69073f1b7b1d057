"""Whether the real scheduler puts pods where they belong, on simulated nodes of each pool."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from groundplan.findings import Passed, Severity, Skipped
from groundplan.runners.client import Client, Request
from groundplan.verify import placement, pod_templates
from groundplan.verify.assertions import Assertion, Scene
from groundplan.verify.placement import Denied, Pending, Placed, Placement
from groundplan.verify.policies import TRIAL
from groundplan.verify.pools import ACCELERATOR, POOL, Pool, pools
from groundplan.verify.questions import Question
from groundplan.verify.quotas import trial_pod
from groundplan.verify.record import Broken, Said

if TYPE_CHECKING:
    from groundplan.resources import Resource

_QUEUE = "kueue.x-k8s.io/queue-name"
_GENERAL = Pool("groundplan-general", nodes=2)
_TRIAL_TAINT = {"key": "groundplan.dev/trial", "value": "present", "effect": "NoSchedule"}
_ONE_PLACE = Pool(TRIAL, taints=(_TRIAL_TAINT,), accelerators=1)
_SYSTEM = "kube-system"
"""Where policies and quotas leave a trial alone."""

_ONE_BY_ONE = 8
"""Up to so many accelerators are claimed by a pod each."""

_PAUSES = (0.5, 2.0)
"""Seconds for the quotas' controller to see what was claimed and given back."""

_NO_POOL = "no node pool with accelerators is declared"


def _land(scene: Scene) -> Iterator[Said]:
    """Put one pod of each workload with accelerators, or one group, on nodes of all pools."""
    declared = pools(scene.resources)
    asking = [
        (resource, pods)
        for resource in scene.resources
        for pods in _at_a_time(resource)
        if any(map(_asks, pods))
    ]
    if not asking:
        return
    number = sum(len(pods) for _, pods in asking)
    if not declared:
        yield Skipped("workloads with accelerators", _NO_POOL, number)
        return
    nodes = max(len(pods) for _, pods in asking)
    wide = [replace(pool, nodes=min(nodes, pool.most or nodes)) for pool in declared]
    with _furnished(scene.client, (*wide, _GENERAL)):
        for resource, pods in asking:
            if _QUEUE in (resource.body["metadata"].get("labels") or {}):
                yield Skipped("workloads that wait in a queue", "Kueue does not run here")
            else:
                yield _landed(scene, resource, pods, {p.name for p in declared if _has(p)})


def _at_a_time(resource: Resource) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The pods of a workload that are useless without each other, or each by itself."""
    if resource.id.kind == "LeaderWorkerSet":
        yield pod_templates.group(resource)
    else:
        yield from ([pod] for _, pod in pod_templates.pods(resource))


def _landed(
    scene: Scene, resource: Resource, pods: Sequence[Mapping[str, Any]], having: Collection[str]
) -> Said:
    where = resource.id.namespace or "default"
    found = [placement.place(scene.client, where, _without_claims(pod)) for pod in pods]
    for one in found:
        placement.take_away(scene.client, where, one)
    for number, one in enumerate(found):
        match one:
            case Placed(pool) if pool not in having:
                return Broken(resource, f"its pod lands on {pool}, which has no accelerator")
            case Pending(reason) if len(pods) > 1:
                said = f"{number} of the {len(pods)} pods of its group are given a node"
                return Broken(resource, f"{said}: {reason}")
            case Pending(reason):
                return Broken(resource, f"its pod is never given a node: {reason}")
            case Denied(reason):
                return Skipped("workloads with accelerators", f"not let in: {reason[:160]}")
    return Passed(len(pods))


def _keep_off(scene: Scene) -> Iterator[Said]:
    """Offer the other workloads nothing but nodes with accelerators."""
    declared = [pool for pool in pools(scene.resources) if _has(pool)]
    others = [
        (resource, pod)
        for resource, pod in _workloads(scene)
        if resource.id.kind != "DaemonSet" and not _asks(pod)
    ]
    if not declared:
        yield Skipped("workloads without accelerators", _NO_POOL, len(others))
        return
    with _furnished(scene.client, declared):
        for resource, pod in others:
            match _placed(scene, resource, pod):
                case Placed(pool):
                    yield Broken(resource, f"its pod lands on {pool} though it asks for none")
                case Pending():
                    yield Passed()
                case Denied(reason):
                    yield Skipped("workloads without accelerators", f"not let in: {reason[:160]}")


def _claims(scene: Scene) -> Iterator[Said]:
    """Claim for real what each quota allows, and one more."""
    for quota in scene.of("ResourceQuota"):
        for key, allowed in (quota.body["spec"].get("hard") or {}).items():
            resource = key.removeprefix("requests.")
            if resource != key and "/" in resource:
                yield _claimed_again(scene, quota, resource, int(allowed))


def _claimed_again(scene: Scene, quota: Resource, resource: str, allowed: int) -> Said:
    """Claim, and believe that too much is let in only when it is let in each time.

    The quotas' controller counts what it has seen, and for a moment takes back what the API server
    has counted since.
    """
    said = _claimed(scene, quota, resource, allowed)
    for pause in _PAUSES:
        if not isinstance(said, Broken):
            break
        time.sleep(pause)
        said = _claimed(scene, quota, resource, allowed)
    return said


def _open(scene: Scene, namespace: str) -> str:
    """One of the pools that a namespace says are open to it; a policy may hold pods to them."""
    for space in scene.of("Namespace"):
        if space.id.name == namespace:
            notes = space.body["metadata"].get("annotations") or {}
            return str(notes.get("groundplan.dev/pools", "")).partition(",")[0]
    return ""


def _claimed(scene: Scene, quota: Resource, resource: str, allowed: int) -> Said:
    client, space = scene.client, quota.id.namespace
    pool = _open(scene, space)
    steps = [1] * allowed if allowed <= _ONE_BY_ONE else [allowed]
    made: list[Placement] = []
    try:
        for number in (*steps, 1):
            pod = _asking(resource, number, pool)
            answer = client.send(Request("POST", f"/api/v1/namespaces/{space}/pods", pod))
            if answer.ok:
                made.append(Pending("", answer.body["metadata"]["name"]))
                continue
            if len(made) == len(steps) and f"exceeded quota: {quota.id.name}" in answer.message:
                return Passed()
            reason = f"claim {len(made) + 1} was refused: {answer.message[:200]}"
            return Skipped("claims of accelerators", reason)
    finally:
        for one in made:
            placement.take_away(client, space, one)
    pointer = f"/spec/hard/requests.{resource.replace('/', '~1')}"
    return Broken(quota, f"claim {allowed + 1} was let in, {allowed} are allowed", pointer)


def _preempt(scene: Scene) -> Iterator[Said]:
    """Let a pod of each priority ask for the place of one of the next lower priority."""
    classes = sorted(scene.of("PriorityClass"), key=lambda resource: resource.body["value"])
    with _furnished(scene.client, (_ONE_PLACE,)):
        for lower, higher in pairwise(classes):
            if lower.body["value"] != higher.body["value"]:
                yield _contested(scene.client, lower, higher)


def _contested(client: Client, lower: Resource, higher: Resource) -> Said:
    first = placement.place(client, _SYSTEM, _with_priority(lower.id.name))
    second = placement.place(client, _SYSTEM, _with_priority(higher.id.name))
    yields = higher.body.get("preemptionPolicy") == "Never"
    for pod in (second, first):
        placement.take_away(client, _SYSTEM, pod)
    if not isinstance(first, Placed):
        return Skipped("priorities", f"a pod of {lower.id.name} found no place: {first.reason}")
    match second:
        case Placed() if yields:
            return Broken(higher, f"it took the place of {lower.id.name}, which it should not")
        case Pending(reason) if not yields:
            return Broken(higher, f"it did not take the place of {lower.id.name}: {reason}")
        case Denied(reason):
            return Skipped("priorities", f"not let in: {reason[:160]}")
    return Passed()


def _workloads(scene: Scene) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    """Walk the workloads, each with every pod that it makes."""
    for resource in scene.resources:
        for _, pod in pod_templates.pods(resource):
            yield resource, pod


def _asks(pod: Mapping[str, Any]) -> bool:
    """Whether a pod asks for accelerators, as a resource or by a claim."""
    spec = pod["spec"]
    if spec.get("resourceClaims"):
        return True
    containers = (*spec.get("containers", ()), *(spec.get("initContainers") or ()))
    asked = (c.get("resources") or {} for c in containers)
    return any(
        "/" in name
        for r in asked
        for part in r.values()
        if isinstance(part, Mapping)
        for name in part
    )


def _placed(scene: Scene, resource: Resource, pod: Mapping[str, Any]) -> Placement:
    """Place one pod of a workload, and take it away again."""
    where = resource.id.namespace or "default"
    found = placement.place(scene.client, where, _without_claims(pod))
    placement.take_away(scene.client, where, found)
    return found


def _without_claims(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    volumes = [_without_claim(volume) for volume in pod["spec"].get("volumes") or ()]
    return {**pod, "spec": {**pod["spec"], "volumes": volumes}}


def _without_claim(volume: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nobody makes volumes here, and they say nothing about accelerators."""
    claimed = "persistentVolumeClaim" in volume
    return {"name": volume["name"], "emptyDir": {}} if claimed else volume


def _has(pool: Pool) -> bool:
    return bool(pool.accelerators or pool.devices)


def _asking(resource: str, number: int, pool: str = "") -> dict[str, Any]:
    pod = trial_pod({"limits": {resource: str(number)}})
    pod["spec"]["tolerations"] = [{"key": ACCELERATOR, "operator": "Exists"}]
    if pool:
        pod["spec"]["nodeSelector"] = {"groundplan.dev/pool": pool}
    return pod


def _with_priority(name: str) -> dict[str, Any]:
    """A pod that fits nowhere but in the one place there is."""
    pod = _asking(ACCELERATOR, 1)
    pod["spec"] |= {
        "priorityClassName": name,
        "nodeSelector": {POOL: TRIAL},
        "tolerations": [{"key": _TRIAL_TAINT["key"], "operator": "Exists"}],
    }
    return pod


@contextlib.contextmanager
def _furnished(client: Client, wanted: Iterable[Pool]) -> Iterator[None]:
    """Have the nodes of some pools inside the block."""
    with contextlib.ExitStack() as stack:
        for pool in wanted:
            stack.callback(placement.remove, client, pool)
            placement.furnish(client, pool)
        yield


_REMEDY = (
    "compare the pod's requests, selectors and tolerations with the node pools' labels, taints"
)
ASSERTIONS = (
    Assertion(
        Question(
            "SCH001",
            "Pods that ask for accelerators land on a pool that has them",
            Severity.HIGH,
            _REMEDY,
        ),
        _land,
    ),
    Assertion(
        Question(
            "SCH002",
            "Other pods never land on accelerators",
            Severity.HIGH,
            "taint the pool; let only pods with accelerators tolerate the taint",
        ),
        _keep_off,
    ),
    Assertion(
        Question(
            "SCH003",
            "A quota stops the claim after the last that it allows",
            Severity.HIGH,
            "write the limit as `requests.RESOURCE`, as in `requests.nvidia.com/gpu`",
        ),
        _claims,
    ),
    Assertion(
        Question(
            "SCH004",
            "A priority takes the place of a lower one, or not, as it declares",
            Severity.MEDIUM,
            "see the values and the preemption policies of the classes",
        ),
        _preempt,
    ),
)
