"""Making the compiled stores from the sources that answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml

from groundplan.schemas import chart_files, charts, compilation, gomodules, kubernetes, lock, packs
from groundplan.schemas.charts import ChartFiles, StoredChart
from groundplan.schemas.compilation import Brought
from groundplan.schemas.provenance import LeftOut, Missing, Provenance
from groundplan.schemas.sources import locked_crds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from groundplan.schemas.lock import Lock, LockedChart
    from groundplan.schemas.mirror import Mirror

CRDS = "crds.zip"
CHARTS = "charts.zip"


def kubernetes_pack(minor: str) -> str:
    """Return the file name of a Kubernetes version's pack."""
    return f"kubernetes-{minor}.zip"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where upstream data may be read."""

    mirror: Mirror | None = None
    network: bool = True
    """Whether Go modules and release files may be downloaded."""


def fetch(
    target: Path, sources: Sources, minors: Iterable[str], *, bundle: bool = False
) -> tuple[LeftOut, ...]:
    """Compile all that the lock file names into a folder, and say what could not be had.

    Args:
        target: Gets one pack for each Kubernetes version, one of CRDs and one of charts.
        sources: Where to read.
        minors: Kubernetes versions such as 1.37.
        bundle: Leave out what a package may not contain for its licence.
    """
    locked = lock.load()
    left = [*_fetch_kubernetes(target, sources, minors)]
    left += _fetch_crds(target / CRDS, sources, locked, bundle)
    left += _fetch_charts(target / CHARTS, sources, locked, bundle)
    return tuple(left)


def fetch_kubernetes(target: Path, minor: str, *, network: bool) -> Missing | None:
    """Compile the kinds of one Kubernetes version into a file, or say why that cannot be done."""
    release = lock.load().kubernetes.get(minor)
    if release is None:
        known = ", ".join(lock.load().kubernetes)
        return Missing(f"Kubernetes {minor} is not supported, only {known}")
    documents = kubernetes.documents(release, network=network)
    if isinstance(documents, Missing):
        return documents
    packs.write(target, documents)
    return None


def _fetch_kubernetes(target: Path, sources: Sources, minors: Iterable[str]) -> list[LeftOut]:
    left = []
    for minor in minors:
        path = target / kubernetes_pack(minor)
        if reason := fetch_kubernetes(path, minor, network=sources.network):
            left.append(LeftOut(f"kubernetes {minor}", reason.reason))
    return left


def _fetch_crds(path: Path, sources: Sources, locked: Lock, bundle: bool) -> list[LeftOut]:
    brought: list[Brought] = []
    left: list[LeftOut] = []
    for component in locked.components.values():
        if bundle and not component.may_be_bundled:
            left.append(_not_bundled(component.name, component.license))
            continue
        found = locked_crds(component, sources.mirror, network=sources.network)
        if isinstance(found, Brought):
            brought.append(found)
        else:
            left.append(found)
    packs.write(path, compilation.crd_documents(brought, left))
    return left


def _fetch_charts(path: Path, sources: Sources, locked: Lock, bundle: bool) -> list[LeftOut]:
    stored: list[StoredChart] = []
    left: list[LeftOut] = []
    for chart in locked.charts:
        if bundle and not chart.may_be_bundled:
            left.append(_not_bundled(chart.name, chart.license))
            continue
        found = _locked_chart(chart, sources)
        if isinstance(found, StoredChart):
            stored.append(found)
        else:
            left.append(found)
    packs.write(path, charts.documents(stored, left))
    return left


def _locked_chart(chart: LockedChart, sources: Sources) -> StoredChart | LeftOut:
    reasons = []
    for found in (_chart_from_mirror(chart, sources), _chart_from_module(chart, sources)):
        if isinstance(found, Missing):
            reasons.append(found.reason)
            continue
        files, source = found
        if files.sha256 != chart.sha256:
            reasons.append(f"{source} differs from the lock file and is refused")
            continue
        about = Provenance(chart.name, chart.version, source, chart.sha256, chart.license)
        return StoredChart(replace(files, name=chart.name), chart.version, about)
    return LeftOut(f"chart {chart.name}", "; ".join(reasons))


def _chart_from_mirror(chart: LockedChart, sources: Sources) -> tuple[ChartFiles, str] | Missing:
    if sources.mirror is None:
        return Missing("no mirror folder was given")
    files = sources.mirror.chart(chart.component, chart.folder)
    if files is None:
        return Missing(f"the mirror folder has no chart of {chart.component}")
    entry = sources.mirror.entries.get(chart.component, {})
    return files, str(entry.get("chart_source") or entry.get("source") or "mirror folder")


def _chart_from_module(chart: LockedChart, sources: Sources) -> tuple[ChartFiles, str] | Missing:
    if chart.module is None:
        return Missing("the lock file names no Go module for it")
    folder = gomodules.folder(chart.module.module, download=sources.network)
    if isinstance(folder, Missing):
        return folder
    source = f"Go module {chart.module.module}"
    try:
        files = chart_files.read(folder / chart.module.files)
    except (yaml.YAMLError, ValueError) as error:
        return Missing(f"{source} has no readable chart: {' '.join(str(error).split())}")
    return (files, source) if files else Missing(f"{source} has no chart in {chart.module.files}")


def _not_bundled(name: str, license: str) -> LeftOut:
    return LeftOut(
        name,
        f"its licence ({license}) keeps it out of the package; `groundplan schemas fetch` reads it "
        "on this machine, or name a mirror folder with --schemas",
    )
