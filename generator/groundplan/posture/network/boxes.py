"""Sets of connections as products of one set per property, and what is left of one beside others.

A connection has the labels of the pod that a policy is for (`of`), those of the other pod and of
its namespace (`pod`, `namespace`) or an address, and a port. A rule asks something of each property
by itself, so what it allows is a box. Boxes are subtracted exactly: what is left of a box beside
another is one box per property.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from groundplan.posture.network import addresses, ports
from groundplan.posture.network.ports import Ports
from groundplan.posture.network.spans import Spans
from groundplan.posture.selectors import ANY, Values

NAME = "kubernetes.io/metadata.name"
"""The label that every namespace has, and nobody can change."""
PIECES = 4096
"""How many boxes one subtraction may leave."""

Property = tuple[str, str]
"""`("of", key)`, `("pod", key)`, `("namespace", key)`, `("address", "")` or `("port", "")`."""
ADDRESS, PORT = ("address", ""), ("port", "")
Set = Values | Spans | Ports
Sides = Mapping[Property, Set]

_NAMED = Values(absent=False)


class TooComplexError(Exception):
    """The sets are cut into more pieces than anybody would look at."""


def everything(of: Property) -> Set:
    """All that a property can be."""
    match of[0]:
        case "address":
            return addresses.EVERY
        case "port":
            return ports.EVERY
    return _NAMED if of == ("namespace", NAME) else ANY


def within_both(ours: Set, theirs: Set) -> Set:
    """What is in both."""
    if not isinstance(ours, Values) or not isinstance(theirs, Values):
        return cast("Set", cast("Any", ours) & theirs)
    absent = ours.absent and theirs.absent
    if ours.others and theirs.others:
        return Values(ours.named | theirs.named, True, absent)
    if ours.others or theirs.others:
        few, many = (theirs, ours) if ours.others else (ours, theirs)
        return Values(few.named - many.named, False, absent)
    return Values(ours.named & theirs.named, False, absent)


def left(ours: Set, theirs: Set) -> Set:
    """What is only in the first."""
    if not isinstance(ours, Values) or not isinstance(theirs, Values):
        return cast("Set", cast("Any", ours) - theirs)
    opposite = Values(theirs.named, not theirs.others, not theirs.absent)
    return within_both(ours, opposite)


def filled(some: Set) -> bool:
    """Whether anything is in a set."""
    return not some.empty if isinstance(some, Values) else bool(some)


@dataclass(frozen=True)
class Box:
    """A product of sets. A property that it does not mention can be anything."""

    sides: Sides

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset(self.sides.items()))

    def __hash__(self) -> int:
        return self._hash

    def side(self, of: Property) -> Set:
        """What one property may be."""
        found = self.sides.get(of)
        return everything(of) if found is None else found

    def part(self, role: str) -> Mapping[str, Values]:
        """The sides of one role by label key: what the pods or namespaces look like."""
        return {key[1]: cast("Values", side) for key, side in self.sides.items() if key[0] == role}

    def without(self, role: str) -> Box:
        """The box with nothing asked of one role."""
        return Box({key: side for key, side in self.sides.items() if key[0] != role})

    def having(self, of: Property, side: Set) -> Box:
        """The box with another set for one property."""
        return Box({**self.sides, of: side})

    @property
    def ports(self) -> Ports:
        """The ports that it allows."""
        return cast("Ports", self.side(PORT))

    @property
    def addresses(self) -> Spans:
        """The addresses that it allows."""
        return cast("Spans", self.side(ADDRESS))

    def __and__(self, other: Box) -> Box | None:
        """What is in both; None when nothing is."""
        sides = dict(self.sides)
        for key, theirs in other.sides.items():
            sides[key] = within_both(self.side(key), theirs)
            if not filled(sides[key]):
                return None
        return Box(sides)

    def __sub__(self, other: Box) -> Iterator[Box]:
        """What is left, in pieces that do not overlap but where ports have names."""
        if (self & other) is None:
            yield self
            return
        rest = self
        for key, theirs in other.sides.items():
            outside = left(rest.side(key), theirs)
            if filled(outside):
                yield rest.having(key, outside)
            rest = rest.having(key, within_both(rest.side(key), theirs))


ALL = Box({})


def subtract(boxes: Iterable[Box], others: Iterable[Box]) -> list[Box]:
    """What is in some of the boxes and in none of the others.

    Raises:
        TooComplexError: It falls into more than `PIECES`.
    """
    rest = list(boxes)
    for other in others:
        if not rest:
            break
        rest = [piece for box in rest for piece in box - other]
        if len(rest) > PIECES:
            raise TooComplexError
    return rest
