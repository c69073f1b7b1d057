"""The upstream data that this version of groundplan is made for, with hashes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.schemas import reading
from groundplan.schemas.gomodules import Module

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = Path(__file__).with_name("lock.yaml")

_OPEN = frozenset(("Apache-2.0", "MIT", "BSD-3-Clause"))
"""Licences under which data may be part of the package."""


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """Files of a Go module."""

    module: Module
    files: str
    """A glob, or a chart's folder."""


@dataclass(frozen=True, slots=True)
class GitFolder:
    """A folder of a git repository that holds these CRDs and no others."""

    repository: str
    path: str


@dataclass(frozen=True, slots=True)
class LockedRelease:
    """A Kubernetes release."""

    minor: str
    version: str
    sha256: str
    """Of its OpenAPI document."""


@dataclass(frozen=True, slots=True)
class LockedComponent:
    """The CRDs of one component."""

    name: str
    """Also its folder in a mirror."""
    version: str
    license: str
    sha256: str
    """Of the CRDs in canonical form."""
    kinds: tuple[str, ...]
    """`group/Kind` of each."""
    module: ModuleFiles | None
    url: str
    git: GitFolder | None = None
    """What an engine applies at the tag that is the version."""

    @property
    def may_be_bundled(self) -> bool:
        """Whether its licence lets the package contain it."""
        return self.license in _OPEN


@dataclass(frozen=True, slots=True)
class LockedChart:
    """The default values of one chart."""

    name: str
    repository: str
    version: str
    license: str
    sha256: str
    """Of values and schema in canonical form."""
    component: str
    """Its folder in a mirror."""
    folder: str
    """The chart's folder inside that."""
    module: ModuleFiles | None

    @property
    def may_be_bundled(self) -> bool:
        """Whether its licence lets the package contain it."""
        return self.license in _OPEN


@dataclass(frozen=True, slots=True)
class Lock:
    """The whole lock file."""

    kubernetes: Mapping[str, LockedRelease]
    components: Mapping[str, LockedComponent]
    charts: tuple[LockedChart, ...]

    def bringing(self, group: str, kind: str) -> LockedComponent | None:
        """Return the component that brings a kind."""
        wanted = f"{group}/{kind}"
        return next((one for one in self.components.values() if wanted in one.kinds), None)


@cache
def load(path: Path = PATH) -> Lock:
    """Read a lock file."""
    data = reading.document(path.read_bytes())
    return Lock(
        kubernetes={
            minor: LockedRelease(minor, **entry) for minor, entry in data["kubernetes"].items()
        },
        components={name: component(name, entry) for name, entry in data["components"].items()},
        charts=tuple(chart(name, entry) for name, entry in data["charts"].items()),
    )


def component(name: str, entry: Mapping[str, Any]) -> LockedComponent:
    """Read one entry."""
    return LockedComponent(
        name=name,
        version=entry["version"],
        license=entry["license"],
        sha256=entry["sha256"],
        kinds=tuple(entry["kinds"]),
        module=_module(entry.get("module")),
        url=entry.get("url", ""),
        git=GitFolder(**entry["git"]) if "git" in entry else None,
    )


def chart(name: str, entry: Mapping[str, Any]) -> LockedChart:
    """Read one entry."""
    return LockedChart(
        name=name,
        repository=entry["repository"],
        version=entry["version"],
        license=entry["license"],
        sha256=entry["sha256"],
        component=entry["component"],
        folder=entry.get("folder", "chart"),
        module=_module(entry.get("module")),
    )


def _module(entry: Mapping[str, str] | None) -> ModuleFiles | None:
    if entry is None:
        return None
    return ModuleFiles(Module(entry["path"], entry["version"]), entry["files"])
