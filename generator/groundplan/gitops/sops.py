"""Objects that SOPS has encrypted, as far as they can be known without the key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from groundplan.resources import Resource

_MARK = "ENC["


def decrypted(resource: Resource) -> Resource:
    """The object without SOPS's own field; what is encrypted becomes empty text."""
    if "sops" not in resource.body:
        return resource
    body = {name: _blank(value) for name, value in resource.body.items() if name != "sops"}
    return Resource.of(body, resource.origin)


def encrypted(resource: Resource) -> frozenset[str]:
    """The entries of a ConfigMap or Secret whose values are encrypted."""
    names: set[str] = set()
    for field in ("data", "stringData"):
        entries = resource.body.get(field)
        if isinstance(entries, Mapping):
            names |= {str(name) for name, value in entries.items() if _is_encrypted(value)}
    return frozenset(names)


def _is_encrypted(value: Any) -> bool:
    """Whether an entry is encrypted, or made of an encrypted file."""
    if not isinstance(value, str):
        return False
    if _MARK in value:
        return True
    try:
        return _MARK.encode() in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _blank(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _blank(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_blank(item) for item in value]
    if isinstance(value, str) and value.startswith(_MARK) and value.endswith("]"):
        return ""
    return value
