"""Custom resource definitions as strict JSON schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.schemas.crd_shape import fault
from groundplan.schemas.formats import constrain
from groundplan.schemas.metadata import DRAFT, OBJECT_META, OBJECT_META_REF
from groundplan.schemas.patterns import portable

_MAPS = ("properties", "patternProperties", "definitions")
_NODES = ("additionalProperties", "items", "not")
_LISTS = ("allOf", "anyOf", "oneOf")
_CONSTRAINTS = (*_LISTS, "not")
"""Keywords below which a schema only narrows: they never declare a field."""

_DROPPED = frozenset(
    ("description", "title", "nullable", "format", "default", "example", "externalDocs")
)
_KEPT_EXTENSIONS = ("x-kubernetes-list-type", "x-kubernetes-list-map-keys")
"""How the API server merges a list."""


@dataclass(frozen=True, slots=True)
class Definition:
    """The parts of a CustomResourceDefinition that say which kind it brings."""

    group: str
    kind: str
    plural: str
    namespaced: bool
    served: tuple[str, ...]
    manifest: Mapping[str, Any]
    """Without descriptions and status."""


def is_definition(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest means to be an `apiextensions.k8s.io/v1` CRD."""
    return (manifest.get("apiVersion"), manifest.get("kind")) == (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
    )


def definition(manifest: Mapping[str, Any]) -> Definition | None:
    """Read a manifest; None when it is not a whole `apiextensions.k8s.io/v1` CRD."""
    if not is_definition(manifest) or fault(manifest):
        return None
    spec = manifest["spec"]
    served = (version["name"] for version in spec["versions"] if version.get("served"))
    return Definition(
        group=spec["group"],
        kind=spec["names"]["kind"],
        plural=spec["names"]["plural"],
        namespaced=spec.get("scope") != "Cluster",
        served=tuple(served),
        manifest=strip(manifest),
    )


