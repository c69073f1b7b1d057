"""The pods that a workload's controller would create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groundplan.resources import Resource

_TEMPLATES = {
    ("apps", "Deployment"): "/spec/template",
    ("apps", "DaemonSet"): "/spec/template",
    ("apps", "ReplicaSet"): "/spec/template",
    ("apps", "StatefulSet"): "/spec/template",
    ("batch", "Job"): "/spec/template",
    ("batch", "CronJob"): "/spec/jobTemplate/spec/template",
    ("", "ReplicationController"): "/spec/template",
}


def template_pointer(resource: Resource) -> str:
    """Where a workload has its pod template; empty for objects that are no workloads."""
    return _TEMPLATES.get((resource.id.group, resource.id.kind), "")


def pod(resource: Resource) -> Mapping[str, Any] | None:
    """Return a pod as the workload's controller would create it; None when it creates none."""
    template: Any = resource.body
    for step in template_pointer(resource).split("/")[1:] or ("",):
        template = template.get(step) if isinstance(template, Mapping) else None
    if not isinstance(template, Mapping) or not isinstance(template.get("spec"), Mapping):
        return None
    written = template.get("metadata")
    metadata = written if isinstance(written, Mapping) else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "generateName": f"{resource.id.name}-"},
        "spec": _with_claims(template["spec"], resource),
    }


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
