"""Field specifications: which fields of which kinds a transformer changes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, NamedTuple

from groundplan.kustomize.definition import CONFIGURATION, decode
from groundplan.kustomize.items import Gvk
from groundplan.kustomize.order import kind_order
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.scalars import is_null

Setter = Callable[[Any, Any], None]
"""Called with the map or list that holds the field, and the key or index."""


class FieldSpec(NamedTuple):
    """A path in the objects of a kind."""

    gvk: Gvk
    path: str
    create: bool = False


class NameReference(NamedTuple):
    """Fields that name objects of a kind."""

    gvk: Gvk
    referrers: tuple[FieldSpec, ...]


@dataclass(frozen=True, eq=False)
class Config:
    """All specifications that apply in one kustomization. Equal only to itself."""

    fields: Mapping[str, tuple[FieldSpec, ...]] = field(default_factory=dict)
    references: tuple[NameReference, ...] = ()

    def __getitem__(self, name: str) -> tuple[FieldSpec, ...]:
        return self.fields.get(name, ())

    def merged(self, other: Config) -> Config:
        """Both together.

        Raises:
            RefusedError: when they contradict each other.
        """
        if other is self or not (other.fields or other.references):
            return self
        if not (self.fields or self.references):
            return other
        return _merged(self, other)


@functools.lru_cache(maxsize=256)
def _merged(one: Config, other: Config) -> Config:
    names = {**one.fields, **other.fields}
    fields = {name: _sorted(union(one[name], other[name])) for name in names}
    references = list(one.references)
    for reference in other.references:
        for i, known in enumerate(references):
            if known.gvk == reference.gvk:
                referrers = union(known.referrers, reference.referrers)
                references[i] = NameReference(known.gvk, referrers)
                break
        else:
            references.append(reference)
    references.sort(key=lambda r: kind_order(r.gvk))
    return Config(fields, tuple(references))


def union(
    one: tuple[FieldSpec, ...], other: tuple[FieldSpec, ...] | list[FieldSpec]
) -> tuple[FieldSpec, ...]:
    """Specifications of both; one that a wider one covers is left out.

    Raises:
        RefusedError: when one creates what the other does not.
    """
    result = list(one)
    for spec in other:
        for known in result:
            if known.path == spec.path and known.gvk.selected_by(spec.gvk):
                if known.create != spec.create:
                    raise RefusedError(f"conflicting field specifications for {spec.path}")
                break
        else:
            result.append(spec)
    return tuple(result)


def configuration(body: Any) -> Config:
    """Read a transformer configuration file.

    Raises:
        RefusedError: when it has unknown fields.
    """
    decoded = decode(body if body is not None else {}, CONFIGURATION)
    references = [
        NameReference(_gvk(entry), tuple(spec_of(s) for s in entry.get("fieldSpecs", ())))
        for entry in decoded.pop("nameReference", ())
    ]
    fields = {
        name: _sorted(tuple(spec_of(s) for s in specs))
        for name, specs in decoded.items()
        if name != "varReference"
    }
    references.sort(key=lambda r: kind_order(r.gvk))
    return Config(fields, tuple(references))


@functools.cache
def defaults() -> Config:
    """The specifications that are built into kustomize."""
    file = resources.files("groundplan.kustomize") / "data" / "field_specs.json"
    data = json.loads(file.read_text("utf-8"))
    return configuration({key: value for key, value in data.items() if key != "provenance"})


def spec_of(entry: Mapping[str, Any]) -> FieldSpec:
    """Read one specification."""
    return FieldSpec(_gvk(entry), entry.get("path", ""), entry.get("create", False))


def visit(body: dict[str, Any], gvk: Gvk, spec: FieldSpec, make: Any, setter: Setter) -> None:
    """Call the setter on every field that a specification finds.

    `make` is what a missing field is created as when the specification says so: a map, a scalar's
    placeholder, or None for never.

    Raises:
        RefusedError: when the path leads through a scalar.
    """
    if gvk.selected_by(spec.gvk):
        _walk(body, split_path(spec.path), spec.create, make, setter)


@functools.lru_cache(maxsize=4096)
def split_path(path: str, delimiter: str = "/") -> tuple[str, ...]:
    """Split at delimiters that no backslash escapes."""
    parts = path.split(delimiter)
    if len(parts) > 1 and not parts[0]:
        parts = parts[1:]
    result = [parts[0]]
    for part in parts[1:]:
        if result[-1].endswith("\\"):
            result[-1] = f"{result[-1][:-1]}{delimiter}{part}"
        else:
            result.append(part)
    return tuple(result)


def _walk(node: Any, path: tuple[str, ...], create: bool, make: Any, setter: Setter) -> None:
    if is_null(node):
        return
    if isinstance(node, list):
        for item in node:
            _walk(item, path, create, make, setter)
        return
    if not isinstance(node, dict):
        raise RefusedError(f"expected a map or a list before {'/'.join(path)}")
    name = path[0].removesuffix("[]")
    if not _provided(node, path, make if create else None):
        return
    if len(path) == 1:
        setter(node, name)
    else:
        _walk(node[name], path[1:], create, make, setter)


def _provided(node: dict[str, Any], path: tuple[str, ...], make: Any) -> bool:
    """Whether a map has the next field of a path, after making it where it may be made."""
    name = path[0].removesuffix("[]")
    of_list = name != path[0]
    empty = name not in node
    if (empty or is_null(node[name])) and make is not None and not of_list:
        node[name] = _made(make) if len(path) == 1 else {}
    elif not empty and is_null(node[name]) and of_list:
        node[name] = []
    return name in node


def _made(make: Any) -> Any:
    return {} if isinstance(make, dict) else make


def _gvk(entry: Mapping[str, Any]) -> Gvk:
    return Gvk(entry.get("group", ""), entry.get("version", ""), entry.get("kind", ""))


def _sorted(specs: tuple[FieldSpec, ...]) -> tuple[FieldSpec, ...]:
    return tuple(sorted(specs, key=lambda spec: kind_order(spec.gvk)))
