"""What Flux and Argo CD have in common: units that apply a folder, in an order, on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.resources import Origin, Resource, ResourceId


class Engine(StrEnum):
    """Who reconciles."""

    FLUX = "flux"
    ARGOCD = "argocd"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A folder of another repository."""

    repository: str
    """Its address."""
    revision: str
    """A tag, branch or commit; empty when it is none of these."""
    path: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that kept a unit from being built whole."""

    kind: str
    """A stable word.

    Builds: `remote-base`, `plugin`, `helm-charts`, `outside-tree`, `outside-root`, `missing-path`,
    `cycle`, `syntax`, `duplicate-object`, `nothing-to-change`, `kustomize` (it would refuse
    otherwise), `unsupported`, `not-an-object`.
    Engines: `other-source`, `other-cluster`, `missing-variable`, `substitution`, `resource-set`,
    `values`, `generator`, `clusters`, `template`, `duplicate`.
    """
    message: str
    origin: Origin
    pointer: str = ""
    evaluated: bool = True
    """False when the repository may be right but it could not be evaluated here."""
    elsewhere: Elsewhere | None = None
    """Where the objects of an `other-source` lie, when they are applied as they lie there."""


@dataclass(frozen=True, slots=True)
class Values:
    """Chart values from one place, already parsed."""

    body: Mapping[str, Any]
    origin: Origin
    """The file, or the release for values written inline."""
    pointer: str = ""
    """Where in that document the values begin."""


@dataclass(frozen=True, slots=True)
class Release:
    """A chart that the engine installs with Helm."""

    id: ResourceId
    """The HelmRelease, or the Application that has a chart as source."""
    chart: str
    """The chart's name."""
    repository: str
    """`oci://…` or `https://…`, without the chart's name."""
    version: str
    """As written: exact or a range."""
    namespace: str
    """Where the chart's objects go."""
    values: tuple[Values, ...]
    """Later entries win."""
    origin: Origin


@dataclass(frozen=True, slots=True)
class Unit:
    """A Flux Kustomization or an Argo CD Application: what is reconciled together."""

    id: ResourceId
    origin: Origin
    paths: tuple[str, ...]
    """Folders of this repository that it applies."""
    depends_on: tuple[ResourceId, ...]
    """Flux `dependsOn`. Empty for Argo CD, which orders by `wave`."""
    wave: int
    """Argo CD sync wave; 0 for Flux."""
    resources: tuple[Resource, ...]
    """What it applies, after kustomize and substitution, in apply order."""
    releases: tuple[Release, ...]
    """Charts among what it applies (or that it is itself)."""
    problems: tuple[Problem, ...]
    suspended: bool = False
    """Nobody reconciles it for now."""
    unresolved: tuple[Resource, ...] = ()
    """Objects that it applies too, but whose contents cannot be known here; see `problems`."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster's entry point and everything that is reached from it."""

    name: str
    engine: Engine
    path: str
    """The entry point's folder."""
    units: tuple[Unit, ...]
    """In the order in which the engine would apply them; members of a cycle come last."""
