"""The charts that clusters install, and what their makers say of the values they are given."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.schemas import Missing
from groundplan.schemas.chart_values import ValuesVerdict, unknown_values

if TYPE_CHECKING:
    from groundplan.gitops.model import Cluster, Release
    from groundplan.resources import Origin
    from groundplan.schemas import ChartDefaults, ChartStore


@dataclass(frozen=True, slots=True)
class Installation:
    """A chart with the values that a release gives it."""

    release: Release
    chart: ChartDefaults | Missing
    verdict: ValuesVerdict
    """Empty when nothing is known of the chart."""

    def place(self, pointer: str) -> tuple[Origin, str]:
        """Where a value was written last: a document, and a JSON pointer in it."""
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        for values in reversed(self.release.values):
            if _has(values.body, parts):
                return values.origin, values.pointer + pointer
        if self.release.values:
            last = self.release.values[-1]
            return last.origin, last.pointer
        return self.release.origin, "/spec"


def installations(clusters: Iterable[Cluster], store: ChartStore) -> Iterator[Installation]:
    """Walk the charts of all clusters; one that is installed alike on several comes once."""
    seen = set()
    known: dict[tuple[str, str, str], ChartDefaults | Missing] = {}
    for release in (r for cluster in clusters for unit in cluster.units for r in unit.releases):
        values = given(release)
        key = (release.origin, release.chart, release.version, marshal.dumps(values, 2))
        if key in seen:
            continue
        seen.add(key)
        place = (release.repository, release.chart, release.version)
        if place not in known:
            known[place] = store.lookup(*place)
        chart = known[place]
        verdict = ValuesVerdict(()) if isinstance(chart, Missing) else unknown_values(values, chart)
        yield Installation(release, chart, verdict)


def given(release: Release) -> dict[str, Any]:
    """All values that a release gives its chart."""
    values: dict[str, Any] = {}
    for layer in release.values:
        values = merged(values, layer.body)
    return values


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others as Helm does: objects are merged, everything else is replaced."""
    laid = dict(below)
    for key, value in above.items():
        under = laid.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            laid[key] = merged(under, value)
        else:
            laid[key] = value
    return laid


def _has(body: Any, parts: list[str]) -> bool:
    """Whether a path of keys and indices leads anywhere."""
    for part in parts:
        if isinstance(body, Mapping) and part in body:
            body = body[part]
        elif isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        else:
            return False
    return True
