"""The template's data about components, tiers and policies, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """A size of platform."""

    name: str
    title: str
    summary: str
    components: tuple[str, ...]
    prerequisites: tuple[str, ...]
    """What an organisation should have before it chooses this tier."""

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any]) -> Tier:
        """Read a tier's data file."""
        return cls(
            name,
            said.get("title") or name,
            said.get("summary") or "",
            tuple(said["components"]),
            tuple(said.get("prerequisites") or ()),
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
