"""What the pods of a namespace may do on one side only, gathered by the rule that allows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from groundplan.posture.network import addresses, reach, words
from groundplan.posture.network.policies import INGRESS

if TYPE_CHECKING:
    from groundplan.posture.network.boxes import Box
    from groundplan.posture.network.exposure import Exposure, Exposures, Term
    from groundplan.posture.network.policies import Policy
    from groundplan.posture.network.scene import Workload


@dataclass(frozen=True, slots=True)
class Gain:
    """What one rule allows, or the lack of any."""

    namespace: str
    direction: str
    term: Term
    """The first of those that it stands for."""
    pods: list[Box] = field(default_factory=list)
    outside: list[Box] = field(default_factory=list)

    @property
    def policy(self) -> Policy | None:
        """The policy whose rule it is; None when none isolates the pods."""
        return self.term.policy

    @property
    def pieces(self) -> list[Box]:
        """All that was gained."""
        return [*self.pods, *self.outside]

    def sentence(self, verb: str = "may", own: str = "", other: str = "") -> str:
        """Who may connect to whom, on which ports.

        Args:
            verb: `may`, or its contrary.
            own: Who the policies are for, when it is known better than by labels.
            other: The other end, in the same case.
        """
        own = own or words.subject(self.pieces, self.term.box, self.namespace)
        if not other:
            other = words.others(self.pods, self.outside, self.term.box)
            other = other if self.policy else "anything"
        pair = (other, own) if self.direction == INGRESS else (own, other)
        return f"{pair[0]} {verb} connect to {pair[1]} on {words.ports(self.pieces)}"

    def workloads(self, exposures: Exposures) -> list[Workload]:
        """The workloads that the policies are for."""
        return list(dict.fromkeys(reach.subjects(exposures, self.namespace, self.pieces)))

    @property
    def may_be_pods(self) -> bool:
        """Whether addresses were gained that pods may have, and a network may judge pods by."""
        return not self.pods and any(box.addresses & addresses.PRIVATE for box in self.outside)


def gains(namespace: str, direction: str, new: Exposure, old: Exposure) -> tuple[Gain, ...]:
    """What `new` allows and `old` does not.

    Raises:
        TooComplexError: Nobody would look at so many pieces.
    """
    found: dict[tuple[object, str], Gain] = {}
    for term, pieces in new.beyond(old):
        key = term.policy.resource.id.key if term.policy else None, term.pointer
        gain = found.setdefault(key, Gain(namespace, direction, term))
        (gain.outside if term.external else gain.pods).extend(pieces)
    return tuple(found.values())
