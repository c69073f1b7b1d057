"""Kubernetes' own kinds as strict JSON schemas, from the API server's OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.schemas.formats import DATE_TIME, QUANTITY, constrain
from groundplan.schemas.metadata import DRAFT

_REF = "#/definitions/"
_MACHINERY = "io.k8s.apimachinery.pkg"
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"

_SPECIAL: dict[str, dict[str, Any]] = {
    f"{_MACHINERY}.api.resource.Quantity": {
        "type": ["string", "number", "null"],
        "pattern": QUANTITY,
    },
    f"{_MACHINERY}.apis.meta.v1.Time": {"type": ["string", "null"], "pattern": DATE_TIME},
    f"{_MACHINERY}.apis.meta.v1.MicroTime": {"type": ["string", "null"], "pattern": DATE_TIME},
    f"{_MACHINERY}.util.intstr.IntOrString": {"type": ["integer", "string", "null"]},
    # What these hold is anybody's: the document says no more than that they are objects.
    f"{_MACHINERY}.apis.meta.v1.FieldsV1": {"type": ["object", "null"]},
    f"{_MACHINERY}.apis.meta.v1.Patch": {"type": ["object", "null"]},
    f"{_MACHINERY}.runtime.RawExtension": {"type": ["object", "null"]},
    f"{_EXTENSIONS}.JSON": {},
    f"{_EXTENSIONS}.JSONSchemaPropsOrArray": {},
    f"{_EXTENSIONS}.JSONSchemaPropsOrBool": {},
    f"{_EXTENSIONS}.JSONSchemaPropsOrStringArray": {},
}
_LIST_KEYS = (
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-patch-strategy",
    "x-kubernetes-patch-merge-key",
)


@dataclass(frozen=True, slots=True)
class CoreKind:
    """A kind that can be created through the API server."""

    group: str
    version: str
    kind: str
    namespaced: bool
    definition: str
    """Name of its definition."""


@dataclass(frozen=True, slots=True)
class Core:
    """All kinds of one Kubernetes version and the definitions that they share."""

    kinds: tuple[CoreKind, ...]
    definitions: Mapping[str, Mapping[str, Any]]


def convert(swagger: Mapping[str, Any]) -> Core:
    """Convert `api/openapi-spec/swagger.json` of a Kubernetes release."""
    source = swagger["definitions"]
    kinds = tuple(sorted(_kinds(swagger), key=lambda k: (k.group, k.version, k.kind)))
    definitions = {name: _definition(name, node) for name, node in source.items()}
    for kind in kinds:
        root = definitions[kind.definition]
        root["type"] = "object"
        status = root.get("properties", {}).get("status", {}).get("$ref")
        if status:
            # The API server drops the status of what is applied before it looks at it.
            definitions[status.removeprefix(_REF)].pop("required", None)
    used = closure(definitions, [kind.definition for kind in kinds])
    return Core(kinds, used)


def schema(definitions: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return a standalone JSON schema of one definition, with all that it refers to."""
    needed = closure(definitions, [name])
    return {"$schema": DRAFT, "$ref": _REF + name, "definitions": needed}


def closure(
    definitions: Mapping[str, Mapping[str, Any]], names: list[str]
) -> dict[str, Mapping[str, Any]]:
    """Return the named definitions and all that they refer to, by name."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting.extend(_references(definitions[name]))
    return dict(sorted(found.items()))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        ref = node.get("$ref")
        if isinstance(ref, str):
            yield ref.removeprefix(_REF)
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def _kinds(swagger: Mapping[str, Any]) -> Iterator[CoreKind]:
    """The kinds that have a collection to create in."""
    names = {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, node in swagger["definitions"].items()
        for gvk in node.get("x-kubernetes-group-version-kind", ())
    }
    seen = set()
    for path, methods in swagger["paths"].items():
        post = methods.get("post")
        if not post or "{name}" in path:
            continue
        gvk = post["x-kubernetes-group-version-kind"]
        key = gvk["group"], gvk["version"], gvk["kind"]
        if key in names and key not in seen:
            seen.add(key)
            yield CoreKind(*key, "{namespace}" in path, names[key])


def _definition(name: str, node: Mapping[str, Any]) -> dict[str, Any]:
    if name in _SPECIAL:
        return dict(_SPECIAL[name])
    required = node.get("required", ())
    out: dict[str, Any] = {"type": ["object", "null"], "additionalProperties": False}
    out["properties"] = {
        field: _field(child, field in required)
        for field, child in node.get("properties", {}).items()
    }
    if required:
        out["required"] = list(required)
    return out


def _field(node: Mapping[str, Any], required: bool) -> dict[str, Any]:
    """Convert a field, a list item or a map value. An optional one may be null, as Go reads it."""
    if "$ref" in node:
        return _reference(node["$ref"], required)
    named = node.get("type")
    if named is None:
        return {}
    out: dict[str, Any] = {"type": named if required else [named, "null"]}
    if "items" in node:
        out["items"] = _field(node["items"], required=True)
    if "additionalProperties" in node:
        out["additionalProperties"] = _field(node["additionalProperties"], required=False)
    if "enum" in node:
        out["enum"] = [*node["enum"], None] if not required else node["enum"]
    out |= {key: node[key] for key in _LIST_KEYS if key in node}
    return constrain(out, node.get("format"))


def _reference(ref: str, required: bool) -> dict[str, Any]:
    """Refer to a definition; definitions accept null, so that optional fields cost nothing."""
    special = _SPECIAL.get(ref.removeprefix(_REF))
    if not required or special == {}:
        return {"$ref": ref}
    types = [t for t in special["type"] if t != "null"] if special else "object"
    return {"allOf": [{"$ref": ref}, {"type": types}]}
