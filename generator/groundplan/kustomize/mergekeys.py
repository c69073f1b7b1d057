"""What kustomize knows about the built-in kinds: merge keys of lists, and scope."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, NamedTuple


class Field(NamedTuple):
    """How the value of one field is merged."""

    keys: tuple[str, ...] | None
    """Keys by which the elements of a list are matched; empty for a set; None to replace it."""
    of: str
    """The definition of the value, or of its elements; empty when nothing below is special."""
    styled: bool = True
    """Whether quoted texts can be told from plain ones."""


@functools.cache
def _data() -> dict[str, Any]:
    file = resources.files("groundplan.kustomize") / "data" / "merge_keys.json"
    data: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return data


@functools.cache
def _cluster_scoped() -> frozenset[str]:
    return frozenset(_data()["clusterScoped"])


def is_cluster_scoped(api_version: str, kind: str) -> bool:
    """Whether kustomize is certain that a kind has no namespaces. It never is for custom kinds."""
    return f"{api_version} {kind}" in _cluster_scoped()


def definition_of(api_version: str, kind: str) -> str:
    """The definition of a kind; empty when no list in it is merged by key."""
    found: str = _data()["types"].get(f"{api_version} {kind}", "")
    return found


@functools.cache
def field_of(definition: str, name: str) -> Field:
    """How one field of a definition is merged."""
    entry = _data()["definitions"].get(definition, {}).get(name)
    if entry is None:
        return Field(None, "")
    keys = entry.get("merge")
    return Field(None if keys is None else tuple(keys), entry.get("of", ""))
