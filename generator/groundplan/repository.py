"""A repository as the checks see it: files, documents, objects, clusters, kinds and charts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundplan import documents as yaml_documents
from groundplan.charts import Installation, installations
from groundplan.errors import UsageError
from groundplan.findings import Location
from groundplan.gitops import load_clusters
from groundplan.graph import Graph
from groundplan.schemas import Missing, default_charts, default_store, lock
from groundplan.sharing import once
from groundplan.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.documents import Document, YamlProblem
    from groundplan.gitops.model import Cluster
    from groundplan.posture.network.scene import Scene
    from groundplan.resources import Origin, Resource, ResourceId
    from groundplan.schemas import ChartStore, SchemaStore

VERSION = re.compile(r"\d+\.\d+")
ANSWERS_FILE = ".copier-answers.yml"
KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
KUSTOMIZE_GROUP = "kustomize.config.k8s.io"
EXCEPTION_GROUP = "posture.groundplan.dev"
"""Of files for people and for us; no API server has it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An object to validate."""

    resource: Resource
    built: bool
    """False when no entry point reaches the file: the object is looked at as it is written."""


@dataclass(frozen=True)
class Repository:
    """Everything that a check may look at; nothing here changes and nothing is read later."""

    tree: Tree
    documents: Mapping[str, tuple[Document, ...]]
    problems: tuple[YamlProblem, ...]
    resources: tuple[Resource, ...]
    """The objects as they are written, in path order."""
    clusters: tuple[Cluster, ...]
    schemas: SchemaStore
    charts: ChartStore
    kubernetes: str
    """The version whose schemas are used, such as `1.37`."""
    answers: Mapping[str, Any] | None = None
    """What the repository was rendered from, when it was rendered from a template."""

    @classmethod
    def of(
        cls,
        tree: Tree,
        *,
        schemas: SchemaStore,
        charts: ChartStore,
        kubernetes: str = "",
        answers: Mapping[str, Any] | None = None,
    ) -> Repository:
        """Read everything out of a tree that is already in memory."""
        parsed: dict[str, tuple[Document, ...]] = {}
        problems: list[YamlProblem] = []
        for path in manifest_paths(tree):
            parsed[path], found = yaml_documents.parse(path, tree.files[path])
            problems.extend(found)
        written = yaml_documents.resources(
            document for path in sorted(parsed) for document in parsed[path]
        )
        definitions = (r.body for r in written if r.id.kind == "CustomResourceDefinition")
        return cls(
            tree=tree,
            documents=parsed,
            problems=tuple(problems),
            resources=written,
            clusters=load_clusters(tree, parsed, problems),
            schemas=schemas.with_crds(definitions),
            charts=charts,
            kubernetes=kubernetes,
            answers=answers,
        )

    def locate(self, origin: Origin, pointer: str = "") -> Location:
        """Find the line of a place in an object, or of the nearest thing around it."""
        whole = origin.pointer + pointer
        content = self.tree.files.get(origin.path)
        line = 0 if content is None else yaml_documents.locate(content, origin.document, whole)
        return Location(origin.path, line, whole)

    def is_namespaced(self, id: ResourceId) -> bool | None:
        """Whether objects of a kind live in namespaces; None when nobody knows the kind."""
        schema = self.schemas.lookup(id.group, id.version, id.kind)
        return None if isinstance(schema, Missing) else schema.namespaced

    @cached_property
    def unparsed(self) -> frozenset[str]:
        """The files that could not be read as YAML, or not all of them."""
        return frozenset(problem.path for problem in self.problems)

    @cached_property
    def graphs(self) -> tuple[Graph, ...]:
        """The order and ownership of what is applied, for each cluster that an engine looks after.

        Kustomizations that no engine applies are built too, but nobody applies them together.
        """
        sets = {
            resource.origin: spec
            for resource in self.resources
            if resource.id.kind == "ApplicationSet"
            and isinstance(spec := resource.body.get("spec"), Mapping)
        }
        return tuple(
            Graph(cluster, sets)
            for cluster in self.clusters
            if not any(unit.id.group == KUSTOMIZE_GROUP for unit in cluster.units)
        )

    @cached_property
    def scenes(self) -> tuple[Scene, ...]:
        """What each cluster of `graphs` has of network policies, namespaces and workloads."""
        from groundplan.posture.network.scene import Part, Scene

        part = once(Part.of)
        return tuple(
            Scene.joined(part(unit.resources) for unit in graph.cluster.units)
            for graph in self.graphs
        )

    @cached_property
    def components(self) -> Mapping[str, str]:
        """Which component of the schema store the definitions in a chart are, by chart."""
        return {chart.name: chart.component for chart in lock.load().charts}

    @cached_property
    def installations(self) -> tuple[Installation, ...]:
        """The charts that clusters install, each with the values it is given, once."""
        return tuple(installations(self.clusters, self.charts))

    @cached_property
    def subjects(self) -> Mapping[tuple[str, str, str], tuple[Subject, ...]]:
        """Every distinct object once, by group, version and kind.

        Objects are taken as an entry point builds them; where none reaches a file, as written.
        """
        kinds: dict[tuple[str, str, str], list[Subject]] = {}
        for subject in self._distinct():
            identity = subject.resource.id
            kinds.setdefault((identity.group, identity.version, identity.kind), []).append(subject)
        return {kind: tuple(subjects) for kind, subjects in sorted(kinds.items())}

    def _distinct(self) -> Iterator[Subject]:
        """Walk the objects, leaving out what was already seen with the same content."""
        seen: set[tuple[Origin, bytes]] = set()
        reached: set[Origin] = set()
        for cluster in self.clusters:
            for unit in cluster.units:
                for resource in unit.resources:
                    reached.add(resource.origin)
                    key = resource.content
                    if key not in seen:
                        seen.add(key)
                        yield Subject(resource, built=True)
        fragments = _fragments(self.documents)
        for resource in self.resources:
            if (
                resource.origin not in reached
                and resource.origin.path not in fragments
                and resource.id.group not in {KUSTOMIZE_GROUP, EXCEPTION_GROUP}
            ):
                yield Subject(resource, built=False)


def load(path: Path, *, kubernetes: str | None = None, schemas: Path | None = None) -> Repository:
    """Read a repository from disk, with the schemas of the Kubernetes version that it is for.

    The version is `kubernetes`, else the one in the repository's answers, else the newest.

    Args:
        path: The repository's root.
        kubernetes: Such as `1.37`.
        schemas: A folder with schemas to look in first.

    Raises:
        UsageError: `check.no-such-path` when there is no such folder, `check.kubernetes` when
            nothing is known of the version.
    """
    return of_tree(Tree.read(path), kubernetes=kubernetes, schemas=schemas)


def of_tree(
    tree: Tree, *, kubernetes: str | None = None, schemas: Path | None = None
) -> Repository:
    """The same of files that are in memory already."""
    if kubernetes is not None:
        kubernetes = _minor(kubernetes)
    answers = answers_of(tree)
    answered = str(answers.get("kubernetes")) if answers else ""
    version = kubernetes or (answered if VERSION.fullmatch(answered) else _versions()[-1])
    return Repository.of(
        tree,
        schemas=default_store(version, schemas),
        charts=default_charts(schemas),
        kubernetes=version,
        answers=answers,
    )


def _versions() -> list[str]:
    """The Kubernetes versions that schemas can be had for, oldest first."""
    known = lock.load().kubernetes
    return sorted(known, key=lambda version: [int(part) for part in version.split(".")])


def _minor(version: str) -> str:
    """Read a version as people write it, such as `v1.37.2`."""
    minor = ".".join(version.removeprefix("v").split(".")[:2])
    if minor not in _versions():
        raise UsageError(
            "check.kubernetes",
            f"there are no schemas of Kubernetes {version}",
            fix=f"name one of {', '.join(_versions())}",
        )
    return minor


def answers_of(tree: Tree) -> Mapping[str, Any] | None:
    """Read what the repository was rendered from, if it says."""
    content = tree.files.get(ANSWERS_FILE)
    if content is None:
        return None
    parsed, problems = yaml_documents.parse(ANSWERS_FILE, content)
    if problems or not parsed or not isinstance(parsed[0].body, Mapping):
        return None
    return parsed[0].body


def manifest_paths(tree: Tree) -> Iterator[str]:
    """Walk the YAML files, leaving out hidden ones and the templates inside Helm charts."""
    charts = {
        posixpath.dirname(path) for path in tree.files if posixpath.basename(path) == "Chart.yaml"
    }
    templates = tuple(posixpath.join(chart, "templates") + "/" for chart in sorted(charts))
    for path in sorted(tree.files):
        name = posixpath.basename(path)
        if not (name.endswith((".yaml", ".yml")) or name in KUSTOMIZATION_FILES):
            continue
        if path.startswith(".") or "/." in path or (templates and path.startswith(templates)):
            continue
        yield path


def _fragments(documents: Mapping[str, tuple[Document, ...]]) -> frozenset[str]:
    """Find the files that kustomizations read as something else than whole objects."""
    found: set[str] = set()
    for path, parsed in documents.items():
        if posixpath.basename(path) not in KUSTOMIZATION_FILES:
            continue
        folder = posixpath.dirname(path)
        for document in parsed:
            if isinstance(document.body, Mapping):
                found.update(
                    posixpath.normpath(posixpath.join(folder, name))
                    for name in _fragment_names(document.body)
                )
    return frozenset(found)


def _fragment_names(kustomization: Mapping[str, Any]) -> Iterator[str]:
    """Walk the file names under the fields that take patches, settings and generator input."""
    for field in ("patchesStrategicMerge", "configurations", "transformers", "generators", "crds"):
        yield from (name for name in _items(kustomization, field) if isinstance(name, str))
    for field in ("patches", "patchesJson6902", "replacements"):
        for item in _items(kustomization, field):
            if isinstance(item, Mapping) and isinstance(item.get("path"), str):
                yield item["path"]
    for field in ("configMapGenerator", "secretGenerator"):
        for item in _items(kustomization, field):
            if isinstance(item, Mapping):
                names = (name for name in _items(item, "files") if isinstance(name, str))
                yield from (name.rpartition("=")[2] for name in names)


def _items(body: Mapping[str, Any], field: str) -> list[Any]:
    """Read a list field; anything else there counts as empty."""
    value = body.get(field)
    return value if isinstance(value, list) else []
