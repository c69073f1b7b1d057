"""Scalers: they agree with Git about who sets the size, and have room for what they may start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import ACCELERATOR, PodOf, objects, pods
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.verify.pod_templates import PREDICTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository
    from groundplan.resources import Resource

Target = tuple[str, str, str]
"""Namespace, kind and name of what is scaled."""
_SCALERS = {
    ("keda.sh", "ScaledObject"): "maxReplicaCount",
    ("autoscaling", "HorizontalPodAutoscaler"): "maxReplicas",
}
"""Where each kind of scaler says how many replicas there may be."""
_UNSAID = {"maxReplicaCount": 100}
"""KEDA's own ceiling."""
_CLASS = "serving.kserve.io/autoscalerClass"


def _scalers(repository: Repository) -> Iterator[tuple[Resource, Target]]:
    for resource in objects(repository):
        if (resource.id.group, resource.id.kind) in _SCALERS:
            aim = mapping(resource.body, "spec", "scaleTargetRef")
            kind = str(aim.get("kind", "Deployment"))
            yield resource, (resource.id.namespace, kind, str(aim.get("name")))


def _contested(repository: Repository) -> Iterator[Outcome]:
    """Find workloads whose number of replicas Git and a scaler both set."""
    ignored = any(map(_ignores, objects(repository)))
    by_target = {_made(resource): resource for resource in objects(repository)}
    for scaler, target in _scalers(repository):
        workload = by_target.get(target)
        if workload is None:
            continue
        if _of_kserve(workload):
            if _class(workload) == "external":
                yield Passed()
                continue
            yield CONTESTED.fail(
                f"KServe sets the replicas of {workload.id}, and {scaler.id} sets them too",
                repository.locate(workload.origin, "/metadata/annotations"),
                workload.id,
            )
        elif "replicas" in mapping(workload.body, "spec") and not ignored:
            yield CONTESTED.fail(
                f"{workload.id} has its replicas in Git, and {scaler.id} sets them too",
                repository.locate(workload.origin, "/spec/replicas"),
                workload.id,
            )
        else:
            yield Passed()


def _of_kserve(resource: Resource) -> bool:
    return (resource.id.group, resource.id.kind) == PREDICTOR


def _class(resource: Resource) -> object:
    return mapping(resource.body, "metadata", "annotations").get(_CLASS)


def _made(resource: Resource) -> Target:
    """What a scaler has to name to scale it: KServe makes a Deployment with a name of its own."""
    identity = resource.id
    if _of_kserve(resource):
        return identity.namespace, "Deployment", f"{identity.name}-predictor"
    return identity.namespace, identity.kind, identity.name


def _ignores(resource: Resource) -> bool:
    """Whether an Application of Argo CD leaves replicas to others."""
    spec = mapping(resource.body, "spec")
    if resource.id.kind == "ApplicationSet":
        spec = mapping(spec, "template", "spec")
    elif resource.id.kind != "Application":
        return False
    differences = map(mapping, items(spec, "ignoreDifferences"))
    return any("/spec/replicas" in items(one, "jsonPointers") for one in differences)


def _unscaled(repository: Repository) -> Iterator[Outcome]:
    """Find InferenceServices with one server where more are written: KServe makes no second."""
    aims = {target for _, target in _scalers(repository)}
    for resource in objects(repository):
        if not _of_kserve(resource) or _class(resource) != "external":
            continue
        least = mapping(resource.body, "spec", "predictor").get("minReplicas", 1)
        if _made(resource) in aims or not isinstance(least, int) or least <= 1:
            yield Passed()
            continue
        yield UNSCALED.fail(
            f"{resource.id} wants {least} servers, and nobody makes more than one",
            repository.locate(resource.origin, "/spec/predictor/minReplicas"),
            resource.id,
        )


def _cramped(repository: Repository) -> Iterator[Outcome]:
    """Find scalers whose last replica would wait for an accelerator for ever."""
    found: dict[Target, list[PodOf]] = {}
    for pod in pods(repository):
        found.setdefault(_made(pod.resource), []).append(pod)
    for scaler, target in _scalers(repository):
        field = _SCALERS[scaler.id.group, scaler.id.kind]
        most = mapping(scaler.body, "spec").get(field, _UNSAID.get(field, 1))
        wanted = _accelerators(found.get(target, ())) * (most if isinstance(most, int) else 1)
        if not wanted:
            continue
        room = list(_room(repository, found[target][0]))
        short = [(holder, number) for holder, number in room if number < wanted]
        for holder, number in short:
            yield CRAMPED.fail(
                f"{scaler.id} may start {most} replicas with {wanted} accelerators, "
                f"and {holder.id} has {number}",
                repository.locate(scaler.origin, f"/spec/{field}"),
                scaler.id,
            )
        if room and not short:
            yield Passed()


def _accelerators(replica: list[PodOf] | tuple[()]) -> int:
    """What one replica takes; a LeaderWorkerSet's replica is one leader and all its workers."""
    if not replica or replica[0].resource.id.kind != "LeaderWorkerSet":
        return sum(pod.accelerators for pod in replica)
    template = mapping(replica[0].resource.body, "spec", "leaderWorkerTemplate")
    size = template.get("size", 1)
    leader, worker = replica[0], replica[-1]
    return leader.accelerators + worker.accelerators * ((size if isinstance(size, int) else 1) - 1)


def _room(repository: Repository, pod: PodOf) -> Iterator[tuple[Resource, int]]:
    """Quotas of the pod's namespace and Karpenter's pools that it selects, with their ceilings."""
    wanted, namespace = mapping(pod.spec, "nodeSelector").items(), pod.resource.id.namespace
    for resource in objects(repository):
        ceiling: Any = None
        if (resource.id.kind, resource.id.namespace) == ("ResourceQuota", namespace):
            ceiling = mapping(resource.body, "spec", "hard").get(f"requests.{ACCELERATOR}")
        elif (resource.id.group, resource.id.kind) == ("karpenter.sh", "NodePool"):
            labels = mapping(resource.body, "spec", "template", "metadata", "labels")
            if wanted and wanted <= labels.items():
                ceiling = mapping(resource.body, "spec", "limits").get(ACCELERATOR)
        if str(ceiling).isdecimal():
            yield resource, int(str(ceiling))


CONTESTED = Check(
    "SCL001",
    "Git does not set what a scaler sets",
    Severity.MEDIUM,
    "Leave replicas out of the workload, let Argo CD ignore them, or be external to KServe.",
    _contested,
)
CRAMPED = Check(
    "SCL002",
    "There are accelerators for all that a scaler may start",
    Severity.MEDIUM,
    "Raise the quota and the ceiling of the pool, or lower the largest number of replicas.",
    _cramped,
)
UNSCALED = Check(
    "SCL003",
    "What KServe leaves to another scaler has one",
    Severity.MEDIUM,
    "Add a ScaledObject for its Deployment, or give it the autoscalerClass none.",
    _unscaled,
)
CHECKS = (CONTESTED, CRAMPED, UNSCALED)
