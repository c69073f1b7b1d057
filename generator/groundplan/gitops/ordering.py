"""The order in which units are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundplan.gitops.model import Unit

Key = tuple[str, str, str, str]


def in_order(units: Sequence[Unit], parents: Mapping[Key, Key]) -> tuple[Unit, ...]:
    """Put units behind what they depend on and behind the unit that creates them.

    Units that have no order among them keep theirs; members of a cycle come last.

    Args:
        units: The units.
        parents: Which unit creates which.
    """
    waiting = {unit.id.key: unit for unit in units}
    places = {key: place for place, key in enumerate(waiting)}
    lacking: dict[Key, int] = {}
    behind: dict[Key, list[Key]] = {}
    for key, unit in waiting.items():
        before = _before(key, unit, parents) & waiting.keys()
        lacking[key] = len(before)
        for other in before:
            behind.setdefault(other, []).append(key)
    ordered: list[Unit] = []
    ready = [key for key in waiting if not lacking[key]]
    while ready:
        ready.sort(key=lambda key: (waiting[key].wave, places[key]))
        following: list[Key] = []
        for key in ready:
            ordered.append(waiting.pop(key))
            for other in behind.get(key, ()):
                lacking[other] -= 1
                if not lacking[other]:
                    following.append(other)
        ready = following
    return (*ordered, *waiting.values())


def _before(key: Key, unit: Unit, parents: Mapping[Key, Key]) -> set[Key]:
    """The units that have to come first; one that depends on itself waits for ever."""
    before = {identity.key for identity in unit.depends_on}
    parent = parents.get(key)
    if parent is not None and parent != key:
        before.add(parent)
    return before
