"""What a repository will consist of, as the template's own data decides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.answers.combinations import SYSTEM_NAMESPACES
from groundplan.catalogue import Component, Prerequisite, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Plan:
    """The components that a tier and the answers choose, in the order in which they arrive."""

    tier: Tier
    components: tuple[Component, ...]
    prerequisites: tuple[Prerequisite, ...] = ()
    """What the tier and the components count on, met or not."""

    @classmethod
    def of(cls, computed: Mapping[str, Any]) -> Plan:
        """Read the value that the template computes for its question `plan`."""
        components = tuple(Component.of(said["name"], said) for said in computed["components"])
        prerequisites = tuple(map(Prerequisite.of, computed["prerequisites"]))
        tier = Tier.of(str(computed["tier"]["name"]), computed["tier"])
        return cls(tier, components, prerequisites)

    @property
    def unmet(self) -> tuple[Prerequisite, ...]:
        """What it counts on and the organisation has not got."""
        return tuple(need for need in self.prerequisites if not need.met)

    def component(self, name: str) -> Component | None:
        """The component of this name, if it is planned."""
        return next((c for c in self.components if c.name == name), None)

    def needed_by(self, name: str) -> tuple[str, ...]:
        """The planned components that wait for this one."""
        return tuple(c.name for c in self.components if name in c.needs)

    def because(self, name: str, conditions: Mapping[str, Any] | None = None) -> str:
        """Why a component is planned, in one sentence.

        Args:
            name: Of a planned component.
            conditions: The answers that its data asks for, by question.
        """
        reason = f"tier {self.tier.name} lists it"
        if conditions:
            said = (f"{question} is {value}" for question, value in conditions.items())
            reason += f" and {' and '.join(said)}"
        component = self.component(name)
        if component and component.places:
            reason += f", for clusters at {', '.join(component.places)}"
        if needed := self.needed_by(name):
            reason += f"; needed by {', '.join(needed)}"
        return reason

    @property
    def namespaces(self) -> dict[str, str]:
        """Namespaces that no team can have, and who has them."""
        own = {c.namespace: f"component {c.name}" for c in self.components if c.namespace}
        return {**own, **SYSTEM_NAMESPACES}
