"""Making the compiled stores from the sources that answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.garbage import uncollected
from groundplan.schemas import chart_sources, charts, compilation, kubernetes, lock, packs
from groundplan.schemas.charts import StoredChart
from groundplan.schemas.compilation import Brought
from groundplan.schemas.provenance import LeftOut, Missing
from groundplan.schemas.sources import Sources, crds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from groundplan.schemas.lock import Lock

CRDS = "crds.zip"
CHARTS = "charts.zip"


def kubernetes_pack(minor: str) -> str:
    """Return the file name of a Kubernetes version's pack."""
    return f"kubernetes-{minor}.zip"


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
    with uncollected():
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
            left.append(_not_bundled(component.name, component.license, component.kinds))
            continue
        found = crds(component, sources)
        if isinstance(found, Brought):
            brought.append(found)
        else:
            left.append(found)
    packs.write(path, compilation.crd_documents(brought, left))
    return left


def _fetch_charts(path: Path, sources: Sources, locked: Lock, bundle: bool) -> list[LeftOut]:
    stored: list[StoredChart] = []
    left: list[LeftOut] = []
    for entry in locked.charts:
        if bundle and not entry.may_be_bundled:
            left.append(_not_bundled(entry.name, entry.license))
            continue
        found = chart_sources.chart(entry, sources)
        if isinstance(found, StoredChart):
            stored.append(found)
        else:
            left.append(found)
    packs.write(path, charts.documents(stored, left))
    return left


def _not_bundled(name: str, license: str, kinds: tuple[str, ...] = ()) -> LeftOut:
    return LeftOut(name, f"its licence ({license}) keeps it out of the package", kinds)
