"""HelmReleases: which chart, from where, with which values."""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.gitops.flux_entry import SOURCES
from groundplan.gitops.model import Problem, Release, Values
from groundplan.gitops.scene import Scene, dig, entries, maps, section
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from groundplan.gitops.flux_objects import Objects

_GROUP = "helm.toolkit.fluxcd.io"


def releases_of(
    resources: Iterable[Resource], objects: Objects, scene: Scene
) -> tuple[tuple[Release, ...], tuple[Problem, ...]]:
    """The charts that some objects install.

    Args:
        resources: What a unit applies.
        objects: Everything on the cluster, where sources and values may be.
        scene: The repository.
    """
    releases: list[Release] = []
    problems: list[Problem] = []
    for resource in resources:
        if resource.id.group == _GROUP and resource.id.kind == "HelmRelease":
            values, lacking = _values(resource, objects, scene)
            problems.extend(lacking)
            releases.append(_release(resource, objects.applied, values))
    return tuple(releases), tuple(problems)


def _release(
    resource: Resource, known: Mapping[tuple[str, str, str, str], Resource], values: list[Values]
) -> Release:
    spec = section(resource.body, "spec")
    chart, repository, version = _chart(resource, known)
    return Release(
        id=resource.id,
        chart=chart,
        repository=repository,
        version=version,
        namespace=str(dig(spec, "targetNamespace", default=resource.id.namespace)),
        values=tuple(values),
        origin=resource.origin,
    )


def _chart(
    resource: Resource, known: Mapping[tuple[str, str, str, str], Resource]
) -> tuple[str, str, str]:
    """Chart, repository and version; empty where the source is not known."""
    reference = dig(resource.body, "spec", "chartRef")
    if isinstance(reference, Mapping):
        kind = str(reference.get("kind", ""))
        source = _source(resource, reference, known)
        if kind == "HelmChart" and source is not None:
            return _from_spec(source, section(source.body, "spec"), known)
        url = str(dig(source.body, "spec", "url", default="")) if source else ""
        repository, _, chart = url.rstrip("/").rpartition("/")
        return chart, repository, _tag(source)
    return _from_spec(resource, section(resource.body, "spec", "chart", "spec"), known)


def _from_spec(
    resource: Resource,
    spec: Mapping[str, Any],
    known: Mapping[tuple[str, str, str, str], Resource],
) -> tuple[str, str, str]:
    source = _source(resource, section(spec, "sourceRef"), known)
    url = str(dig(source.body, "spec", "url", default="")) if source else ""
    return str(spec.get("chart") or ""), url.rstrip("/"), str(spec.get("version") or "*")


def _source(
    resource: Resource,
    reference: Mapping[str, Any],
    known: Mapping[tuple[str, str, str, str], Resource],
) -> Resource | None:
    namespace = str(reference.get("namespace") or resource.id.namespace)
    key = (SOURCES, str(reference.get("kind", "")), namespace, str(reference.get("name", "")))
    return known.get(key)


def _tag(source: Resource | None) -> str:
    reference = section(source.body, "spec", "ref") if source else {}
    return str(reference.get("digest") or reference.get("semver") or reference.get("tag") or "")


def _values(
    resource: Resource,
    objects: Objects,
    scene: Scene,
) -> tuple[list[Values], list[Problem]]:
    """The values in the order in which they are merged."""
    values: list[Values] = []
    problems: list[Problem] = []
    for index, entry in enumerate(maps(resource.body, "spec", "valuesFrom")):
        pointer = f"/spec/valuesFrom/{index}"
        key = str(entry.get("valuesKey") or "values.yaml")
        kind, name = str(entry.get("kind", "ConfigMap")), str(entry.get("name", ""))
        place = ("", kind, resource.id.namespace, name)
        if key in objects.encrypted(place):
            message = f"{resource.id} takes values from {kind} {name}, where {key} is encrypted"
            problems.append(Problem("values", message, resource.origin, pointer, False))
            continue
        holder = objects.applied.get(place)
        text = _text(holder, key)
        if holder is None or text is None:
            if not entry.get("optional"):
                message = f"{resource.id} takes values from {kind} {name}, not in this repository"
                problems.append(Problem("values", message, resource.origin, pointer, False))
            continue
        origin = values_file(holder, key, scene) or holder.origin
        if entry.get("targetPath"):
            body = _at(str(entry["targetPath"]), text)
            values.append(Values(body, resource.origin, pointer))
            continue
        parsed, faults = documents.parse(origin.path, text.encode())
        body = parsed[0].body if parsed else {}
        if faults or not isinstance(body, Mapping):
            message = f"{key} of {kind} {name} is no map of values"
            problems.append(Problem("values", message, origin))
            continue
        values.append(Values(body, origin))
    inline = dig(resource.body, "spec", "values")
    if isinstance(inline, Mapping):
        values.append(Values(inline, resource.origin, "/spec/values"))
    return values, problems


def values_file(holder: Resource, key: str, scene: Scene) -> Origin | None:
    """The file that a generated ConfigMap's entry was read from."""
    parts = holder.origin.pointer.split("/")
    entry: Any = None
    for document in scene.documents.get(holder.origin.path, ())[:1]:
        entry = document.body
        for part in parts[1:]:
            if isinstance(entry, list):
                entry = entry[int(part)] if part.isdecimal() and int(part) < len(entry) else None
            else:
                entry = dig(entry, part)
    for source in entries(entry, "files"):
        name, equals, path = str(source).partition("=")
        if not equals:
            name, path = posixpath.basename(name), name
        if name == key:
            place = posixpath.join(posixpath.dirname(holder.origin.path), path)
            return Origin(posixpath.normpath(place))
    return None


def _text(holder: Resource | None, key: str) -> str | None:
    if holder is None:
        return None
    plain = dig(holder.body, "stringData", key)
    if plain is not None:
        return str(plain)
    value = dig(holder.body, "data", key)
    if value is None or holder.id.kind == "ConfigMap":
        return None if value is None else str(value)
    try:
        return base64.b64decode(str(value)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _at(path: str, text: str) -> dict[str, Any]:
    """One value at a path written with dots."""
    body: Any = text
    for part in reversed(path.split(".")):
        body = {part: body}
    result: dict[str, Any] = body
    return result
