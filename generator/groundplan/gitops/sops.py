"""Objects that SOPS has encrypted, as far as they can be known without the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.resources import Resource


def decrypted(resource: Resource) -> Resource:
    """The object without SOPS's own field; what is encrypted becomes empty text."""
    if "sops" not in resource.body:
        return resource
    body = {name: _blank(value) for name, value in resource.body.items() if name != "sops"}
    return Resource.of(body, resource.origin)


def _blank(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _blank(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_blank(item) for item in value]
    if isinstance(value, str) and value.startswith("ENC[") and value.endswith("]"):
        return ""
    return value
