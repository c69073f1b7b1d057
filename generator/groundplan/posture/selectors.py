"""What label selectors select, as sets: per key its possible values, and whether it may be absent.

A selector asks something of each key by itself, so what it selects is a box: the product of one set
per key. Sets of values are finite, or everything but finitely many, so containment is decidable and
exact. Meaning of the operators: `k8s.io/apimachinery/pkg/labels`, `Requirement.Matches`.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

CELLS = 4096
"""How many parts a selector is cut into at most to find it inside a union."""
_FRESH = "\0"
"""A value that nobody writes: stands for every value that no selector names."""


class Values(NamedTuple):
    """What one key may be."""

    named: frozenset[str] = frozenset()
    others: bool = True
    """Whether every value counts but the named ones, instead of the named ones only."""
    absent: bool = True
    """Whether an object without the key counts."""

    def has(self, value: str | None) -> bool:
        """Whether the key may have a value; None asks whether it may be absent."""
        return self.absent if value is None else (value in self.named) is not self.others

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not (self.named or self.others or self.absent)

    def within(self, other: Values) -> bool:
        """Whether all that is here is there too."""
        if self.absent and not other.absent:
            return False
        if self.others:
            return other.others and other.named <= self.named
        return not self.named & other.named if other.others else self.named <= other.named

    def narrowed(self, operator: str, values: frozenset[str]) -> Values:
        """Apply one more requirement; an operator that Kubernetes does not know allows nothing."""
        match operator:
            case "In":
                kept = values - self.named if self.others else values & self.named
                return Values(kept, others=False, absent=False)
            case "NotIn" if self.others:
                return self._replace(named=self.named | values)
            case "NotIn":
                return self._replace(named=self.named - values)
            case "Exists":
                return self._replace(absent=False)
            case "DoesNotExist":
                return Values(others=False, absent=self.absent)
        return Values(others=False, absent=False)


ANY = Values()
Box = dict[str, Values]
"""Every key that a selector asks about; the others may be anything."""


def box(selector: Mapping[str, Any]) -> Box:
    """Read a label selector. The empty one selects everything; what a missing one means differs.

    Its keys are in order, so that whatever is cut along them falls into the same pieces.
    """
    found: Box = {}
    for key, value in mapping(selector, "matchLabels").items():
        found[key] = found.get(key, ANY).narrowed("In", frozenset({str(value)}))
    for expression in map(mapping, items(selector, "matchExpressions")):
        key, values = str(expression.get("key", "")), map(str, items(expression, "values"))
        operator = str(expression.get("operator", ""))
        found[key] = found.get(key, ANY).narrowed(operator, frozenset(values))
    return dict(sorted(found.items()))


def selects(wanted: Box, labels: Mapping[str, Any]) -> bool:
    """Whether an object with these labels is selected."""
    return all(
        allowed.has(str(labels[key]) if key in labels else None) for key, allowed in wanted.items()
    )


def empty(wanted: Box) -> bool:
    """Whether no object can be selected."""
    return any(allowed.empty for allowed in wanted.values())


def within(inner: Box, outer: Box) -> bool:
    """Whether every object that `inner` selects is selected by `outer`. Exact."""
    return empty(inner) or all(
        inner.get(key, ANY).within(allowed) for key, allowed in outer.items()
    )


def within_any(inner: Box, outer: Iterable[Box]) -> bool:
    """Whether `inner` lies inside a union of boxes.

    Exact as long as it falls into at most `CELLS` parts. Beyond, only one single box around all of
    it counts, so that "yes" is always right.
    """
    boxes = tuple(outer)
    if any(within(inner, one) for one in boxes):
        return True
    keys = sorted({key for one in boxes for key in one})
    choices = [_choices(key, (inner, *boxes)) for key in keys]
    parts = 1
    for choice in choices:
        parts *= len(choice)
    if parts > CELLS:
        return False
    asked = {key: inner.get(key, ANY) for key in keys}
    for cell in product(*choices):
        labels = {key: value for key, value in zip(keys, cell, strict=True) if value is not None}
        if selects(asked, labels) and not any(selects(one, labels) for one in boxes):
            return False
    return True


def _choices(key: str, boxes: tuple[Box, ...]) -> list[str | None]:
    """Every value of a key that makes a difference, and its absence."""
    named = {value for one in boxes if key in one for value in one[key].named}
    return [None, _FRESH, *sorted(named)]
