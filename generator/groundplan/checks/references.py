"""What Flux objects name: other units that come first, and the sources they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.gitops.model import Engine

if TYPE_CHECKING:
    from groundplan.graph import Graph, Key
    from groundplan.repository import Repository
    from groundplan.resources import Resource

KUSTOMIZATION = ("kustomize.toolkit.fluxcd.io", "Kustomization")
HELM_RELEASE = ("helm.toolkit.fluxcd.io", "HelmRelease")
SOURCES = "source.toolkit.fluxcd.io"
BOOTSTRAP = "flux-system"
"""The source that whoever installs Flux makes, in the repository or outside."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One object's name for another."""

    resource: Resource
    pointer: str
    key: Key
    """What it names."""

    @property
    def target(self) -> str:
        """What it names, for people."""
        _, kind, namespace, name = self.key
        return f"{kind} {namespace}/{name}"


def _no_cycle(repository: Repository) -> Iterator[Outcome]:
    """Find objects that wait for themselves by way of others."""
    for graph in repository.graphs:
        edges = _dependencies(graph)
        members = _in_cycles({key: [r.key for r in found] for key, found in edges.items()})
        for cycle in members:
            first = next(r for r in edges[cycle[0]] if r.key == cycle[1 % len(cycle)])
            names = " -> ".join(key[3] for key in (*cycle, cycle[0]))
            yield CYCLE.fail(
                f"{first.resource.id} waits for itself: {names}",
                repository.locate(first.resource.origin, first.pointer),
                first.resource.id,
            )
        yield Passed(len(edges) - len({key for cycle in members for key in cycle}))


def _dependencies_exist(repository: Repository) -> Iterator[Outcome]:
    """Find `dependsOn` entries that name nothing."""
    for graph in repository.graphs:
        for references in _dependencies(graph).values():
            yield from _judge(repository, graph, references, DEPENDENCY, complete=graph.complete)


def _sources_exist(repository: Repository) -> Iterator[Outcome]:
    """Find source references that name nothing."""
    for graph in repository.graphs:
        if graph.cluster.engine is Engine.FLUX:
            made = frozenset(_made_sources(graph))
            references = [r for r in _source_references(graph) if r.key not in made]
            # What a unit without a source would apply is unknown; it is no excuse for itself.
            lost = {r.resource.id.key for r in references if r.key not in graph.objects}
            complete = graph.complete_without(lost)
            yield from _judge(repository, graph, references, SOURCE, complete=complete)


def _judge(
    repository: Repository,
    graph: Graph,
    references: Iterable[Reference],
    check: Check,
    *,
    complete: bool,
) -> Iterator[Outcome]:
    """Say of each reference whether what it names is on the cluster."""
    for reference in references:
        if reference.key in graph.objects:
            yield Passed()
        elif reference.key[2:] == (BOOTSTRAP, BOOTSTRAP):
            yield Skipped(reference.target, "it is made by whoever installs Flux")
        elif not complete:
            reason = f"not all that cluster {graph.cluster.name} applies is in this repository"
            yield Skipped(reference.target, reason)
        else:
            yield check.fail(
                f"{reference.resource.id} names {reference.target}, which does not exist",
                repository.locate(reference.resource.origin, reference.pointer),
                reference.resource.id,
            )


def _dependencies(graph: Graph) -> dict[Key, list[Reference]]:
    """What each Kustomization and HelmRelease waits for."""
    found: dict[Key, list[Reference]] = {}
    for kind in (KUSTOMIZATION, HELM_RELEASE):
        for _, resource in graph.kinds.get(kind, ()):
            entries = _spec(resource).get("dependsOn")
            found[resource.id.key] = [
                Reference(
                    resource,
                    f"/spec/dependsOn/{index}",
                    (*kind, str(entry.get("namespace") or resource.id.namespace), entry["name"]),
                )
                for index, entry in enumerate(entries if isinstance(entries, list) else ())
                if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
            ]
    return found


def _in_cycles(edges: Mapping[Key, list[Key]]) -> list[tuple[Key, ...]]:
    """Find one cycle through each group of nodes that reach each other, smallest node first.

    Walks with a list instead of by recursion: chains may be long.
    """
    done: set[Key] = set()
    cycles = []
    for start in sorted(edges):
        if start in done:
            continue
        path, places = [start], {start: 0}
        stack = [(start, iter(edges[start]))]
        while stack:
            node, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                stack.pop()
                path.pop()
                del places[node]
                done.add(node)
            elif target in places:
                cycle = path[places[target] :]
                least = cycle.index(min(cycle))
                cycles.append((*cycle[least:], *cycle[:least]))
            elif target in edges and target not in done:
                stack.append((target, iter(edges[target])))
                places[target] = len(path)
                path.append(target)
    return sorted(set(cycles))


def _source_references(graph: Graph) -> Iterator[Reference]:
    """Every source that a Kustomization or HelmRelease reads."""
    for _, resource in graph.kinds.get(KUSTOMIZATION, ()):
        yield from _reference(resource, "/spec/sourceRef", _spec(resource).get("sourceRef"))
    for _, resource in graph.kinds.get(HELM_RELEASE, ()):
        spec = _spec(resource)
        yield from _reference(resource, "/spec/chartRef", spec.get("chartRef"))
        chart = spec.get("chart")
        template = chart.get("spec") if isinstance(chart, Mapping) else None
        if isinstance(template, Mapping):
            pointer = "/spec/chart/spec/sourceRef"
            yield from _reference(resource, pointer, template.get("sourceRef"))


def _reference(resource: Resource, pointer: str, body: Any) -> Iterator[Reference]:
    """Read one reference to a source; one that is no reference is for the schema to refuse."""
    match body:
        case {"kind": str(kind), "name": str(name)}:
            namespace = str(body.get("namespace") or resource.id.namespace)
            yield Reference(resource, pointer, (SOURCES, kind, namespace, name))


def _made_sources(graph: Graph) -> Iterator[Key]:
    """Sources that controllers make out of other objects."""
    for _, instance in graph.kinds.get(("fluxcd.controlplane.io", "FluxInstance"), ()):
        sync = _spec(instance).get("sync")
        if isinstance(sync, Mapping):
            namespace = instance.id.namespace
            name = str(sync.get("name") or namespace)
            yield SOURCES, str(sync.get("kind")), namespace, name
    generators = graph.kinds.get(("source.extensions.fluxcd.io", "ArtifactGenerator"), ())
    for _, generator in generators:
        artifacts = _spec(generator).get("artifacts")
        for artifact in artifacts if isinstance(artifacts, list) else ():
            if isinstance(artifact, Mapping):
                name = str(artifact.get("name"))
                yield SOURCES, "ExternalArtifact", generator.id.namespace, name


def _spec(resource: Resource) -> Mapping[str, Any]:
    """What an object asks for."""
    spec = resource.body.get("spec")
    return spec if isinstance(spec, Mapping) else {}


CYCLE = Check(
    "GIT001",
    "Nothing waits for itself",
    Severity.HIGH,
    "Remove one `dependsOn` of the cycle: none of its members is ever applied.",
    _no_cycle,
)
DEPENDENCY = Check(
    "GIT002",
    "Every dependency exists",
    Severity.HIGH,
    "Correct the name or namespace in `dependsOn`, or add what it names.",
    _dependencies_exist,
)
SOURCE = Check(
    "GIT003",
    "Every source exists",
    Severity.HIGH,
    "Correct the reference's kind, name or namespace, or add the source.",
    _sources_exist,
)
CHECKS = (CYCLE, DEPENDENCY, SOURCE)
