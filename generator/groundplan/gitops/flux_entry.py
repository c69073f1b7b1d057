"""Where Flux begins: the entry points of a repository."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.gitops.scene import Scene, dig, folder, maps, section
from groundplan.kustomize import BuildError, patched
from groundplan.resources import Resource, ResourceId

GROUP = "kustomize.toolkit.fluxcd.io"
SOURCES = "source.toolkit.fluxcd.io"
OPERATOR = "fluxcd.controlplane.io"
_SYNC_FILE = "gotk-sync.yaml"


@dataclass(frozen=True, slots=True)
class Entry:
    """One cluster's first Kustomizations."""

    name: str
    path: str
    """The folder that makes the cluster what it is."""
    roots: tuple[Resource, ...]
    source: ResourceId | None
    """The source that is this repository; None when nothing says which."""
    url: str


def find(scene: Scene) -> tuple[Entry, ...]:
    """All entry points, in path order."""
    found = (*_instances(scene), *_bootstrapped(scene)) or _unowned(scene)
    named: dict[str, int] = {}
    result = []
    for entry in sorted(found, key=lambda entry: (entry.path, entry.name)):
        name = entry.name
        named[name] = named.get(name, 0) + 1
        if named[name] > 1:
            name = entry.path.replace("/", "-") or f"{name}-{named[name]}"
        result.append(Entry(name, entry.path, entry.roots, entry.source, entry.url))
    return tuple(result)


def cluster_name(path: str) -> str:
    """The cluster that a folder belongs to, by the usual names of folders."""
    parts = path.split("/")
    for i, part in enumerate(parts[:-1]):
        if part == "clusters":
            return parts[i + 1]
    while len(parts) > 1 and parts[-1] in ("flux-system", "flux", "gotk", "bootstrap"):
        parts.pop()
    return parts[-1] or "cluster"


def _instances(scene: Scene) -> list[Entry]:
    return [
        _instance(instance)
        for instance in scene.of_kind(OPERATOR, "FluxInstance")
        if dig(instance.body, "spec", "sync", "path") is not None
    ]


def _instance(instance: Resource) -> Entry:
    """The Kustomization and the source that flux-operator makes of a FluxInstance."""
    sync = section(instance.body, "spec", "sync")
    namespace = instance.id.namespace or "flux-system"
    name = str(sync.get("name") or namespace)
    kind = str(sync.get("kind") or "GitRepository")
    root: dict[str, Any] = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "path": sync["path"],
            "prune": True,
            "interval": sync.get("interval", "1m"),
            "sourceRef": {"kind": kind, "name": name},
        },
    }
    for patch in maps(instance.body, "spec", "kustomize", "patches"):
        root = patched(root, patch)
    path = folder(str(sync["path"]))
    resource = Resource.of(root, instance.origin)
    source = ResourceId(SOURCES, "v1", kind, namespace, name)
    return Entry(cluster_name(path), path, (resource,), source, str(sync.get("url") or ""))


def _bootstrapped(scene: Scene) -> list[Entry]:
    sources = {r.origin.path: r for r in scene.of_kind(SOURCES, "GitRepository", "OCIRepository")}
    result = []
    for root in scene.of_kind(GROUP, "Kustomization"):
        if posixpath.basename(root.origin.path) != _SYNC_FILE:
            continue
        path = folder(str(dig(root.body, "spec", "path", default="./")))
        source = sources.get(root.origin.path)
        url = str(dig(source.body, "spec", "url", default="")) if source else ""
        result.append(Entry(cluster_name(path), path, (root,), source_of(root), url))
    return result


def _unowned(scene: Scene) -> list[Entry]:
    """Without a bootstrap, the Kustomizations that no other one applies."""
    written = scene.of_kind(GROUP, "Kustomization")
    reached = set()
    for unit in written:
        path = folder(str(dig(unit.body, "spec", "path", default="./")))
        own = unit.origin
        reached |= {origin for origin in _origins(scene, path) if origin != own}
    roots: dict[str, list[Resource]] = {}
    for root in written:
        if root.origin not in reached:
            roots.setdefault(_cluster_folder(root.origin.path), []).append(root)
    return [
        Entry(cluster_name(place), place, tuple(group), source_of(group[0]), "")
        for place, group in roots.items()
    ]


def _origins(scene: Scene, path: str) -> set[Any]:
    files = scene.flux_builder.files
    if not files.is_folder(path):
        return set()
    try:
        if files.kustomization(path) is None:
            start = f"{path}/" if path else ""
            return {r.origin for r in scene.written if r.origin.path.startswith(start)}
    except BuildError:
        return set()
    return {resource.origin for resource in scene.flux_builder.build(path).resources}


def _cluster_folder(path: str) -> str:
    parts = path.split("/")
    for i, part in enumerate(parts[:-2]):
        if part == "clusters":
            return "/".join(parts[: i + 2])
    return posixpath.dirname(path)


def source_of(unit: Resource) -> ResourceId | None:
    """The source that a Kustomization names."""
    reference = dig(unit.body, "spec", "sourceRef")
    if not isinstance(reference, Mapping) or not reference.get("name"):
        return None
    kind = str(reference.get("kind") or "GitRepository")
    namespace = str(reference.get("namespace") or unit.id.namespace)
    return ResourceId(SOURCES, "v1", kind, namespace, str(reference["name"]))
