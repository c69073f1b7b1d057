"""What the policies of one namespace let through, as boxes: for pods that are there and that come.

Nothing is said of policies one by one: adding a policy to a pod that none isolates takes away, and
removing the last one gives everything. So the sum is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

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
from groundplan.posture.network.policies import INGRESS, Policy
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


class Exposures:
    """The exposures of a scene, each worked out when it is asked for."""

    def __init__(self, scene: Scene, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Take what a scene has.

        Args:
            scene: One side of a comparison.
            labels: The labels of every namespace that either side knows.
        """
        self.scene = scene
        self._labels = labels
        self._split: dict[Box, tuple[Box, ...]] = {}
        self._made: dict[tuple[str, str], Exposure] = {}

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
        for box in self._apart(allowance.box):
            whole = Box({**policy.pods.sides, **box.sides})
            yield Term(whole, policy, allowance.pointer)

    def _apart(self, box: Box) -> tuple[Box, ...]:
        """Say of which known namespaces a box speaks, whatever they are selected by.

        Namespaces of the repository become names, so that two ways to select the same ones are the
        same; only of others do labels count.
        """
        if box not in self._split:
            self._split[box] = tuple(self._by_name(box))
        return self._split[box]

    def _by_name(self, box: Box) -> Iterator[Box]:
        wanted = box.part("namespace")
        if not set(wanted) - {NAME}:
            yield box
            return
        known = {name for name, has in self._labels.items() if selects(dict(wanted), has)}
        if known:
            side = Values(frozenset(known), others=False, absent=False)
            yield box.without("namespace").having(("namespace", NAME), side)
        rest = Values(frozenset(self._labels), others=True, absent=False)
        unknown = within_both(box.side(("namespace", NAME)), rest)
        if filled(unknown):
            yield box.having(("namespace", NAME), unknown)

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace, if either side knows it."""
        return self._labels.get(namespace)

    def isolates(self, namespace: str) -> bool:
        """Whether nobody may connect to a pod of the namespace that no policy lets in."""
        return all(term.policy for term in self.of(namespace, INGRESS).terms)
