"""Whether quotas stop what exceeds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.findings import Passed, Severity, Skipped
from groundplan.runners.client import Request
from groundplan.verify.assertions import Assertion, Scene
from groundplan.verify.questions import Question
from groundplan.verify.record import Broken, Said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.resources import Resource

_WHOLE = re.compile(r"(\d+)([A-Za-z]*)")
_DEVICES = ".deviceclass.resource.k8s.io/devices"
_CLASS = ".storageclass.storage.k8s.io/"
_FLOOR = {"cpu": "1m", "memory": "1Mi"}
_UNSEEN = "they count objects, which dry runs are not, or only some pods"
IMAGE = "registry.example/trial@sha256:" + "0" * 64


def _stop(scene: Scene) -> Iterator[Said]:
    """Ask in each namespace for one more than its quota allows, of one thing at a time."""
    for quota in scene.of("ResourceQuota"):
        for key, allowed in (quota.body.get("spec", {}).get("hard") or {}).items():
            scoped = "scopeSelector" in quota.body["spec"]
            request = (
                _of_priority(quota, key, str(allowed))
                if scoped
                else _too_much(quota.id.namespace, key, str(allowed))
            )
            if request is None:
                yield Skipped("limits of quotas", _UNSEEN)
            else:
                yield _judged(quota, key, scene.client.send(request).message)


def _judged(quota: Resource, key: str, message: str) -> Said:
    """Read the answer to a request that exceeds a quota."""
    if f"exceeded quota: {quota.id.name}" in message and key in message:
        return Passed()
    pointer = "/spec/hard/" + key.replace("~", "~0").replace("/", "~1")
    if "HTTP status 2" in message:
        return Broken(quota, f"more {key} than allowed was accepted", pointer)
    return Skipped("limits of quotas", f"something else refused first: {message[:160]}")


def _too_much(namespace: str, key: str, allowed: str) -> Request | None:
    """Make the request that exceeds one limit; None when one request alone cannot."""
    number = _WHOLE.fullmatch(allowed)
    if number is None:
        return None
    more = f"{int(number[1]) + 1}{number[2]}"
    kind, _, name = key.partition(".")
    extended = key.removeprefix("requests.").removeprefix("limits.")
    match kind, name:
        case _ if key.endswith("requests.storage"):
            body = _claim(more, key.removesuffix("requests.storage").removesuffix(_CLASS))
            return _asking(namespace, "persistentvolumeclaims", body)
        case "services", "loadbalancers" if allowed == "0":
            return _asking(namespace, "services", _service())
        case (("requests" | "limits"), ("cpu" | "memory")):
            pod = trial_pod({kind: {name: more}, "limits": {name: more}})
        case _ if key.endswith(_DEVICES):
            body = _devices(key.removesuffix(_DEVICES), int(number[1]) + 1)
            return _asking(namespace, "resourceclaims", body, "/apis/resource.k8s.io/v1")
        case _ if "/" in key:
            pod = trial_pod({"limits": {extended: more}})
        case _:
            return None
    return _asking(namespace, "pods", pod)


def _of_priority(quota: Resource, key: str, allowed: str) -> Request | None:
    """Ask for a pod of the first priority that a quota lets none of; None for other scopes."""
    [scope, *others] = quota.body["spec"]["scopeSelector"].get("matchExpressions") or [{}]
    named = (scope.get("scopeName"), scope.get("operator")) == ("PriorityClass", "In")
    if others or not named or (key, allowed) != ("pods", "0"):
        return None
    pod = trial_pod({})
    pod["spec"]["priorityClassName"] = scope["values"][0]
    return _asking(quota.id.namespace, "pods", pod)


def _asking(namespace: str, plural: str, body: Mapping[str, Any], root: str = "/api/v1") -> Request:
    return Request("POST", f"{root}/namespaces/{namespace}/{plural}?dryRun=All", body)


def trial_pod(resources: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A pod that Pod Security `restricted` and the policies have nothing against."""
    given = {
        "requests": {**_FLOOR, **resources.get("requests", {})},
        "limits": {"memory": "1Mi", **resources.get("limits", {})},
    }
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "groundplan-", "labels": {"app.kubernetes.io/name": "trial"}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "trial",
                    "image": IMAGE,
                    "resources": given,
                    "securityContext": {**security, "readOnlyRootFilesystem": True},
                }
            ],
        },
    }


def _claim(size: str, storage_class: str = "") -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"generateName": "groundplan-"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **({"storageClassName": storage_class} if storage_class else {}),
        },
    }


def _devices(device_class: str, count: int) -> Mapping[str, Any]:
    exactly = {"deviceClassName": device_class, "allocationMode": "ExactCount", "count": count}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"generateName": "groundplan-"},
        "spec": {"devices": {"requests": [{"name": "devices", "exactly": exactly}]}},
    }


def _service() -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"generateName": "groundplan-"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "trial"}},
    }


STOP = Assertion(
    Question(
        "API008",
        "Quotas stop what exceeds them",
        Severity.HIGH,
        "write the limit as Kubernetes counts it: extended resources only as `requests.NAME`",
    ),
    _stop,
)
