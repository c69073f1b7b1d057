"""Which version of each component a repository has on each cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.catalogue import component_data
from groundplan.errors import UsageError
from groundplan.gitops import load_clusters
from groundplan.gitops.scene import is_mirror
from groundplan.posture import revisions
from groundplan.repository import manifest_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.gitops.model import Cluster, Unit
    from groundplan.template import Template
    from groundplan.tree import Tree

Versions = dict[str, dict[str, str]]
"""By component and cluster; the cluster is empty where a list names none."""


def read(reference: str, repository: Path, template: Template) -> tuple[Versions, str]:
    """Read the versions of a folder, a git revision, or a YAML file of `component: version`.

    Returns:
        The versions, and the engine that keeps the clusters (empty for a list).

    Raises:
        UsageError: `posture.no-such-revision`, or `upgrade.not-a-list` when a file is none.
    """
    if Path(reference).is_file():
        return _listed(Path(reference)), ""
    return of_tree(revisions.read(reference, repository), template)


def of_tree(tree: Tree, template: Template) -> tuple[Versions, str]:
    """The versions of a rendered repository, whatever the engine."""
    parsed = {path: documents.parse(path, tree.files[path])[0] for path in manifest_paths(tree)}
    return of_clusters(load_clusters(tree, parsed), template)


def of_clusters(clusters: Iterable[Cluster], template: Template) -> tuple[Versions, str]:
    """The versions of clusters that are built already."""
    known = component_data(template)
    found: Versions = {}
    engine = ""
    for cluster in clusters:
        engine = engine or cluster.engine.value
        for unit in cluster.units:
            for name, version in _of_unit(unit, known):
                found.setdefault(name, {})[cluster.name] = version
    return found, engine


def _listed(path: Path) -> Versions:
    try:
        content = documents.load(path.read_bytes(), str(path))
    except documents.YamlError as error:
        raise UsageError(error.id, error.what, where=error.where, fix=_FIX) from error
    if not isinstance(content, dict):
        raise UsageError("upgrade.not-a-list", "no versions in here", where=str(path), fix=_FIX)
    return {str(name): {"": str(version)} for name, version in content.items()}


_FIX = "write one `component: version` on each line"


def _of_unit(unit: Unit, known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a unit pins: charts, definitions from another repository, and Flux itself."""
    for release in unit.releases:
        named = (name for name, said in known.items() if _chart(said) == release.chart)
        yield next(named, release.chart), release.version
    for problem in unit.problems:
        if place := problem.elsewhere:
            sources = ((name, said.get("git") or {}) for name, said in known.items())
            named = (
                name
                for name, git in sources
                if git
                and is_mirror(place.repository, git["repository"])
                and git["path"] == place.path
            )
            yield next(named, place.repository), place.revision
    for resource in unit.resources:
        if resource.id.kind == "FluxInstance":
            spec = resource.body.get("spec") or {}
            yield "flux", str((spec.get("distribution") or {}).get("version", ""))


def _chart(said: Any) -> str:
    return str((said.get("chart") or {}).get("name", ""))
