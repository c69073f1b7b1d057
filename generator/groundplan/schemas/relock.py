"""Renewing the hashes of the lock file after somebody changed a version in it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml

from groundplan.schemas import chart_sources, kubernetes, lock, reading, sources
from groundplan.schemas.charts import StoredChart
from groundplan.schemas.compilation import Brought
from groundplan.schemas.provenance import LeftOut, Missing

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.schemas.sources import Sources


def relock(path: Path, origins: Sources) -> tuple[LeftOut, ...]:
    """Write the hash of everything that can be had into a lock file.

    Only versions, sources and licences are for people to write. Entries that no source has stay as
    they are and are returned.
    """
    text = path.read_text("utf-8")
    data: dict[str, Any] = reading.document(text)
    left = [
        *_renew_kubernetes(data["kubernetes"], origins),
        *_renew_components(data["components"], origins),
        *_renew_charts(data["charts"], origins),
    ]
    comment = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    path.write_text(comment + yaml.safe_dump(data, sort_keys=False, width=110), "utf-8")
    return tuple(left)


def _renew_kubernetes(entries: dict[str, Any], origins: Sources) -> list[LeftOut]:
    left = []
    for minor, entry in entries.items():
        found = kubernetes.openapi(
            lock.LockedRelease(minor, entry["version"], ""), network=origins.network, locked=False
        )
        if isinstance(found, Missing):
            left.append(LeftOut(f"kubernetes {minor}", found.reason))
        else:
            entry["sha256"] = sha256(found[0]).hexdigest()
    return left


def _renew_components(entries: dict[str, Any], origins: Sources) -> list[LeftOut]:
    left = []
    for name, entry in entries.items():
        component = lock.component(name, {"sha256": "", "kinds": [], **entry})
        found = sources.crds(component, origins, locked=False)
        if isinstance(found, Brought):
            entry["sha256"] = found.provenance.sha256
            entry["kinds"] = sorted(f"{one.group}/{one.kind}" for one in found.definitions)
        else:
            left.append(found)
    return left


def _renew_charts(entries: dict[str, Any], origins: Sources) -> list[LeftOut]:
    left = []
    for name, entry in entries.items():
        found = chart_sources.chart(
            lock.chart(name, {"sha256": "", **entry}), origins, locked=False
        )
        if isinstance(found, StoredChart):
            entry["sha256"] = found.files.sha256
        else:
            left.append(found)
    return left
