"""The order in which units are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from groundplan.gitops.model import Unit
    from groundplan.resources import ResourceId

Key = tuple[str, str, str, str]


def in_order(units: Sequence[Unit], parents: Mapping[Key, Key]) -> tuple[Unit, ...]:
    """Put units behind what they depend on and behind the unit that creates them.

    Units that have no order among them keep theirs; members of a cycle come last.

    Args:
        units: The units.
        parents: Which unit creates which.
    """
    waiting = {unit.id.key: unit for unit in units}
    ordered: list[Unit] = []
    while waiting:
        ready = [unit for unit in waiting.values() if not _blocked(unit, waiting, parents)]
        if not ready:
            return (*ordered, *waiting.values())
        for unit in sorted(ready, key=lambda unit: unit.wave):
            ordered.append(unit)
            del waiting[unit.id.key]
    return tuple(ordered)


def _blocked(unit: Unit, waiting: Mapping[Key, Unit], parents: Mapping[Key, Key]) -> bool:
    parent = parents.get(unit.id.key)
    return (parent is not None and parent != unit.id.key and parent in waiting) or any(
        key in waiting for key in _keys(unit.depends_on)
    )


def _keys(ids: Iterable[ResourceId]) -> list[Key]:
    return [identity.key for identity in ids]
