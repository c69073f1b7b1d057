"""Which store a command uses: a mirror folder, what was fetched, what came with the wheel."""

from __future__ import annotations

import os
from pathlib import Path

from groundplan.schemas import cache
from groundplan.schemas.store import SchemaStore
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundplan.schemas.provenance import Missing

MIRROR_VARIABLE = "GROUNDPLAN_UPSTREAM"
"""Environment variable that names a mirror folder."""


def default_store(kubernetes: str, mirror: Path | None = None) -> SchemaStore:
    """Open the schemas of a Kubernetes minor version such as 1.37.

    Looks in the mirror folder (given, or named by $GROUNDPLAN_UPSTREAM), then among what was
    fetched, then in what came with the wheel. Never uses the network.

    Raises:
        UsageError: `schemas.no-mirror` or `schemas.bad-mirror`.
        NotEvaluatedError: `schemas.unreadable-store`.
    """
    crds = [place / "crds.zip" for place in (cache.folder(), cache.bundled())]
    if folder := mirror_folder(mirror):
        crds.insert(0, compiled_mirror(folder))
    return SchemaStore.open(
        kubernetes, core=_core(kubernetes), crds=[path for path in crds if path.is_file()]
    )


def mirror_folder(given: Path | None = None) -> Path | None:
    """Return the mirror folder that was given or that the environment names."""
    named = os.environ.get(MIRROR_VARIABLE)
    return given or (Path(named) if named else None)


def compiled_mirror(folder: Path) -> Path:
    """Return the compiled CRDs of a mirror folder, made when it has changed since."""
    from groundplan.schemas import compilation, packs
    from groundplan.schemas.mirror import Mirror

    mirror = Mirror(folder)
    target = cache.folder() / f"mirror-{mirror.fingerprint}" / "crds.zip"
    if not target.is_file():
        packs.write(target, compilation.crd_documents(mirror.all_crds()))
    return target


def _core(kubernetes: str) -> Path | Missing:
    name = f"kubernetes-{kubernetes}.zip"
    for place in (cache.folder(), cache.bundled()):
        if (place / name).is_file():
            return place / name
    from groundplan.schemas.kubernetes import compiled

    return compiled(kubernetes, cache.folder() / name)
