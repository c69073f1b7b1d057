"""Follows Argo CD from its first Applications through all that they create."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundplan.gitops.applicationset import expand
from groundplan.gitops.argo_placing import Placing, synced, wave
from groundplan.gitops.argo_source import Rendered, Sources
from groundplan.gitops.generators import IN_CLUSTER
from groundplan.gitops.model import Cluster, Engine, Problem, Unit
from groundplan.gitops.ordering import Key, in_order
from groundplan.gitops.scene import Scene, dig, folder, same_repository, section

if TYPE_CHECKING:
    from groundplan.resources import Origin, Resource

GROUP = "argoproj.io"


def load(scene: Scene) -> tuple[Cluster, ...]:
    """Every cluster that Argo CD deploys to."""
    written = scene.of_kind(GROUP, "Application", "ApplicationSet")
    if not written:
        return ()
    workshop = _Workshop(scene, written)
    walk = _Walk(workshop)
    walk.follow(list(written))
    created = walk.created
    roots = [resource for resource in written if resource.origin not in created]
    if roots and len(roots) < len(written):
        walk = _Walk(workshop)
        walk.follow(roots)
    return walk.clusters()


@dataclass(frozen=True, slots=True)
class _Made:
    """An Application, or an ApplicationSet as far as it could not be evaluated."""

    application: Resource
    rendered: Rendered
    destination: str
    hint: str = ""
    """The cluster's folder that the Application's parameters come from."""

    @property
    def children(self) -> Iterator[Resource]:
        """The Applications and ApplicationSets among what it applies."""
        for resource in (r for placed in self.rendered.placed for r in placed.resources):
            is_application = resource.id.group == GROUP and resource.id.kind.startswith("Appl")
            if is_application and resource.id.key != self.application.id.key:
                yield resource


class _Workshop:
    """Makes what Applications and ApplicationSets ask for, whoever asks, once."""

    def __init__(self, scene: Scene, written: tuple[Resource, ...]) -> None:
        self.scene = scene
        self._url = _own_url(scene, written)
        self._placing = Placing(scene)
        self._known: dict[Hashable, tuple[_Made, ...]] = {}

    def made(self, resource: Resource) -> tuple[_Made, ...]:
        """The Application itself, or those that an ApplicationSet makes."""
        if resource.content not in self._known:
            self._known[resource.content] = tuple(self._make(resource))
        return self._known[resource.content]

    def _make(self, resource: Resource) -> Iterator[_Made]:
        if resource.id.kind != "ApplicationSet":
            yield self._rendered(resource)
            return
        applications, problems = expand(self.scene, resource, self._is_here)
        for application, parameters in applications:
            yield self._rendered(application, _hint(parameters), inside="/spec/template")
        if problems:
            yield _Made(resource, Rendered(problems=list(problems)), "")

    def _rendered(self, application: Resource, hint: str = "", *, inside: str = "") -> _Made:
        rendered = Sources(self._placing, application, self._is_here, inside).render()
        return _Made(application, rendered, _destination(application), hint)

    def _is_here(self, url: str) -> bool:
        return not self._url or same_repository(url, self._url)


@dataclass(slots=True)
class _Found:
    """What was made, and by whom."""

    made: _Made
    parent: Key | None
    extra: list[Problem] = field(default_factory=list)


class _Walk:
    def __init__(self, workshop: _Workshop) -> None:
        self._workshop = workshop
        self._found: dict[tuple[str, Key], _Found] = {}
        self.created: set[Origin] = set()

    def follow(self, roots: list[Resource]) -> None:
        """Find Applications, and whatever they create in turn."""
        waiting: list[tuple[Resource, Key | None]] = [(root, None) for root in roots]
        seen: set[tuple[str, Key]] = set()
        while waiting:
            resource, parent = waiting.pop(0)
            identity = (resource.id.kind, resource.id.key)
            if identity not in seen:
                seen.add(identity)
                for made in self._workshop.made(resource):
                    waiting.extend(self._record(made, parent))

    def _record(self, made: _Made, parent: Key | None) -> Iterator[tuple[Resource, Key | None]]:
        application = made.application
        key = (made.destination, application.id.key)
        if key in self._found:
            message = f"{application.id} is made twice"
            self._found[key].extra.append(Problem("duplicate", message, application.origin))
            return
        self._found[key] = _Found(made, parent)
        for resource in made.children:
            self.created.add(resource.origin)
            yield resource, application.id.key

    def clusters(self) -> tuple[Cluster, ...]:
        """What was found, by the cluster that it goes to."""
        names = self._names()
        groups: dict[str, list[_Found]] = {}
        for found in self._found.values():
            groups.setdefault(names[found.made.destination], []).append(found)
        return tuple(self._cluster(name, groups[name]) for name in sorted(groups) if groups[name])

    def _names(self) -> dict[str, str]:
        """The name of the cluster behind each destination."""
        folders: dict[str, set[str]] = {}
        for found in self._found.values():
            if found.made.hint:
                folders.setdefault(found.made.destination, set()).add(found.made.hint)
        taken = Counter(folder for hints in folders.values() if len(hints) == 1 for folder in hints)
        names = {}
        for destination in dict.fromkeys(found.made.destination for found in self._found.values()):
            hints = folders.get(destination, set())
            only = next(iter(hints)) if len(hints) == 1 else ""
            names[destination] = only if taken[only] == 1 else destination
        names[""] = names.get("in-cluster") or next((n for n in names.values() if n), "in-cluster")
        return names

    def _cluster(self, name: str, group: list[_Found]) -> Cluster:
        units = [_unit(found) for found in group]
        parents = {
            found.made.application.id.key: found.parent
            for found in group
            if found.parent is not None
        }
        path = f"clusters/{name}"
        if not self._workshop.scene.argo_builder.files.is_folder(path):
            first = next((f for f in group if f.parent is None), group[0])
            path = posixpath.dirname(first.made.application.origin.path)
        return Cluster(name, Engine.ARGOCD, path, in_order(units, parents))


def _unit(found: _Found) -> Unit:
    application, rendered = found.made.application, found.made.rendered
    return Unit(
        id=application.id,
        origin=application.origin,
        paths=tuple(rendered.paths),
        depends_on=(),
        wave=wave(application),
        resources=synced(rendered.placed),
        releases=tuple(rendered.releases),
        problems=(*rendered.problems, *found.extra),
    )


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
