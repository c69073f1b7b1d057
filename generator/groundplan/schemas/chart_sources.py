"""The defaults of one chart from wherever they can be had, checked against the lock file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import yaml

from groundplan.schemas import chart_files, gomodules
from groundplan.schemas.charts import StoredChart, is_unreleased, plain
from groundplan.schemas.provenance import LeftOut, Missing, Provenance

if TYPE_CHECKING:
    from groundplan.schemas.charts import ChartFiles
    from groundplan.schemas.lock import LockedChart
    from groundplan.schemas.sources import Sources


def chart(chart: LockedChart, sources: Sources, *, locked: bool = True) -> StoredChart | LeftOut:
    """Return a chart's defaults from the mirror folder or else the Go module.

    Args:
        chart: What is wanted.
        sources: Where to look.
        locked: Whether only content with the lock file's hash is taken.
    """
    reasons = []
    for found in (_from_mirror(chart, sources), _from_module(chart, sources)):
        if isinstance(found, Missing):
            reasons.append(found.reason)
            continue
        files, source = found
        if locked and files.sha256 != chart.sha256:
            reasons.append(f"{source} differs from the lock file and is refused")
            continue
        about = Provenance(chart.name, chart.version, source, files.sha256, chart.license)
        return StoredChart(replace(files, name=chart.name), chart.version, about)
    return LeftOut(f"chart {chart.name}", "; ".join(reasons))


def _from_mirror(chart: LockedChart, sources: Sources) -> tuple[ChartFiles, str] | Missing:
    if sources.mirror is None:
        return Missing("no mirror folder was given")
    files = sources.mirror.chart(chart.component, chart.folder)
    if files is None:
        return Missing(f"the mirror folder has no chart of {chart.component}")
    if not is_unreleased(files.version) and plain(files.version) != plain(chart.version):
        return Missing(f"the mirror folder has {chart.name} {files.version}, not {chart.version}")
    entry = sources.mirror.entries.get(chart.component, {})
    return files, str(entry.get("chart_source") or entry.get("source") or "mirror folder")


def _from_module(chart: LockedChart, sources: Sources) -> tuple[ChartFiles, str] | Missing:
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
