"""Follows Argo CD from its first Applications through all that they create."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundplan.gitops.applicationset import WAVE, expand
from groundplan.gitops.argo_source import Rendered, Sources
from groundplan.gitops.generators import IN_CLUSTER
from groundplan.gitops.model import Cluster, Engine, Problem, Unit
from groundplan.gitops.ordering import Key, in_order
from groundplan.gitops.scene import Scene, dig, folder, same_repository, section
from groundplan.kustomize.items import Gvk
from groundplan.kustomize.order import kind_order

if TYPE_CHECKING:
    from groundplan.resources import Origin, Resource

GROUP = "argoproj.io"


def load(scene: Scene) -> tuple[Cluster, ...]:
    """Every cluster that Argo CD deploys to."""
    written = scene.of_kind(GROUP, "Application", "ApplicationSet")
    if not written:
        return ()
    walk = _Walk(scene, written)
    walk.follow(list(written))
    created = walk.created
    roots = [resource for resource in written if resource.origin not in created]
    if roots and len(roots) < len(written):
        walk = _Walk(scene, written)
        walk.follow(roots)
    return walk.clusters()


@dataclass(slots=True)
class _Found:
    """An Application, or an ApplicationSet as far as it could not be evaluated."""

    application: Resource
    rendered: Rendered
    parent: Key | None
    destination: str
    hint: str
    """The cluster's folder that the Application's parameters come from."""
    extra: list[Problem] = field(default_factory=list)


class _Walk:
    def __init__(self, scene: Scene, written: tuple[Resource, ...]) -> None:
        self._scene = scene
        self._url = _own_url(scene, written)
        self._found: dict[tuple[str, Key], _Found] = {}
        self.created: set[Origin] = set()

    def follow(self, roots: list[Resource]) -> None:
        """Render Applications, and whatever they create in turn."""
        waiting: list[tuple[Resource, Key | None]] = [(root, None) for root in roots]
        seen: set[tuple[str, Key]] = set()
        while waiting:
            resource, parent = waiting.pop(0)
            identity = (resource.id.kind, resource.id.key)
            if identity in seen:
                continue
            seen.add(identity)
            if resource.id.kind == "ApplicationSet":
                children = self._expand(resource, parent)
            else:
                children = self._render(resource, parent)
            waiting.extend(children)

    def clusters(self) -> tuple[Cluster, ...]:
        """What was found, by the cluster that it goes to."""
        names = self._names()
        groups: dict[str, list[_Found]] = {}
        for found in self._found.values():
            groups.setdefault(names[found.destination], []).append(found)
        return tuple(self._cluster(name, groups[name]) for name in sorted(groups) if groups[name])

    def _is_here(self, url: str) -> bool:
        return not self._url or same_repository(url, self._url)

    def _expand(self, resource: Resource, parent: Key | None) -> list[tuple[Resource, Key | None]]:
        applications, problems = expand(self._scene, resource, self._is_here)
        children: list[tuple[Resource, Key | None]] = []
        for application, parameters in applications:
            children.extend(
                self._render(application, parent, _hint(parameters), inside="/spec/template")
            )
        if problems:
            found = _Found(resource, Rendered(problems=list(problems)), parent, "", "")
            self._found["", resource.id.key] = found
        return children

    def _render(
        self, application: Resource, parent: Key | None, hint: str = "", *, inside: str = ""
    ) -> list[tuple[Resource, Key | None]]:
        rendered = Sources(self._scene, application, self._is_here, inside).render()
        destination = _destination(application)
        found = _Found(application, rendered, parent, destination, hint)
        key = (destination, application.id.key)
        if key in self._found:
            message = f"{application.id} is made twice"
            self._found[key].extra.append(Problem("duplicate", message, application.origin))
            return []
        self._found[key] = found
        children: list[tuple[Resource, Key | None]] = []
        for resource in rendered.resources:
            is_application = resource.id.group == GROUP and resource.id.kind.startswith("Appl")
            if is_application and resource.id.key != application.id.key:
                self.created.add(resource.origin)
                children.append((resource, application.id.key))
        return children

    def _names(self) -> dict[str, str]:
        """The name of the cluster behind each destination."""
        folders: dict[str, set[str]] = {}
        for found in self._found.values():
            if found.hint:
                folders.setdefault(found.destination, set()).add(found.hint)
        names = {}
        for found in self._found.values():
            hints = folders.get(found.destination, set())
            only = next(iter(hints)) if len(hints) == 1 else ""
            taken = sum(hints == other for other in folders.values()) > 1
            names[found.destination] = only if only and not taken else found.destination
        names[""] = names.get("in-cluster") or next((n for n in names.values() if n), "in-cluster")
        return names

    def _cluster(self, name: str, group: list[_Found]) -> Cluster:
        units = [_unit(found) for found in group]
        parents = {
            found.application.id.key: found.parent for found in group if found.parent is not None
        }
        path = f"clusters/{name}"
        if not self._scene.argo_builder.files.is_folder(path):
            first = next((f for f in group if f.parent is None), group[0])
            path = posixpath.dirname(first.application.origin.path)
        return Cluster(name, Engine.ARGOCD, path, in_order(units, parents))


def _unit(found: _Found) -> Unit:
    application = found.application
    return Unit(
        id=application.id,
        origin=application.origin,
        paths=tuple(found.rendered.paths),
        depends_on=(),
        wave=_wave(application),
        resources=tuple(sorted(found.rendered.resources, key=_sync_order)),
        releases=tuple(found.rendered.releases),
        problems=(*found.rendered.problems, *found.extra),
    )


def _sync_order(resource: Resource) -> tuple[int, tuple[int, str], str, str]:
    identity = resource.id
    gvk = Gvk(identity.group, identity.version, identity.kind)
    return _wave(resource), kind_order(gvk), identity.namespace, identity.name


def _wave(resource: Resource) -> int:
    try:
        return int(str(dig(resource.body, "metadata", "annotations", WAVE, default="0")))
    except ValueError:
        return 0


def _destination(application: Resource) -> str:
    destination = section(application.body, "spec", "destination")
    name, server = str(destination.get("name") or ""), str(destination.get("server") or "")
    if server == IN_CLUSTER or not (name or server):
        return "in-cluster"
    return name or server.partition("://")[2] or server


def _hint(parameters: Mapping[str, Any]) -> str:
    """The cluster folder that parameters were read from."""
    path = dig(parameters, "path", "path") or parameters.get("path")
    parts = str(path).split("/") if isinstance(path, str) else []
    for i, part in enumerate(parts[:-1]):
        if part == "clusters":
            return parts[i + 1]
    return ""


def _own_url(scene: Scene, written: tuple[Resource, ...]) -> str:
    """The URL of this repository: the one whose paths exist here most often."""
    votes: Counter[str] = Counter()
    for resource in written:
        for source in _sources(resource.body):
            url = str(source.get("repoURL") or "")
            path = source.get("path")
            if url and "{{" not in url and path is not None:
                votes[url] += scene.argo_builder.files.is_folder(folder(str(path)))
            elif url and (source.get("ref") or source.get("files") or source.get("directories")):
                votes[url] += 1
    best = votes.most_common(1)
    return best[0][0] if best and best[0][1] else ""


def _sources(body: Any) -> Iterator[Mapping[str, Any]]:
    """Everything in an object that names a repository."""
    if isinstance(body, Mapping):
        if "repoURL" in body:
            yield body
        for value in body.values():
            yield from _sources(value)
    elif isinstance(body, list):
        for value in body:
            yield from _sources(value)
