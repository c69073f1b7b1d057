"""What is known of the definitions that units take from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.gitops.model import Engine
from groundplan.gitops.scene import dig, folder, same_repository
from groundplan.schemas import lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.gitops.model import Release, Unit
    from groundplan.graph import Graph, Key
    from groundplan.schemas.lock import LockedComponent

ELSEWHERE = "other-source"
SOURCES = "source.toolkit.fluxcd.io"
CHANGES = ("patches", "components", "namePrefix", "nameSuffix", "postBuild")
"""What may make other objects of those in a folder."""


def sources(graph: Graph) -> Mapping[Key, LockedComponent]:
    """The units that apply nothing but the definitions of a known component."""
    if graph.cluster.engine is not Engine.FLUX:
        return {}
    return {
        unit.id.key: found
        for unit in graph.cluster.units
        if unit.problems and all(problem.kind == ELSEWHERE for problem in unit.problems)
        for found in _components(graph, unit)
    }


def _components(graph: Graph, unit: Unit) -> Iterator[LockedComponent]:
    """The component whose definitions lie where a unit takes its objects from."""
    spec = graph.spec(unit.id)
    if unit.suspended or any(name in spec for name in CHANGES):
        return
    namespace = str(dig(spec, "sourceRef", "namespace", default=unit.id.namespace))
    name = str(dig(spec, "sourceRef", "name", default=""))
    for _, source in graph.objects.get((SOURCES, "GitRepository", namespace, name), ()):
        url = str(dig(source.body, "spec", "url", default=""))
        reference = dig(source.body, "spec", "ref")
        for component in lock.load().components.values():
            place = component.git
            if (
                place is not None
                and same_repository(url, place.repository)
                and reference == {"tag": component.version}
                and folder(str(spec.get("path", ""))) == place.path
            ):
                yield component


def chart_brings(release: Release, group: str, kind: str) -> bool:
    """Whether a chart is known to bring the definition of a kind."""
    wanted = f"{group}/{kind}"
    known = lock.load()
    return any(
        wanted in known.components[chart.component].kinds
        for chart in known.charts
        if chart.name == release.chart
        and same_repository(release.repository, chart.repository)
        and chart.component in known.components
    )
