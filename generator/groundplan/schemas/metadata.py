"""The metadata that every Kubernetes object has, as a strict JSON schema."""

from __future__ import annotations

from typing import Any

from groundplan.schemas.formats import DATE_TIME

DRAFT = "http://json-schema.org/draft-07/schema#"

_STRING = {"type": ["string", "null"]}
_FLAG = {"type": ["boolean", "null"]}
_INTEGER = {"type": ["integer", "null"]}
_TIME = {"type": ["string", "null"], "pattern": DATE_TIME}
_STRINGS = {"type": ["object", "null"], "additionalProperties": _STRING}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    node: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        node["required"] = list(required)
    return node


_NAME = {"type": "string"}
_OWNER = _object(
    {
        "apiVersion": _NAME,
        "blockOwnerDeletion": _FLAG,
        "controller": _FLAG,
        "kind": _NAME,
        "name": _NAME,
        "uid": _NAME,
    },
    "apiVersion",
    "kind",
    "name",
    "uid",
)
_MANAGED = _object(
    {
        "apiVersion": _STRING,
        "fieldsType": _STRING,
        "fieldsV1": {"type": ["object", "null"]},
        "manager": _STRING,
        "operation": _STRING,
        "subresource": _STRING,
        "time": _TIME,
    }
)

OBJECT_META: dict[str, Any] = {
    **_object(
        {
            "annotations": _STRINGS,
            "creationTimestamp": _TIME,
            "deletionGracePeriodSeconds": _INTEGER,
            "deletionTimestamp": _TIME,
            "finalizers": {"type": ["array", "null"], "items": {"type": "string"}},
            "generateName": _STRING,
            "generation": _INTEGER,
            "labels": _STRINGS,
            "managedFields": {"type": ["array", "null"], "items": _MANAGED},
            "name": _STRING,
            "namespace": _STRING,
            "ownerReferences": {"type": ["array", "null"], "items": _OWNER},
            "resourceVersion": _STRING,
            "selfLink": _STRING,
            "uid": _STRING,
        }
    ),
    "type": ["object", "null"],
}
OBJECT_META_REF = {"$ref": "#/definitions/ObjectMeta"}
