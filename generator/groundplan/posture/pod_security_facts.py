"""What a workload's pods may do to the node and to what lies around them."""

from __future__ import annotations

import marshal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from groundplan.posture.facts import Atoms, Facts
from groundplan.posture.pod_security_checks import (
    Level,
    containers,
    items,
    mapping,
    violations,
)
from groundplan.posture.workloads import account, automounted, roles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.posture.workloads import Bodies
    from groundplan.resources import Resource


def facts(workload: Resource, accounts: Bodies) -> Facts:
    """Read what a workload's pods may do.

    Args:
        workload: Any object.
        accounts: The service accounts of the cluster, by namespace and name.
    """
    weak: Atoms = {}
    reach: Atoms = {}
    opaque: dict[str, str] = {}
    for role in roles(workload):
        spec = mapping(role.pod, "spec")
        forbidden, more = _forbidden(role.pod)
        may = {**more, **_beyond(spec), **_secrets(spec)}
        if automounted(spec, accounts.get(account(workload, spec), {})):
            may["a service account's token is mounted"] = "/spec/automountServiceAccountToken"
        whose = f"{role.name}: " if role.name else ""
        weak |= {whose + atom: role.pointer + pointer for atom, pointer in forbidden.items()}
        reach |= {
            whose + atom: role.pointer + pointer
            for atom, pointer in may.items()
            if atom not in forbidden
        }
        opaque |= _opaque(spec, role.pointer)
    return Facts(weak, reach, opaque=opaque)


def _forbidden(pod: Mapping[str, Any]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the two levels forbid of a pod."""
    try:
        return _known(marshal.dumps(dict(pod), 2))
    except ValueError:
        # It has a value that is no plain one, such as a date.
        return violations(pod, Level.BASELINE), violations(pod, Level.RESTRICTED)


@lru_cache(16_384)
def _known(pod: bytes) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The same of a pod as bytes: most are the same on both sides and on many clusters."""
    body = marshal.loads(pod)  # noqa: S302 - written above
    return violations(body, Level.BASELINE), violations(body, Level.RESTRICTED)


def _beyond(spec: Mapping[str, Any]) -> Atoms:
    """What the standards do not ask about."""
    found: Atoms = {}
    if spec.get("shareProcessNamespace"):
        found["containers see each other's processes"] = "/spec/shareProcessNamespace"
    if spec.get("hostUsers") is not False:
        found["the node's users are the pod's"] = "/spec/hostUsers"
    for index, claim in enumerate(items(spec, "resourceClaims")):
        name = mapping(claim).get("resourceClaimTemplateName") or mapping(claim).get(
            "resourceClaimName", ""
        )
        found[f"claims the device {name}"] = f"/spec/resourceClaims/{index}"
    for container, pointer in containers(spec):
        found |= _container(container, pointer)
    return found


def _container(container: Mapping[str, Any], pointer: str) -> Atoms:
    name = f"container {container.get('name', '')}"
    found: Atoms = {}
    context = mapping(container, "securityContext")
    if context.get("readOnlyRootFilesystem") is not True:
        found[f"{name} may write to its image"] = f"{pointer}/securityContext"
    for added in items(mapping(context, "capabilities"), "add"):
        found[f"{name} adds the capability {added}"] = f"{pointer}/securityContext/capabilities"
    image = str(container.get("image", ""))
    if image and "@sha256:" not in image:
        found[f"{name} has an image by tag"] = f"{pointer}/image"
    if image:
        found[f"images of {registry(image)} run"] = f"{pointer}/image"
    for device in mapping(container, "resources", "limits"):
        if "/" in device:
            found[f"{name} uses the device {device}"] = f"{pointer}/resources/limits"
    for index, mount in enumerate(items(container, "volumeMounts")):
        if mapping(mount).get("mountPropagation") == "Bidirectional":
            text = f"{name} mounts volumes on the node"
            found[text] = f"{pointer}/volumeMounts/{index}/mountPropagation"
    return found


def registry(image: str) -> str:
    """The registry of an image reference, as the container runtime reads it."""
    first, slash, _ = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return first if is_host else "docker.io"


def _secrets(spec: Mapping[str, Any]) -> Atoms:
    """Which Secrets the pods can read."""
    found: Atoms = {}
    for index, volume in enumerate(items(spec, "volumes")):
        pointer = f"/spec/volumes/{index}"
        name = mapping(volume, "secret").get("secretName")
        if name:
            found[f"reads the Secret {name}"] = pointer
        for source in items(mapping(volume, "projected"), "sources"):
            if mapping(source, "secret"):
                found[f"reads the Secret {mapping(source, 'secret').get('name')}"] = pointer
            if mapping(source, "serviceAccountToken"):
                audience = mapping(source, "serviceAccountToken").get("audience", "the API server")
                found[f"has a token for {audience}"] = pointer
    for container, pointer in containers(spec):
        found |= {f"reads the Secret {name}": pointer for name in _variables(container)}
    return found


def _variables(container: Mapping[str, Any]) -> Iterator[Any]:
    """The Secrets that a container's variables come from."""
    for source in items(container, "envFrom"):
        if mapping(source, "secretRef"):
            yield mapping(source, "secretRef").get("name")
    for variable in items(container, "env"):
        key = mapping(variable, "valueFrom", "secretKeyRef")
        if key:
            yield key.get("name")


def _opaque(spec: Mapping[str, Any], at: str) -> Mapping[str, str]:
    """What decides about isolation in words that only the cluster knows."""
    found = {}
    if spec.get("runtimeClassName"):
        found[f"{at}/spec/runtimeClassName"] = str(spec["runtimeClassName"])
    return found
