"""What the pods of a namespace may do on one side only, gathered by the rule that allows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from groundplan.posture.network import addresses, reach, words
from groundplan.posture.network.boxes import ADDRESS, PORT, subtract
from groundplan.posture.network.policies import INGRESS
from groundplan.posture.network.ports import Ports
from groundplan.posture.network.spans import NONE

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
    terms: tuple[Term, ...]
    """What of the rule gives more than before; one at least."""
    pods: list[Box] = field(default_factory=list)
    outside: list[Box] = field(default_factory=list)

    @property
    def term(self) -> Term:
        """The first of them."""
        return self.terms[0]

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
        same = all(term.box.part("of") == self.term.box.part("of") for term in self.terms)
        whole = self.term.box if same else None
        own = own or words.subject(self.pieces, whole, self.namespace)
        if not other:
            other = words.others(self.pods, self.outside, [term.box for term in self.terms])
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
    found: dict[object, list[tuple[Term, list[Box]]]] = {}
    for term, pieces in new.beyond(old):
        whole = _whole(term, pieces)
        policy = term.policy.resource.id.key if term.policy else None
        rule = "/".join(term.pointer.split("/")[:4])
        said = {(words.subject([box], term.box, namespace), box.ports) for box in whole}
        key = policy, rule, frozenset(said) if policy else None
        found.setdefault(key, []).append((term, whole))
    return tuple(_joined(namespace, direction, parts) for parts in found.values())


def _joined(namespace: str, direction: str, parts: list[tuple[Term, list[Box]]]) -> Gain:
    """What the peers of one rule give to the same pods on the same ports."""
    pods = [box for term, pieces in parts if not term.external for box in pieces]
    outside = [box for term, pieces in parts if term.external for box in pieces]
    return Gain(namespace, direction, tuple(term for term, _ in parts), pods, outside)


def _whole(term: Term, pieces: list[Box]) -> list[Box]:
    """Join the pieces again when they are all that a term says of some ports or addresses."""
    ports, places = Ports(), NONE
    for box in pieces:
        ports |= box.ports
        places |= box.addresses
    joined = term.box.having(PORT, ports)
    joined = joined.having(ADDRESS, places) if term.external else joined
    return pieces if subtract([joined], pieces) else [joined]
