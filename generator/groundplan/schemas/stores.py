"""Which store a command uses: a mirror folder, what was fetched, what came with the wheel."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.schemas import cache
from groundplan.schemas.charts import ChartStore
from groundplan.schemas.provenance import Missing
from groundplan.schemas.store import SchemaStore

if TYPE_CHECKING:
    from groundplan.schemas.mirror import Mirror

MIRROR_VARIABLE = "GROUNDPLAN_UPSTREAM"
"""Environment variable that names a mirror folder."""

_State = tuple[int, int, int]
_CRDS = "crds.zip"
_CHARTS = "charts.zip"


def default_store(kubernetes: str, mirror: Path | None = None) -> SchemaStore:
    """Open the schemas of a Kubernetes minor version such as 1.37.

    Looks in the mirror folder (given, or named by $GROUNDPLAN_UPSTREAM), then among what was
    fetched, then in what came with the wheel; a source checkout has no wheel and compiles what the
    Go module cache holds. Never uses the network.

    Raises:
        UsageError: `schemas.no-mirror` or `schemas.bad-mirror`.
        NotEvaluatedError: `schemas.unreadable-store`.
    """
    core, crds = _kubernetes(kubernetes), _packs(_CRDS, mirror)
    files = [*crds, *([core] if isinstance(core, Path) else [])]
    return _schemas(kubernetes, core, tuple(crds), tuple(map(_state, files)))


def default_charts(mirror: Path | None = None) -> ChartStore:
    """Open the chart defaults, in the same order as `default_store`.

    Raises:
        UsageError: `schemas.no-mirror` or `schemas.bad-mirror`.
        NotEvaluatedError: `schemas.unreadable-store`.
    """
    packs = _packs(_CHARTS, mirror)
    return _charts(tuple(packs), tuple(map(_state, packs)))


@lru_cache(maxsize=4)
def _schemas(
    kubernetes: str,
    core: Path | Missing,
    crds: tuple[Path, ...],
    _states: tuple[_State | None, ...],
) -> SchemaStore:
    """Open a store once for all repositories that a command looks at.

    It compiles what it is asked for, and keeps that.
    """
    return SchemaStore.open(kubernetes, core=core, crds=crds)


@lru_cache(maxsize=4)
def _charts(packs: tuple[Path, ...], _states: tuple[_State | None, ...]) -> ChartStore:
    return ChartStore.open(packs)


def _state(pack: Path) -> _State | None:
    """What changes when a pack is written anew."""
    try:
        status = pack.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def mirror_folder(given: Path | None = None) -> Path | None:
    """Return the mirror folder that was given or that the environment names."""
    named = os.environ.get(MIRROR_VARIABLE)
    return given or (Path(named) if named else None)


def _packs(name: str, mirror: Path | None) -> list[Path]:
    """Return the packs to look in, best first.

    What a mirror folder has in another version than the one that this groundplan is made for
    comes last: any other source is closer.
    """
    found = [place / name for place in (cache.folder(), cache.bundled())]
    found = [path for path in found if path.is_file()]
    if given := mirror_folder(mirror):
        compiled = _compiled_mirror(given)
        return [compiled / name, *found, *_without_wheel(found, name), compiled / f"other-{name}"]
    return [*found, *_without_wheel(found, name)]


def _without_wheel(found: list[Path], name: str) -> list[Path]:
    """In a source checkout, compile what the Go module cache holds."""
    if found:
        return []
    from groundplan.schemas.fetch import fetch
    from groundplan.schemas.sources import Sources

    folder = cache.folder() / "local"
    if not (folder / name).is_file():
        fetch(folder, Sources(network=False), minors=())
    return [folder / name]


def _compiled_mirror(folder: Path) -> Path:
    """Return the folder with the compiled data of a mirror, made when the mirror has changed."""
    from groundplan.schemas.mirror import Mirror

    mirror = Mirror(folder)
    target = cache.folder() / f"mirror-{mirror.fingerprint}"
    if not (target / _CHARTS).is_file():
        _compile_mirror(mirror, target)
    return target


def _compile_mirror(mirror: Mirror, target: Path) -> None:
    from groundplan.schemas import charts, compilation, lock, packs

    locked = lock.load()
    pinned = {one.name: one.version for one in locked.components.values()}
    crds: tuple[list[compilation.Brought], ...] = ([], [])
    for brought in mirror.all_crds():
        about = brought.provenance
        crds[pinned.get(about.component, about.version) != about.version].append(brought)
    packs.write(target / _CRDS, compilation.crd_documents(crds[0]))
    packs.write(target / f"other-{_CRDS}", compilation.crd_documents(crds[1]))
    packs.write(target / f"other-{_CHARTS}", charts.documents(()))
    # Written last: its presence says that the others are there.
    packs.write(target / _CHARTS, charts.documents(mirror.all_charts()))


def _kubernetes(minor: str) -> Path | Missing:
    """Return the pack of a Kubernetes version; what the Go module cache holds is compiled."""
    name = f"kubernetes-{minor}.zip"
    for place in (cache.folder(), cache.bundled()):
        if (place / name).is_file():
            return place / name
    from groundplan.schemas.fetch import fetch_kubernetes

    path = cache.folder() / name
    missing = fetch_kubernetes(path, minor, network=False)
    if missing is None:
        return path
    return Missing(f"{missing.reason}; `groundplan schemas fetch` gets it")
