"""What a platform asks of its clusters, and what that costs at list prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.catalogue import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundplan.catalogue import Component
    from groundplan.template import Template

GIB = 2.0**30

_SUFFIXES = {
    **{suffix: 10.0**power for suffix, power in {"n": -9, "u": -6, "m": -3, "": 0, "k": 3}.items()},
    **{suffix: 10.0 ** (3 * power) for power, suffix in enumerate("MGTPE", 2)},
    **{f"{suffix}i": 2.0 ** (10 * power) for power, suffix in enumerate("KMGTPE", 1)},
}
"""Of Kubernetes quantities."""


def quantity(said: Any) -> float:
    """A Kubernetes quantity such as `500m` or `2Gi` as a number."""
    text = str(said)
    number = text.rstrip("numkKMGTPEi")
    return float(number) * _SUFFIXES[text[len(number) :]]


@dataclass(frozen=True, slots=True)
class Need:
    """What a platform's own components ask of one cluster."""

    cpu: float = 0
    """Cores."""
    memory: float = 0
    """GiB."""
    storage: float = 0
    """GiB."""
    load_balancers: int = 0

    @classmethod
    def of(cls, components: Iterable[Component], place: str) -> Need:
        """What these components ask of a cluster at a place, the first cluster if one is first."""
        here = [c for c in components if not c.places or place in c.places]
        asked = [c.requests for c in here]
        return cls(
            cpu=sum(quantity(each.get("cpu", 0)) for each in asked),
            memory=sum(quantity(each.get("memory", 0)) for each in asked) / GIB,
            storage=sum(quantity(each.get("storage", 0)) for each in asked) / GIB,
            load_balancers=sum(c.load_balancers for c in here),
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices at one place; None where only the organisation knows."""

    place: str
    title: str
    currency: str
    date: str
    source: str
    hours: int
    """In a month."""
    vcpu_hour: float | None
    gib_hour: float | None
    storage_gib_month: float | None
    load_balancer_hour: float | None
    control_plane_hour: float | None

    def month(self, need: Need) -> float | None:
        """What a cluster with this need costs in a month, or None when a price is not known."""
        parts = (
            (self.vcpu_hour, need.cpu * self.hours),
            (self.gib_hour, need.memory * self.hours),
            (self.storage_gib_month, need.storage),
            (self.load_balancer_hour, need.load_balancers * self.hours),
            (self.control_plane_hour, self.hours),
        )
        known = [price * amount for price, amount in parts if price is not None]
        return sum(known) if len(known) == len(parts) else None


def prices(template: Template) -> tuple[Prices, ...]:
    """The price table, for the places that clusters can be at."""
    said = read(template, "prices.yaml")
    common = {"currency": said["currency"], "hours": said["hours"]}
    return tuple(
        Prices(place=place, **common, **said["places"][place])
        for place in template.places
        if place in said["places"]
    )
