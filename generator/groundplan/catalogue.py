"""The template's data about components, tiers, practices and policies, typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundplan.template import Template


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm chart at an exact version."""

    name: str
    repository: str
    version: str


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a platform, as its data file says it."""

    name: str
    title: str
    summary: str
    layer: str
    namespace: str
    owner: str
    needs: tuple[str, ...]
    """Components that must be ready first."""
    scope: str
    """`platform`: once for all clusters; `cluster`: once in each."""
    chart: Chart | None
    places: tuple[str, ...]
    """Where the clusters are that have it; empty when all have it."""
    requests: Mapping[str, Any]
    """Kubernetes quantities of cpu, memory and storage that it asks of a cluster."""
    load_balancers: int
    """How many it asks of a cluster's place."""

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any]) -> Component:
        """Read a component's data file once its expressions are rendered."""
        chart = said.get("chart")
        return cls(
            name=name,
            title=said.get("title") or name,
            summary=said.get("summary") or "",
            layer=said["layer"],
            namespace=said.get("namespace") or "",
            owner=said.get("owner") or "",
            needs=tuple(said.get("needs") or ()),
            scope=said.get("scope") or "platform",
            chart=Chart(chart["name"], chart["repository"], chart["version"]) if chart else None,
            places=tuple(said.get("places") or ()),
            requests=said.get("requests") or {},
            load_balancers=said.get("load_balancers") or 0,
        )


@dataclass(frozen=True, slots=True)
class Practice:
    """Something that an organisation has or does, and how far."""

    name: str
    title: str
    aspect: str
    """Of the CNCF Platform Engineering Maturity Model."""
    question: str
    closes: str
    """Who can bring it further."""
    levels: Mapping[str, str]
    """What each level means, the least first; empty when it is a number."""
    counts: str
    """What the number counts; empty when it has levels."""

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any]) -> Practice:
        """Read one entry of the template's practices."""
        return cls(
            name=name,
            title=said["title"],
            aspect=said["aspect"],
            question=said["question"],
            closes=said["closes"],
            levels=said.get("levels") or {},
            counts=said.get("counts") or "",
        )

    @property
    def least(self) -> str | int:
        """What counts when nothing was said."""
        return next(iter(self.levels), 0)

    def rank(self, said: str | int) -> int:
        """How far a level or number is, so that two can be compared."""
        return list(self.levels).index(str(said)) if self.levels else int(said)


def read(template: Template, name: str) -> Any:
    """The content of one of the template's data files that has no expressions in it.

    Args:
        template: Whose data is read.
        name: The file's path below `blueprints`, with `/`.

    Raises:
        YamlError: The file is not strict YAML.
    """
    return documents.load((template.root / "blueprints" / name).read_bytes(), name)


def component_data(template: Template) -> dict[str, Any]:
    """Each component's data file by name, with null for what answers decide.

    Only what a file says without expressions is there as it will be, such as its upgrades.
    """
    files = sorted((template.root / "blueprints" / "components").glob("*.yaml"))
    return {file.stem: _without_expressions(file) for file in files}


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a chart runs at a version, or Flux does."""

    name: str
    """Of the chart, or `flux`."""
    version: str
    repository: str
    """Of the chart; empty for Flux."""
    images: tuple[str, ...]
    """With tag, digest or both; with neither where it is not known."""


def pulled(template: Template) -> tuple[Pulled, ...]:
    """What the charts of all components run, and the controllers of Flux."""
    data = component_data(template)
    flux = _without_expressions(template.root / "blueprints" / "lib" / "flux" / "engine.yaml")
    own = f"/({'|'.join(flux['controllers'])})[:@]"
    images = data[flux["component"]]["images"]
    controllers = tuple(image for image in images if re.search(own, image))
    found = [Pulled("flux", str(flux["distribution"]["version"]), "", controllers)]
    for said in data.values():
        if chart := said.get("chart"):
            runs = tuple(image for image in said.get("images", ()) if image not in controllers)
            found.append(Pulled(chart["name"], chart["version"], chart["repository"], runs))
    return tuple(found)


def features(template: Template) -> list[Any]:
    """What is chosen by an answer and is no component, with null for what answers decide."""
    found: list[Any] = _without_expressions(template.root / "blueprints" / "features.yaml")
    return found


def definition_sources(template: Template) -> tuple[str, ...]:
    """The Git repositories that components take definitions from."""
    sources = (said["git"] for said in component_data(template).values() if "git" in said)
    return tuple(dict.fromkeys(source["repository"] for source in sources))


def _without_expressions(file: Path) -> Any:
    text = _EXPRESSION.sub("null", file.read_text("utf-8"))
    return documents.load(text.encode(), file.name)


_EXPRESSION = re.compile(r"#\{.*?\}#")


def practices(template: Template) -> dict[str, Practice]:
    """What the template asks an organisation about itself, by name."""
    content = read(template, "practices.yaml")
    return {name: Practice.of(name, said) for name, said in content.items()}


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """What a tier or component counts on, and whether the organisation has it."""

    practice: str
    least: str | int
    """The level or number that will do."""
    why: str
    by: str
    """Who counts on it, such as `tier growing` or `component velero`."""
    have: str | int
    """The level or number that the organisation has."""
    met: bool
    sentence: str
    """What it means."""
    closes: str
    """Who can bring it further."""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Prerequisite:
        """Read one prerequisite of a plan."""
        return cls(**{name: said[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Tier:
    """A size of platform."""

    name: str
    title: str
    summary: str
    suits: Mapping[str, int]
    """Up to how many teams, clusters or regions it is meant for, by practice."""

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any]) -> Tier:
        """Read a tier's data file."""
        return cls(
            name, said.get("title") or name, said.get("summary") or "", said.get("suits") or {}
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """An admission policy."""

    id: str
    title: str
    severity: str
    owner: str

    @classmethod
    def of(cls, id: str, said: Mapping[str, Any]) -> Policy:
        """Read a policy's data file."""
        return cls(id, said.get("title") or id, said.get("severity") or "", said.get("owner") or "")
