"""Artifacts that an ArtifactGenerator composes of parts of this repository."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.gitops.flux_build import FluxBuilds
from groundplan.gitops.model import Problem
from groundplan.gitops.scene import Scene, dig, folder, maps
from groundplan.kustomize import Build
from groundplan.resources import Origin, Resource
from groundplan.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.documents import Document
    from groundplan.resources import ResourceId

_GROUP = "source.extensions.fluxcd.io"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A tree of its own, made of files of the repository."""

    builds: FluxBuilds
    files: Mapping[str, str]
    """Where each of its files comes from."""

    def build(self, unit: Resource) -> Build:
        """Build a folder of the artifact; everything is named as in the repository."""
        built = self.builds.build(unit)
        resources = tuple(Resource(r.id, r.body, self._written(r.origin)) for r in built.resources)
        problems = tuple(
            p
            if p.origin == unit.origin
            else Problem(p.kind, p.message, self._written(p.origin), p.pointer, p.evaluated)
            for p in built.problems
        )
        return Build(resources, problems)

    def folder(self, path: str) -> str:
        """The repository's folder behind a folder of the artifact."""
        start = f"{path}/" if path else ""
        for inside, outside in self.files.items():
            if inside.startswith(start) and outside.endswith(inside.removeprefix(start)):
                return outside.removesuffix(inside.removeprefix(start)).rstrip("/")
        return path

    def _written(self, origin: Origin) -> Origin:
        return Origin(self.files.get(origin.path, origin.path), origin.document, origin.pointer)


def compose(
    scene: Scene, objects: Iterable[Resource], wanted: ResourceId, here: ResourceId | None
) -> Artifact | None:
    """The artifact of a name, when all of it comes out of this repository.

    Args:
        scene: The repository.
        objects: What is on the cluster, where the generator may be.
        wanted: The ExternalArtifact.
        here: The source that is this repository.
    """
    for generator in objects:
        identity = generator.id
        if identity.group != _GROUP or identity.namespace != wanted.namespace:
            continue
        for artifact in maps(generator.body, "spec", "artifacts"):
            if artifact.get("name") == wanted.name:
                return _composed(scene, _aliases(generator, here), artifact)
    return None


def _aliases(generator: Resource, here: ResourceId | None) -> frozenset[str]:
    """What a generator calls this repository."""
    return frozenset(
        str(source.get("alias"))
        for source in maps(generator.body, "spec", "sources")
        if here is None or (source.get("kind"), source.get("name")) == (here.kind, here.name)
    )


def _composed(
    scene: Scene, aliases: frozenset[str], artifact: Mapping[str, Any]
) -> Artifact | None:
    files: dict[str, str] = {}
    for rule in maps(artifact, "copy"):
        alias, _, path = str(rule.get("from", "")).removeprefix("@").partition("/")
        target = str(rule.get("to", "")).removeprefix("@artifact")
        if alias not in aliases or rule.get("exclude") or dig(rule, "strategy") == "Merge":
            return None
        copies = list(_copies(scene.tree, path, target))
        if not copies:
            return None
        files.update(copies)
    content = {inside: scene.tree.files[outside] for inside, outside in files.items()}
    documents: dict[str, tuple[Document, ...]] = {
        inside: scene.documents[outside]
        for inside, outside in files.items()
        if outside in scene.documents
    }
    return Artifact(FluxBuilds(Scene(Tree.of(content), documents)), files)


def _copies(tree: Tree, source: str, target: str) -> Iterator[tuple[str, str]]:
    """Where one rule puts files: `folder/**` copies what is in it, `folder` the folder itself."""
    into = target.endswith("/") or not target
    base = folder(target)
    if source.endswith("/**"):
        start = source.removesuffix("**")
        for path in tree.files:
            if path.startswith(start):
                yield folder(f"{base}/{path.removeprefix(start)}"), path
    elif source in tree.files:
        yield folder(f"{base}/{posixpath.basename(source)}" if into else base), source
    elif "*" not in source:
        start = f"{source.rstrip('/')}/"
        above = posixpath.dirname(source.rstrip("/"))
        for path in tree.files:
            if path.startswith(start):
                inside = path.removeprefix(f"{above}/") if above else path
                yield folder(f"{base}/{inside}"), path