def strip(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD without the status and without the prose of its schemas."""
    metadata = {
        key: value for key, value in manifest["metadata"].items() if key != "creationTimestamp"
    }
    spec = dict(manifest["spec"])
    spec["versions"] = [_strip_version(version) for version in spec["versions"]]
    kept = {key: value for key, value in manifest.items() if key != "status"}
    return {**kept, "metadata": metadata, "spec": spec}


def _strip_version(version: Mapping[str, Any]) -> dict[str, Any]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        return dict(version)
    return {**version, "schema": {"openAPIV3Schema": _rebuild(schema, _without_prose)}}


def _without_prose(node: dict[str, Any], _source: Mapping[str, Any], _declares: bool) -> Any:
    node.pop("description", None)
    return node


def _without_nulls(node: dict[str, Any], _source: Mapping[str, Any], _declares: bool) -> Any:
    """A keyword that is null is as good as left out."""
    return {key: value for key, value in node.items() if value is not None}


def strict_schemas(manifest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each served version of a CRD with a JSON schema that refuses unknown fields."""
    for version in manifest["spec"]["versions"]:
        if version.get("served"):
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            yield version["name"], strict_schema(schema)


def strict_schema(openapi: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the `openAPIV3Schema` of a CRD version.

    The result accepts what the API server accepts from a manifest with strict field validation,
    except for what JSON schema cannot say: CEL rules, list keys and name formats.
    """
    root = _rebuild(_rebuild(openapi, _without_nulls), _strict)
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties |= root.get("properties", {})
    properties["metadata"] = _object_meta(properties.get("metadata", {}))
    status = properties.get("status")
    if isinstance(status, dict):
        # The API server drops the status of what is applied before it looks at it.
        properties["status"] = {k: v for k, v in status.items() if k != "required"}
    root |= {"type": "object", "properties": properties}
    root["required"] = sorted({"apiVersion", "kind", *root.get("required", ())})
    if "additionalProperties" not in root and not openapi.get(
        "x-kubernetes-preserve-unknown-fields"
    ):
        root["additionalProperties"] = False
    return {"$schema": DRAFT, **root, "definitions": {"ObjectMeta": OBJECT_META}}


def _object_meta(narrowed: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of `metadata`: the core one, and what the CRD asks of the name on top."""
    asked = {
        name: rule
        for name, rule in narrowed.get("properties", {}).items()
        if name in ("name", "generateName")
    }
    if not asked:
        return dict(OBJECT_META_REF)
    return {"allOf": [OBJECT_META_REF, {"properties": asked}]}


def _rebuild(
    node: Any,
    visit: Callable[[dict[str, Any], Mapping[str, Any], bool], Any],
    declares: bool = True,
) -> Any:
    """Rebuild a schema bottom-up, entering only places that hold schemas.

    A field that is called `properties` or `description`, and the contents of `default` and
    `enum`, are therefore never mistaken for keywords.
    """
    if not isinstance(node, Mapping):
        return node
    built: dict[str, Any] = {}
    for key, value in node.items():
        below = declares and key not in _CONSTRAINTS
        if key in _MAPS and isinstance(value, Mapping):
            built[key] = {name: _rebuild(child, visit, below) for name, child in value.items()}
        elif key in _LISTS or (key in _NODES and isinstance(value, list)):
            built[key] = [_rebuild(child, visit, below) for child in value or ()]
        elif key in _NODES:
            built[key] = _rebuild(value, visit, below)
        else:
            built[key] = value
    return visit(built, node, declares)


def _strict(built: dict[str, Any], source: Mapping[str, Any], declares: bool) -> dict[str, Any]:
    """Turn one node of a structural schema into JSON schema."""
    out = {
        key: value
        for key, value in built.items()
        if key not in _DROPPED and (key in _KEPT_EXTENSIONS or not key.startswith("x-kubernetes-"))
    }
    if "pattern" in out:
        out["pattern"] = portable(out["pattern"])
    if declares:
        out = _closed(_embedded(out, source), source)
        out = _with_defaults(out, source)
    out = constrain(_limits(out), source.get("format"))
    if source.get("x-kubernetes-int-or-string") or source.get("format") == "int-or-string":
        out["type"] = ["integer", "string"]
        if out.get("anyOf") == [{"type": "integer"}, {"type": "string"}]:
            del out["anyOf"]
    # A null in place of a value that has a default is taken out before the default goes in.
    if source.get("nullable") or "default" in source:
        out = _nullable(out)
    return out


def _embedded(out: dict[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Give an embedded object the fields that every object has."""
    if not source.get("x-kubernetes-embedded-resource"):
        return out
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties |= out.get("properties", {})
    properties["metadata"] = _object_meta(properties.get("metadata", {}))
    required = sorted({"apiVersion", "kind", *out.get("required", ())})
    return {**out, "properties": properties, "required": required}


def _closed(out: dict[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse fields that the API server would prune."""
    is_object = out.get("type") == "object" or "properties" in out
    keeps = source.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in out
    if keeps or not is_object:
        return out
    # With `properties`, even empty, the engine names the field that is refused.
    return {"properties": {}, **out, "additionalProperties": False}


def _with_defaults(out: dict[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Accept objects that leave out fields which the API server fills in first.

    A `oneOf` that tells its branches apart by such a field becomes an `anyOf`: without the field
    more than one branch can match.
    """
    declared = source.get("properties") or {}
    filled = {
        n for n, child in declared.items() if isinstance(child, Mapping) and "default" in child
    }
    if not filled:
        return out
    out = dict(out)
    if required := [name for name in out.pop("required", ()) if name not in filled]:
        out["required"] = required
    branches = out.get("oneOf", ())
    if any(
        filled & {*branch.get("properties", ()), *branch.get("required", ())} for branch in branches
    ):
        del out["oneOf"]
        out["allOf"] = [*out.get("allOf", ()), {"anyOf": [_unfilled(b, filled) for b in branches]}]
    return out


def _unfilled(branch: Mapping[str, Any], filled: set[str]) -> dict[str, Any]:
    """A branch that does not ask for a field which is filled in."""
    out = dict(branch)
    if "required" in out:
        out["required"] = [name for name in out["required"] if name not in filled]
    return out


def _limits(out: dict[str, Any]) -> dict[str, Any]:
    """Spell exclusive limits as numbers: OpenAPI 3.0 has flags."""
    for flag, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(out.get(flag), bool) and out.pop(flag) and limit in out:
            out[flag] = out.pop(limit)
    return out


def _nullable(out: dict[str, Any]) -> dict[str, Any]:
    if isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    elif isinstance(out.get("type"), list):
        out["type"] = [*out["type"], "null"]
    if "enum" in out and None not in out["enum"]:
        out["enum"] = [*out["enum"], None]
    return out
