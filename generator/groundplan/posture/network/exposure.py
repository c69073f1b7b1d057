"""What the policies of one namespace let through, as boxes: for pods that are there and that come.

Nothing is said of policies one by one: adding a policy to a pod that none isolates takes away, and
removing the last one gives everything. So the sum is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, cast

from groundplan.posture.network.addresses import EVERY
from groundplan.posture.network.boxes import (
    ADDRESS,
    ALL,
    NAME,
    Box,
    filled,
    subtract,
    within_both,
)
from groundplan.posture.network.index import Index
from groundplan.posture.network.policies import DIRECTIONS, INGRESS, Policy
from groundplan.posture.selectors import Values, selects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.posture.network.policies import Allowance
    from groundplan.posture.network.scene import Scene


@dataclass(frozen=True, slots=True)
class Term:
    """Some connections, and what allows them."""

    box: Box
    policy: Policy | None = None
    """None when no policy isolates the pods."""
    pointer: str = ""

    @property
    def external(self) -> bool:
        """Whether the other end is addresses."""
        return ADDRESS in self.box.sides


@dataclass(frozen=True)
class Peer:
    """The pods at the other end of some rules."""

    asked: frozenset[tuple[str, str, Values]]
    place: tuple[str, str]
    """Namespace and direction of the rules."""

    @classmethod
    def of(cls, box: Box, place: tuple[str, str]) -> Peer:
        """What a box asks of the other end."""
        roles = ("namespace", "pod")
        sides = ((*key, side) for key, side in box.sides.items() if key[0] in roles)
        return cls(frozenset(cast("Iterator[tuple[str, str, Values]]", sides)), place)

    @property
    def pods(self) -> Mapping[str, Values]:
        """What it asks of the pod's labels."""
        return {key: values for role, key, values in self.asked if role == "pod"}

    @property
    def namespaces(self) -> Mapping[str, Values]:
        """What it asks of the labels of the pod's namespace."""
        return {key: values for role, key, values in self.asked if role == "namespace"}


@dataclass(frozen=True)
class Exposure:
    """What is allowed to the pods of one namespace in one direction."""

    terms: tuple[Term, ...]

    @cached_property
    def boxes(self) -> Mapping[bool, Mapping[Box, None]]:
        """The boxes to pods (False) and to addresses (True), in order."""
        return {
            side: dict.fromkeys(term.box for term in self.terms if term.external is side)
            for side in (False, True)
        }

    @cached_property
    def own(self) -> Index[Term]:
        """The terms by the pods that they are for."""
        return Index((term.box.part("of"), term) for term in self.terms)

    def beyond(self, other: Exposure) -> Iterator[tuple[Term, list[Box]]]:
        """What is allowed here and not there, by the term that allows it.

        Raises:
            TooComplexError: Nobody would look at so many pieces.
        """
        for side, boxes in self.boxes.items():
            known = other.boxes[side]
            if boxes.keys() == known.keys():
                continue
            for term in self.terms:
                if term.external is side and term.box not in known:
                    pieces = subtract([term.box], known)
                    if pieces:
                        yield term, pieces


class Namespaces:
    """The namespaces of the repository, by which it can be said whom a selector is about."""

    def __init__(self, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Take the labels of every namespace that either side knows."""
        self.labels = labels
        self._apart: dict[Box, tuple[Box, ...]] = {}
        self._rest = Values(frozenset(labels), others=True, absent=False)

    def apart(self, box: Box) -> tuple[Box, ...]:
        """Say of which known namespaces a box speaks, whatever they are selected by.

        Namespaces of the repository become names, so that two ways to select the same ones are the
        same; only of others do labels count.
        """
        if box not in self._apart:
            self._apart[box] = tuple(self._by_name(box))
        return self._apart[box]

    def _by_name(self, box: Box) -> Iterator[Box]:
        wanted = box.part("namespace")
        if not set(wanted) - {NAME}:
            yield box
            return
        known = {name for name, has in self.labels.items() if selects(dict(wanted), has)}
        if known:
            side = Values(frozenset(known), others=False, absent=False)
            yield box.without("namespace").having(("namespace", NAME), side)
        if NAME not in wanted:
            yield box.having(("namespace", NAME), self._rest)
            return
        unknown = within_both(box.side(("namespace", NAME)), self._rest)
        if filled(unknown):
            yield box.having(("namespace", NAME), unknown)


class Exposures:
    """The exposures of a scene, each worked out when it is asked for."""

    def __init__(self, scene: Scene, namespaces: Namespaces) -> None:
        """Take what one side of a comparison has."""
        self.scene = scene
        self._namespaces = namespaces
        self._made: dict[tuple[str, str], Exposure] = {}
        self._facing: dict[str, Index[Peer]] = {}

    def of(self, namespace: str, direction: str) -> Exposure:
        """What the policies of a namespace allow in a direction."""
        key = namespace, direction
        if key not in self._made:
            policies = [
                policy
                for policy in self.scene.by_namespace.get(namespace, ())
                if direction in policy.allowances and all(map(filled, policy.pods.sides.values()))
            ]
            self._made[key] = Exposure(tuple(self._terms(policies, direction)))
        return self._made[key]

    def _terms(self, policies: list[Policy], direction: str) -> Iterator[Term]:
        isolated = dict.fromkeys(policy.pods for policy in policies)
        for rest in subtract([ALL], isolated):
            yield Term(rest)
            yield Term(rest.having(ADDRESS, EVERY))
        for policy in policies:
            for allowance in policy.allowances[direction]:
                yield from self._allowed(policy, allowance)

    def _allowed(self, policy: Policy, allowance: Allowance) -> Iterator[Term]:
        for box in self._namespaces.apart(allowance.box):
            whole = Box({**policy.pods.sides, **box.sides})
            yield Term(whole, policy, allowance.pointer)

    def labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace: its name, when the repository does not have it."""
        return self._namespaces.labels.get(namespace) or {NAME: namespace}

    def letting_in(self, namespace: str, pod: Mapping[str, str]) -> Mapping[Peer, None]:
        """The other ends of rules that a pod is one of, whatever the rules are for.

        Args:
            namespace: The pod's namespace.
            pod: Its labels.
        """
        if namespace not in self._facing:
            self._facing[namespace] = Index[Peer](
                (peer.pods, peer)
                for peer in self.peers
                if selects(dict(peer.namespaces), self.labels(namespace))
            )
        return dict.fromkeys(self._facing[namespace].selecting(pod))

    @cached_property
    def peers(self) -> Mapping[Peer, tuple[Term, ...]]:
        """What is allowed with each other end, in every namespace that has policies."""
        found: dict[Peer, list[Term]] = {}
        for place in product(self.scene.by_namespace, DIRECTIONS):
            for term in self.of(*place).terms:
                if not term.external:
                    found.setdefault(Peer.of(term.box, place), []).append(term)
        return {peer: tuple(terms) for peer, terms in found.items()}

    def isolates(self, namespace: str) -> bool:
        """Whether nobody may connect to a pod of the namespace that no policy lets in."""
        return all(term.policy for term in self.of(namespace, INGRESS).terms)
