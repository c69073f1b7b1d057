"""The shape of CustomResourceDefinitions, as far as their conversion relies on it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from groundplan.schemas.explain import explain
from groundplan.schemas.metadata import DRAFT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema_rs import Draft7Validator

_BODY = {"$ref": "#/definitions/node"}
_NODE = {"allOf": [_BODY], "type": "object"}
_NODE_OR_NONE = {"allOf": [_BODY], "type": ["object", "null"]}
_NODES = {"type": ["object", "null"], "additionalProperties": _NODE}
_LIST = {"type": ["array", "null"], "items": _NODE}
_TEXT = {"type": ["string", "null"]}
_TEXTS = {"type": ["array", "null"], "items": {"type": "string"}}
_FLAG = {"type": ["boolean", "null"]}
_NUMBER = {"type": ["number", "null"]}
_COUNT = {"type": ["integer", "null"]}
_NAME = {"type": "string", "minLength": 1}

_SCHEMA = {
    "properties": {
        "additionalProperties": {"allOf": [_BODY], "type": ["object", "boolean", "null"]},
        "items": {"allOf": [_BODY], "type": ["object", "array", "null"], "items": _NODE},
        "not": _NODE_OR_NONE,
        "enum": {"type": ["array", "null"]},
        **dict.fromkeys(("properties", "patternProperties", "definitions"), _NODES),
        **dict.fromkeys(("allOf", "anyOf", "oneOf"), _LIST),
        **dict.fromkeys(("type", "format", "pattern", "x-kubernetes-list-type"), _TEXT),
        **dict.fromkeys(("required", "x-kubernetes-list-map-keys"), _TEXTS),
        **dict.fromkeys(("minimum", "maximum", "multipleOf"), _NUMBER),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
        **dict.fromkeys(("minProperties", "maxProperties"), _COUNT),
        **dict.fromkeys(("nullable", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems"), _FLAG),
        **dict.fromkeys(
            (
                "x-kubernetes-embedded-resource",
                "x-kubernetes-int-or-string",
                "x-kubernetes-preserve-unknown-fields",
            ),
            _FLAG,
        ),
        # The API server refuses references; following one could leave this machine.
        "$ref": {"type": "null"},
        "$id": {"type": "null"},
    },
}
_VERSION = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _NAME,
        "served": _FLAG,
        "schema": {
            "type": ["object", "null"],
            "properties": {"openAPIV3Schema": _NODE_OR_NONE},
        },
    },
}
_MANIFEST: dict[str, Any] = {
    "$schema": DRAFT,
    "definitions": {"node": _SCHEMA},
    "type": "object",
    "required": ["metadata", "spec"],
    "properties": {
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["group", "names", "versions"],
            "properties": {
                "group": _NAME,
                "scope": _TEXT,
                "names": {
                    "type": "object",
                    "required": ["kind", "plural"],
                    "properties": {"kind": _NAME, "plural": _NAME},
                },
                "versions": {"type": "array", "items": _VERSION},
            },
        },
    },
}


def fault(manifest: Mapping[str, Any]) -> str:
    """Say what keeps a CustomResourceDefinition from being read; empty when nothing does."""
    try:
        if _validator().is_valid(manifest):
            return ""
        found = list(explain(_validator().iter_errors(manifest), _MANIFEST))
    except ValueError:
        return "it has values that no JSON document can have"
    pointer, message = max(found)
    return f"{message} at {pointer or '/'}"


@cache
def _validator() -> Draft7Validator:
    from jsonschema_rs import Draft7Validator

    return Draft7Validator(_MANIFEST)
