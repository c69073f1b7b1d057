"""Things that must be on a cluster before others can be applied: namespaces and kinds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from groundplan.checks import Check, _known
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.gitops.model import Engine, Unit
from groundplan.schemas import Missing
from groundplan.sharing import once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from groundplan.gitops.model import Release
    from groundplan.graph import Graph
    from groundplan.repository import Repository
    from groundplan.resources import Origin, Resource, ResourceId
    from groundplan.schemas import Schema

GIVEN_NAMESPACES = frozenset({"", "default", "kube-system", "kube-public", "kube-node-lease"})
"""Those that every cluster has."""
ENGINE_NAMESPACES = {Engine.FLUX: "flux-system", Engine.ARGOCD: "argocd"}
"""Where the engine is installed before it reads the repository."""
BUILT_IN_GROUPS = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
"""Groups that the API server serves by itself, besides those without a dot."""
ENGINE_GROUPS = ("fluxcd.io", "fluxcd.controlplane.io", "argoproj.io")
PLACE_GROUPS = (
    "cloud.google.com",
    "gke.io",
    "k8s.aws",
    "amazonaws.com",
    "azure.com",
    "openshift.io",
    "cattle.io",
)
"""Groups whose kinds come with a managed cluster rather than from its repository."""
CREATE = "CreateNamespace=true"
"""The option by which Argo CD makes an Application's namespace."""
UNKNOWN_CHART = "nobody knows whether one of the charts brings its definition"
DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")


class Use(NamedTuple):
    """The first thing of a unit that needs a namespace."""

    id: ResourceId
    origin: Origin
    pointer: str


class Maker(NamedTuple):
    """A unit that makes a namespace."""

    unit: Unit
    at_once: bool
    """Whether the namespace is there before the unit's other objects."""


def _namespaces_first(repository: Repository) -> Iterator[Outcome]:
    """Find objects and charts in namespaces that are not there yet."""
    used = once(partial(_used, repository))
    for graph in repository.graphs:
        makers = _namespace_makers(graph)
        given = _given_namespaces(graph)
        for unit in graph.cluster.units:
            for namespace, use in _uses(used(unit.resources), unit).items():
                if namespace in given or _is_ready(graph, unit, makers.get(namespace, ())):
                    yield Passed()
                elif namespace not in makers and not graph.complete:
                    yield Skipped(f"namespace {namespace}", _incomplete(graph))
                else:
                    yield NAMESPACE.fail(
                        f"{use.id} needs namespace {namespace}, "
                        + _late(namespace in makers, unit),
                        repository.locate(use.origin, use.pointer),
                        use.id,
                    )


def _late(made: bool, unit: Unit) -> str:
    """Say in what way a namespace is not there in time."""
    if made:
        return f"which nothing makes before {unit.id} is applied"
    return "which nothing in this repository makes"


def _incomplete(graph: Graph) -> str:
    """Say why something may exist that is not in the repository."""
    return f"not all that cluster {graph.cluster.name} applies could be built from this repository"


def _given_namespaces(graph: Graph) -> frozenset[str]:
    """The namespaces that are there before the first unit is applied."""
    roots = {unit.id.namespace for unit in graph.cluster.units if not graph.parents[unit.id.key]}
    return GIVEN_NAMESPACES | roots | {ENGINE_NAMESPACES[graph.cluster.engine]}


def _used(repository: Repository, resources: Sequence[Resource]) -> Mapping[str, Use]:
    """The first object in each namespace that objects need."""
    found: dict[str, Use] = {}
    for resource in resources:
        namespace = resource.id.namespace
        if namespace not in found and repository.is_namespaced(resource.id) is not False:
            found[namespace] = Use(resource.id, resource.origin, "/metadata/namespace")
    return found


def _uses(used: Mapping[str, Use], unit: Unit) -> Mapping[str, Use]:
    """The first object or chart in each namespace that a unit needs."""
    found = dict(used)
    for release in unit.releases:
        found.setdefault(release.namespace, Use(release.id, release.origin, "/spec"))
    return found


def _namespace_makers(graph: Graph) -> Mapping[str, Sequence[Maker]]:
    """The units that make each namespace."""
    found: dict[str, list[Maker]] = {}
    for unit, resource in graph.kinds.get(("", "Namespace"), ()):
        found.setdefault(resource.id.name, []).append(Maker(unit, at_once=True))
    for unit in graph.cluster.units:
        for namespace in _namespaces_by_option(graph, unit):
            found.setdefault(namespace, []).append(Maker(unit, at_once=True))
        for release in unit.releases:
            if _creates_namespace(graph, release.id):
                found.setdefault(release.namespace, []).append(Maker(unit, at_once=False))
    return found


def _namespaces_by_option(graph: Graph, unit: Unit) -> Iterator[str]:
    """The namespaces that Argo CD makes for an Application that asks for it."""
    spec = graph.application(unit)
    patch = graph.sets.get(unit.origin, {}).get("templatePatch")
    match spec:
        case {"syncPolicy": {"syncOptions": list(options)}} if CREATE in options:
            pass
        case _:
            if CREATE not in str(patch):
                return
    match spec:
        case {"destination": {"namespace": str(namespace)}} if "{{" not in namespace:
            yield namespace
        case _:
            # Only the template's parameters know which; what the unit uses is among them.
            yield from {resource.id.namespace for resource in unit.resources}
            yield from {release.namespace for release in unit.releases}


