"""What the comparison reads of an object, without what changes every day.

Both sides are projected alike, so that a field left out here can neither hide a change nor be one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundplan.posture.comparison import Side
from groundplan.posture.pod_security_checks import mapping
from groundplan.posture.pod_security_facts import registry
from groundplan.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SILENT = frozenset(
    {
        "ConfigMap",
        "CustomResourceDefinition",
        "PrometheusRule",
        "SealedSecret",
        "Secret",
        "ServiceMonitor",
    }
)
"""Kinds that allow nothing. Of Secrets, no content is ever copied."""
_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type
_METADATA = ("name", "generateName", "namespace", "labels", "annotations")
_NOISE = (
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/last-applied-configuration",
)
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def projected(side: Side) -> Side:
    """A side with the projections of its objects."""
    clusters = {
        name: replace(
            cluster,
            units=tuple(
                replace(unit, resources=tuple(objects(unit.resources))) for unit in cluster.units
            ),
        )
        for name, cluster in side.clusters.items()
    }
    return Side(side.tree, clusters)


def objects(resources: Iterable[Resource]) -> Iterator[Resource]:
    """The projection of every object that allows or forbids something."""
    resources = tuple(resources)
    parameters = set(_parameters(resources))
    for resource in resources:
        if resource.id.kind == "ConfigMap" and resource.id.name in parameters:
            text = json.dumps(resource.body, sort_keys=True, default=str)
            digest = {"digest": hashlib.sha256(text.encode()).hexdigest()[:32]}
            yield Resource(resource.id, _whose(resource.body) | digest, resource.origin)
        elif resource.body.get("type") == _TOKEN:
            kept = _whose(resource.body) | {"type": _TOKEN}
            yield Resource(resource.id, kept, resource.origin)
        elif resource.id.kind not in SILENT:
            yield Resource(resource.id, _projected(resource), resource.origin)


def _parameters(resources: Iterable[Resource]) -> Iterator[str]:
    """The names of the objects that policies take parameters from."""
    for resource in resources:
        if resource.id.kind.endswith("PolicyBinding"):
            yield str(mapping(resource.body, "spec", "paramRef").get("name", ""))


def _whose(body: Mapping[str, Any]) -> dict[str, Any]:
    said = mapping(body, "metadata")
    metadata = {name: said[name] for name in _METADATA if said.get(name)}
    annotations = {k: v for k, v in mapping(said, "annotations").items() if k not in _NOISE}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": body.get("apiVersion"), "kind": body.get("kind"), "metadata": metadata}


def _projected(resource: Resource) -> dict[str, Any]:
    rest = {k: v for k, v in resource.body.items() if k not in {"metadata", "status"}}
    if resource.id.kind == "HelmRelease":
        # What a chart is given is remembered as the digest of its input.
        spec = mapping(resource.body, "spec")
        rest["spec"] = {name: value for name, value in spec.items() if name != "values"}
    found: dict[str, Any] = _whose(resource.body) | {k: _pruned(v) for k, v in rest.items()}
    return found


def _pruned(value: Any) -> Any:
    """Order keys, and prune the containers of whatever pod template there is."""
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: [_container(one) if isinstance(one, dict) else one for one in part]
        if name in _CONTAINERS and isinstance(part, list)
        else _pruned(part)
        for name, part in sorted(value.items(), key=lambda item: str(item[0]))
    }


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    """A container without tag, digest, literal variables and sizes."""
    found = {k: v for k, v in container.items() if k not in {"image", "env", "resources"}}
    image = str(container.get("image", ""))
    if image:
        pinned = "@sha256:pinned" if "@sha256:" in image else ":tag"
        found["image"] = f"{registry(image)}/image{pinned}"
    variables = container.get("env")
    if isinstance(variables, list):
        read = [one for one in variables if mapping(one, "valueFrom")]
        found |= {"env": read} if read else {}
    devices = {k: v for k, v in mapping(container, "resources", "limits").items() if "/" in k}
    return found | ({"resources": {"limits": devices}} if devices else {})
