"""A folder without an engine: its kustomizations are built all the same."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from groundplan.gitops.model import Cluster, Engine, Unit
from groundplan.kustomize.definition import FILE_NAMES
from groundplan.kustomize.problems import BuildError
from groundplan.resources import Origin, ResourceId

if TYPE_CHECKING:
    from groundplan.gitops.scene import Scene

_GROUP = "kustomize.config.k8s.io"


def load(scene: Scene) -> tuple[Cluster, ...]:
    """One cluster with a unit for each kustomization that no other one builds on."""
    folders = sorted(
        posixpath.dirname(path)
        for path in scene.tree.files
        if posixpath.basename(path) in FILE_NAMES
    )
    used: set[str] = set()
    own = []
    for folder in dict.fromkeys(folders):
        try:
            definition = scene.flux_builder.definition(folder)
        except BuildError:
            own.append(folder)
            continue
        for name in (*definition["resources"], *definition.get("components", ())):
            used.add(posixpath.normpath(posixpath.join(folder, name)))
        if definition["kind"] == "Kustomization":
            own.append(folder)
    units = tuple(_unit(scene, folder) for folder in own if (folder or ".") not in used)
    if not units:
        return ()
    return (Cluster(scene.tree.root.name or "repository", Engine.FLUX, "", units),)


def _unit(scene: Scene, folder: str) -> Unit:
    built = scene.plain_builder.build(folder)
    file = next(
        path
        for path in (posixpath.join(folder, name) for name in FILE_NAMES)
        if path in scene.tree.files
    )
    identity = ResourceId(_GROUP, "v1beta1", "Kustomization", "", folder or ".")
    return Unit(
        id=identity,
        origin=Origin(file),
        paths=(folder,),
        depends_on=(),
        wave=0,
        resources=built.resources,
        releases=(),
        problems=built.problems,
    )