def _creates_namespace(graph: Graph, release: ResourceId) -> bool:
    """Whether Helm makes the namespace of a HelmRelease."""
    match graph.spec(release):
        case {"install": {"createNamespace": True}}:
            return True
    return False


def _is_ready(graph: Graph, unit: Unit, makers: Sequence[Maker]) -> bool:
    """Whether one of the makers comes first. A chart's own namespace is no use to the chart."""
    return any(
        maker.at_once if maker.unit.id == unit.id else graph.precedes(maker.unit, unit)
        for maker in makers
    )


def _kinds_first(repository: Repository) -> Iterator[Outcome]:
    """Find custom objects whose definition is not there yet."""
    first_of_kind = once(_first_of_kind)
    for graph in repository.graphs:
        definitions = _definitions(graph)
        for unit in graph.cluster.units:
            for kind, resource in first_of_kind(unit.resources).items():
                makers = definitions.get(kind, ())
                yield _judge(repository, graph, unit, resource, makers)


def _first_of_kind(resources: Sequence[Resource]) -> Mapping[tuple[str, str], Resource]:
    """The first object of each custom kind among those of a unit."""
    found: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        group = resource.id.group
        given = "." not in group or group in BUILT_IN_GROUPS or group.endswith(ENGINE_GROUPS)
        if not given:
            found.setdefault((group, resource.id.kind), resource)
    return found


def _definitions(graph: Graph) -> Mapping[tuple[str, str], Sequence[Unit]]:
    """The units that apply the definition of each custom kind."""
    found: dict[tuple[str, str], list[Unit]] = {}
    for unit, resource in graph.kinds.get(DEFINITION, ()):
        match resource.body.get("spec"):
            case {"group": str(group), "names": {"kind": str(kind)}}:
                found.setdefault((group, kind), []).append(unit)
    for key, component in _known.sources(graph).items():
        for name in component.kinds:
            group, _, kind = name.rpartition("/")
            found.setdefault((group, kind), []).append(graph.units[key])
    return found


def _judge(
    repository: Repository, graph: Graph, unit: Unit, resource: Resource, makers: Sequence[Unit]
) -> Outcome:
    """Say whether an object's kind is defined when its unit is applied."""
    if any(maker.id == unit.id or graph.precedes(maker, unit) for maker in makers):
        return Passed()
    if makers:
        reason = f"{makers[0].id} applies the definition of its kind, and nothing waits for that"
    else:
        outcome = _by_chart(repository, graph, unit, resource)
        if not isinstance(outcome, str):
            return outcome
        reason = outcome
    place = repository.locate(resource.origin, "/kind")
    return KIND.fail(f"{resource.id}: {reason}", place, resource.id)


def _by_chart(
    repository: Repository, graph: Graph, unit: Unit, resource: Resource
) -> Outcome | str:
    """Say whether a chart defines an object's kind in time; a text says why it is not defined."""
    group, kind = resource.id.group, resource.id.kind
    schema = repository.schemas.lookup(resource.id.group, resource.id.version, resource.id.kind)
    bringing = [
        owner for owner, release in graph.releases if _brings(repository, schema, release, resource)
    ]
    if any(_is_installed(graph, owner, unit) for owner in bringing):
        return Passed()
    doubt = _doubt(graph, unit, group, known=bool(bringing))
    if doubt:
        return Skipped(f"{group} {kind}", doubt)
    if unit in bringing:
        return f"a chart beside it in {unit.id} brings the definition of its kind, but too late"
    if bringing:
        return (
            f"a chart that {bringing[0].id} installs brings the definition of its kind, "
            f"and {unit.id} does not wait for it"
        )
    return "nothing in this repository brings the definition of its kind"


def _doubt(graph: Graph, unit: Unit, group: str, *, known: bool) -> str:
    """Why a kind may be defined although it does not look so; empty when it cannot be."""
    if not graph.complete_without(_known.sources(graph).keys()):
        return _incomplete(graph)
    if not known and group.endswith(PLACE_GROUPS):
        return "its definition comes with the cluster"
    apart = any(
        "crd" in release.chart and _is_installed(graph, owner, unit)
        for owner, release in graph.releases
    )
    return UNKNOWN_CHART if apart or (graph.releases and not known) else ""


def _brings(
    repository: Repository, schema: Schema | Missing, release: Release, resource: Resource
) -> bool:
    """Whether a chart is known to bring the definition of an object's kind."""
    if isinstance(schema, Missing) or not release.chart:
        return _known.chart_brings(release, resource.id.group, resource.id.kind)
    component = schema.provenance.component
    return component in {release.chart, repository.components.get(release.chart)}


def _is_installed(graph: Graph, owner: Unit, unit: Unit) -> bool:
    """Whether what one unit installs with Helm is there when another is applied.

    Flux applies a HelmRelease together with the rest of its unit and installs the chart later.
    """
    together = owner.id == unit.id
    return graph.precedes(owner, unit) and not (together and graph.cluster.engine is Engine.FLUX)


NAMESPACE = Check(
    "GIT005",
    "Every namespace is there before it is used",
    Severity.MEDIUM,
    "Apply the Namespace in the same unit, or in one that this unit waits for.",
    _namespaces_first,
)
KIND = Check(
    "GIT006",
    "Every custom kind is defined before it is used",
    Severity.MEDIUM,
    "Move the object to a unit of its own that waits for the unit which brings the definition.",
    _kinds_first,
)
CHECKS = (NAMESPACE, KIND)
