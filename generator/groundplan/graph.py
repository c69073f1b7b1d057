"""What comes before what on a cluster, and who makes what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundplan.gitops.model import Cluster, Engine, Release, Unit

if TYPE_CHECKING:
    from groundplan.resources import Origin, Resource, ResourceId

Key = tuple[str, str, str, str]
"""A resource's identity without its version."""

HARMLESS = frozenset({"values", "missing-variable"})
"""Kinds of problem that leave no object out."""
GENERATORS = frozenset(
    {
        ("fluxcd.controlplane.io", "ResourceSet"),
        ("hnc.x-k8s.io", "SubnamespaceAnchor"),
        ("capsule.clastix.io", "Tenant"),
    }
)
"""Kinds whose controllers make further objects, which the repository does not show."""


@dataclass(frozen=True)
class Graph:
    """One cluster's units, the objects they apply and the order between them."""

    cluster: Cluster
    sets: Mapping[Origin, Mapping[str, Any]]
    """What the ApplicationSets of the repository ask for, by where they are written."""

    @cached_property
    def units(self) -> Mapping[Key, Unit]:
        """The units by identity."""
        return {unit.id.key: unit for unit in self.cluster.units}

    @cached_property
    def objects(self) -> Mapping[Key, tuple[tuple[Unit, Resource], ...]]:
        """Every object that is applied, with the units that apply it."""
        found: dict[Key, list[tuple[Unit, Resource]]] = {}
        for unit in self.cluster.units:
            for resource in unit.resources:
                found.setdefault(resource.id.key, []).append((unit, resource))
        return {key: tuple(owners) for key, owners in found.items()}

    @cached_property
    def kinds(self) -> Mapping[tuple[str, str], tuple[tuple[Unit, Resource], ...]]:
        """Every object that is applied, by group and kind."""
        found: dict[tuple[str, str], list[tuple[Unit, Resource]]] = {}
        for owners in self.objects.values():
            for unit, resource in owners:
                found.setdefault((resource.id.group, resource.id.kind), []).append((unit, resource))
        return {kind: tuple(owners) for kind, owners in found.items()}

    @cached_property
    def parents(self) -> Mapping[Key, tuple[Unit, ...]]:
        """The units that apply, or generate, another unit's own object."""
        by_origin: dict[Origin, list[Unit]] = {}
        files = {unit.origin.path for unit in self.cluster.units}
        for unit in self.cluster.units:
            for resource in unit.resources:
                if resource.origin.path in files:
                    by_origin.setdefault(resource.origin, []).append(unit)
        found = {}
        for key, unit in self.units.items():
            owners = [owner for owner, _ in self.objects.get(key, ())]
            owners = owners or by_origin.get(unit.origin, [])
            distinct = {owner.id.key: owner for owner in owners if owner.id.key != key}
            found[key] = tuple(distinct.values())
        return found

    @cached_property
    def complete(self) -> bool:
        """Whether the repository shows everything that is applied to the cluster."""
        return self.complete_without(frozenset())

    def complete_without(self, doubtful: AbstractSet[Key]) -> bool:
        """Whether the repository shows everything but what some units apply."""
        if any(kind in GENERATORS for kind in self.kinds):
            return False
        return not any(
            unit.unresolved or any(problem.kind not in HARMLESS for problem in unit.problems)
            for unit in self.cluster.units
            if unit.id.key not in doubtful
        )

    def precedes(self, earlier: Unit, later: Unit) -> bool:
        """Whether one unit has been applied when another begins.

        Argo CD orders only waves, and tries again what fails in one: there, equal waves precede
        each other.
        """
        if self.cluster.engine is Engine.ARGOCD:
            return self._waves[earlier.id.key] <= self._waves[later.id.key]
        return bool(self._before[later.id.key] & self._bits[earlier.id.key])

    @cached_property
    def _bits(self) -> Mapping[Key, int]:
        """A bit for each unit: sets of thousands of units are then quick to join."""
        return {key: 1 << place for place, key in enumerate(self.units)}

    @cached_property
    def _before(self) -> Mapping[Key, int]:
        """The units that Flux has applied when a unit begins."""
        found = dict.fromkeys(self.units, 0)
        changed = True
        # Units come in the order in which they are applied: only cycles need a second round.
        while changed:
            changed = False
            for key, known in found.items():
                before = known
                for other in self._direct(key):
                    before |= found.get(other, 0) | self._bits.get(other, 0)
                before &= ~self._bits[key]
                changed |= before != known
                found[key] = before
        return found

    def _direct(self, key: Key) -> Iterator[Key]:
        """The units that one unit directly comes after."""
        yield from (identity.key for identity in self.units[key].depends_on)
        yield from (parent.id.key for parent in self.parents[key])

    @cached_property
    def _waves(self) -> Mapping[Key, tuple[int, ...]]:
        """Each unit's wave, after the waves of those that apply it."""
        found: dict[Key, tuple[int, ...]] = {}
        for key, unit in self.units.items():
            waves, seen, parents = [unit.wave], {key}, self.parents[key]
            while parents and parents[0].id.key not in seen:
                seen.add(parents[0].id.key)
                waves.append(parents[0].wave)
                parents = self.parents[parents[0].id.key]
            found[key] = tuple(reversed(waves))
        return found

    @cached_property
    def releases(self) -> tuple[tuple[Unit, Release], ...]:
        """Every chart that is installed, with the unit that installs it."""
        return tuple((unit, release) for unit in self.cluster.units for release in unit.releases)

    def spec(self, id: ResourceId) -> Mapping[str, Any]:
        """What an applied object asks for; empty when it is not in the repository."""
        for _, resource in self.objects.get(id.key, ()):
            spec = resource.body.get("spec")
            if isinstance(spec, Mapping):
                return spec
        return {}

    def application(self, unit: Unit) -> Mapping[str, Any]:
        """What an Application asks for, or the template that it was made of."""
        own = self.spec(unit.id)
        template = self.sets.get(unit.origin, {}).get("template")
        made = template.get("spec") if isinstance(template, Mapping) else None
        return made if isinstance(made, Mapping) and not own else own
