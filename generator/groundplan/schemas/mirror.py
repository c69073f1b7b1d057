"""A folder of upstream data: `index.yaml` and one folder for each component."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml

from groundplan.errors import UsageError
from groundplan.schemas import chart_files, crd, reading
from groundplan.schemas.charts import StoredChart, is_unreleased
from groundplan.schemas.compilation import Brought, digest
from groundplan.schemas.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundplan.schemas.charts import ChartFiles


class Mirror:
    """One folder, read lazily.

    Raises:
        UsageError: `schemas.no-mirror` when the folder has no index.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "index.yaml").is_file():
            raise UsageError(
                "schemas.no-mirror",
                "there is no index.yaml",
                where=str(path),
                fix="name a folder of upstream data, or leave the option out",
            )

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a file of the folder is added, removed or changed."""
        state, root = sha256(), str(self.path)
        # Every command that opens a store asks; a path object for each file would take longer
        # than all the rest.
        for folder, within, names in os.walk(root):
            within.sort()
            for name in sorted(names):
                file = f"{folder}/{name}"
                with suppress(FileNotFoundError):
                    status = os.stat(file)  # noqa: PTH116
                    said = f"{file.removeprefix(root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
                    state.update(said.encode())
        return state.hexdigest()[:16]

    @cached_property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The entries of the index by component; alternatives come after all others."""
        try:
            listed = reading.document((self.path / "index.yaml").read_bytes())
            ordered = sorted(listed, key=lambda entry: bool(entry.get("alternative")))
            return {entry["component"]: entry for entry in ordered}
        except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(
                "schemas.no-mirror", "index.yaml is not a list of components", where=str(self.path)
            ) from error

    def crds(self, component: str) -> Brought | None:
        """Return the CRDs of a component, or None when the folder has none."""
        folder = self.path / component / "crds"
        entry = self.entries.get(component)
        if entry is None or not folder.is_dir():
            return None
        manifests = (m for file in sorted(folder.iterdir()) for m in _objects(file))
        found = tuple(d for manifest in manifests if (d := crd.definition(manifest)))
        return Brought(self._provenance(entry, digest(found)), found) if found else None

    def chart(self, component: str, folder: str = "chart") -> ChartFiles | None:
        """Return the files of a component's chart, or None when the folder has none."""
        try:
            return chart_files.read(self.path / component / folder)
        except (yaml.YAMLError, ValueError) as error:
            raise UsageError(
                "schemas.bad-mirror",
                f"is no chart: {error}",
                where=f"{self.path / component / folder}",
                fix="restore the file",
            ) from error

    def all_charts(self) -> Iterator[StoredChart]:
        """Yield every chart. One whose source tree leaves the version open has its component's."""
        for component, entry in self.entries.items():
            listed = [entry["chart"], *entry.get("more_charts", ())] if entry.get("chart") else []
            for about in listed:
                if files := self.chart(component, about.get("directory", "chart")):
                    yield self._stored(entry, files)

    def _stored(self, entry: dict[str, Any], files: ChartFiles) -> StoredChart:
        version = files.version
        if is_unreleased(version):
            version = str(entry["version"])
        source = str(entry.get("chart_source") or entry["source"])
        about = Provenance(
            files.name, version, source, files.sha256, str(entry.get("license", "unknown"))
        )
        return StoredChart(files, version, about)

    def all_crds(self) -> Iterator[Brought]:
        """Yield the CRDs of every component."""
        for component in self.entries:
            if brought := self.crds(component):
                yield brought

    def _provenance(self, entry: dict[str, Any], sha256: str) -> Provenance:
        return Provenance(
            component=entry["component"],
            version=str(entry["version"]),
            source=str(entry["source"]),
            sha256=sha256,
            license=str(entry.get("license", "unknown")),
        )


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from reading.objects(file.read_bytes())
    except yaml.YAMLError as error:
        raise UsageError(
            "schemas.bad-mirror", f"is not YAML: {error}", where=str(file), fix="restore the file"
        ) from error
