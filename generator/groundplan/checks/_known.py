"""What is known of the definitions that units take from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.gitops.scene import is_mirror
from groundplan.schemas import lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.gitops.model import Elsewhere, Release, Unit
    from groundplan.graph import Graph, Key
    from groundplan.schemas.lock import LockedComponent


def sources(graph: Graph) -> Mapping[Key, LockedComponent]:
    """The units that apply nothing but the definitions of a known component."""
    return {
        unit.id.key: found
        for unit in graph.cluster.units
        if (place := _elsewhere(unit))
        for found in _components(place)
    }


def _elsewhere(unit: Unit) -> Elsewhere | None:
    """The one folder of another repository that a unit applies, and nothing else."""
    match unit.problems:
        case [problem] if not unit.paths and not unit.releases:
            return problem.elsewhere
        case _:
            return None


def _components(place: Elsewhere) -> Iterator[LockedComponent]:
    """The component whose definitions lie there."""
    for component in lock.load().components.values():
        known = component.git
        if (
            known is not None
            and is_mirror(place.repository, known.repository)
            and place.revision == component.version
            and place.path == known.path
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
        and is_mirror(release.repository, chart.repository)
        and chart.component in known.components
    )
