"""The pods that a workload's controller would create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.resources import Resource

_TEMPLATES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("/spec/template",),
    ("apps", "DaemonSet"): ("/spec/template",),
    ("apps", "ReplicaSet"): ("/spec/template",),
    ("apps", "StatefulSet"): ("/spec/template",),
    ("batch", "Job"): ("/spec/template",),
    ("batch", "CronJob"): ("/spec/jobTemplate/spec/template",),
    ("", "ReplicationController"): ("/spec/template",),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        "/spec/leaderWorkerTemplate/leaderTemplate",
        "/spec/leaderWorkerTemplate/workerTemplate",
    ),
}
"""Where workloads have their pod templates: one, or one for each role."""

_NAMED_BY: Mapping[tuple[str, str], str] = {
    ("batch", "Job"): "batch.kubernetes.io/job-name",
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): "leaderworkerset.sigs.k8s.io/name",
    ("serving.kserve.io", "InferenceService"): "serving.kserve.io/inferenceservice",
}
"""The label by which a controller says of pods whose they are, where policies may select it."""
PREDICTOR = ("serving.kserve.io", "InferenceService")
"""Its predictor is no template: the fields of a pod's spec are mixed with KServe's own."""
_OF_KSERVE = frozenset(
    (
        *("annotations", "autoScaling", "batcher", "canaryTrafficPercent", "containerConcurrency"),
        *("deploymentStrategy", "labels", "logger", "maxReplicas", "minReplicas", "model", "name"),
        *("scaleMetric", "scaleMetricType", "scaleTarget", "storageContainerName", "storageUris"),
        *("timeout", "workerSpec"),
    )
)


def template_pointer(resource: Resource) -> str:
    """Where a workload has its (first) pod template; empty for objects that are no workloads."""
    return next((pointer for pointer, _ in pods(resource)), "")


def pod(resource: Resource) -> Mapping[str, Any] | None:
    """Return a pod as the workload's controller would create it; None when it creates none."""
    return next((made for _, made in pods(resource)), None)


def pods(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Walk the pods that a workload's controller would create, one for each role.

    Each with the pointer to its template. Of an InferenceService only a predictor with containers
    of its own is known; others are made from a runtime that is not written in it.
    """
    if (resource.id.group, resource.id.kind) == PREDICTOR:
        yield from _predictor(resource)
        return
    for pointer in _TEMPLATES.get((resource.id.group, resource.id.kind), ()):
        template = _at(resource.body, pointer)
        if isinstance(template, Mapping) and isinstance(template.get("spec"), Mapping):
            written = template.get("metadata")
            metadata = written if isinstance(written, Mapping) else {}
            yield pointer, _pod(resource, metadata, _with_claims(template["spec"], resource))


def group(resource: Resource) -> list[Mapping[str, Any]]:
    """All pods of one group of a LeaderWorkerSet: the leader, and workers up to its size."""
    made = [pod for _, pod in pods(resource)]
    size = _at(resource.body, "/spec/leaderWorkerTemplate/size")
    return [*made[:1], *made[-1:] * ((size if isinstance(size, int) else 1) - 1)]


def _at(body: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        body = body.get(step) if isinstance(body, Mapping) else None
    return body


def _predictor(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    predictor = _at(resource.body, "/spec/predictor")
    if isinstance(predictor, Mapping) and predictor.get("containers"):
        metadata = {key: predictor[key] for key in ("labels", "annotations") if key in predictor}
        spec = {key: value for key, value in predictor.items() if key not in _OF_KSERVE}
        yield "/spec/predictor", _pod(resource, metadata, spec)


def _pod(
    resource: Resource, metadata: Mapping[str, Any], spec: Mapping[str, Any]
) -> Mapping[str, Any]:
    named = {**metadata, "generateName": f"{resource.id.name}-"}
    if label := _NAMED_BY.get((resource.id.group, resource.id.kind)):
        named["labels"] = {**(metadata.get("labels") or {}), label: resource.id.name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": spec}


def _with_claims(spec: Mapping[str, Any], resource: Resource) -> Mapping[str, Any]:
    """Add the volumes that a StatefulSet makes from its claim templates."""
    if resource.id.kind != "StatefulSet":
        return spec
    claims = resource.body["spec"].get("volumeClaimTemplates") or ()
    names = [claim["metadata"]["name"] for claim in claims]
    volumes = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{resource.id.name}-0"}}
        for name in names
    ]
    own = [volume for volume in spec.get("volumes") or () if volume.get("name") not in names]
    return {**spec, "volumes": [*own, *volumes]}
