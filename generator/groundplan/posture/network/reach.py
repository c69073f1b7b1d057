"""Which workloads of the repository a gain lets connect that could not before.

A connection needs both ends: the sender's policies let it out, and the receiver's let it in. So of
what one end gained, that counts which the other end allows.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from groundplan.posture.network.boxes import NAME
from groundplan.posture.network.policies import EGRESS, INGRESS
from groundplan.posture.selectors import selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundplan.posture.network.boxes import Box
    from groundplan.posture.network.exposure import Exposures
    from groundplan.posture.network.gains import Gain
    from groundplan.posture.network.scene import Workload
    from groundplan.posture.network.sides import Sides

SHOWN = 3
"""How many connections are named as examples."""


def examples(sides: Sides, gain: Gain) -> tuple[str, ...]:
    """Some of the connections between what is there now; empty when there is none.

    Args:
        sides: `head` is the side that has the gain.
        gain: What it allows that `base` does not.
    """
    found = (
        f"{other} to {own}" if gain.direction == INGRESS else f"{own} to {other}"
        for box in gain.pods
        for own, other in _pairs(sides.head, gain, box)
        if _is_new(sides.base, (own, other), gain.direction, box)
    )
    pairs = tuple(dict.fromkeys(islice(found, SHOWN)))
    return pairs or tuple(
        str(own) for own in islice(subjects(sides.head, gain.namespace, gain.outside), SHOWN)
    )


def subjects(exposures: Exposures, namespace: str, pieces: Iterable[Box]) -> Iterator[Workload]:
    """The workloads that some boxes are about."""
    for box in pieces:
        yield from exposures.scene.matching(namespace, box, "of")


def _pairs(exposures: Exposures, gain: Gain, box: Box) -> Iterator[tuple[Workload, Workload]]:
    """Walk the pairs that a box lets connect and the other end does too."""
    namespace, direction = gain.namespace, gain.direction
    own = set(exposures.scene.matching(namespace, box, "of"))
    opposite = EGRESS if direction == INGRESS else INGRESS
    for other in exposures.scene.pods if own else ():
        if not _in(exposures, other, box):
            continue
        theirs = set(exposures.scene.matching(other, box, "pod"))
        for term in exposures.of(other, opposite).terms if theirs else ():
            if term.external or not _in(exposures, namespace, term.box):
                continue
            others = theirs.intersection(exposures.scene.matching(other, term.box, "of"))
            for mine in exposures.scene.matching(namespace, term.box, "pod") if others else ():
                if mine in own:
                    yield from _joined(mine, others, box, term.box, direction)


def _is_new(before: Exposures, pair: tuple[Workload, Workload], direction: str, box: Box) -> bool:
    """Whether a pair could not connect before on these ports: a name may be the same number."""
    receiver = pair[0 if direction == INGRESS else 1]
    ports = box.ports.resolved(receiver.named)
    own, other = (before.scene.workloads.get(one.resource.id.key, one) for one in pair)
    receiver = own if direction == INGRESS else other
    for term in before.of(own.namespace, direction).terms:
        if (
            not term.external
            and selects(dict(term.box.part("of")), own.labels)
            and selects(dict(term.box.part("pod")), other.labels)
            and _in(before, other.namespace, term.box)
        ):
            ports -= term.box.ports.resolved(receiver.named)
    return bool(ports)


def _in(exposures: Exposures, namespace: str, box: Box) -> bool:
    """Whether a namespace is one that a box asks for."""
    wanted = dict(box.part("namespace"))
    return selects(wanted, exposures.labels(namespace) or {NAME: namespace})


def _joined(
    own: Workload, others: set[Workload], box: Box, their: Box, direction: str
) -> Iterator[tuple[Workload, Workload]]:
    """The pairs that have a port in common, as the receiver numbers it."""
    for other in sorted(others, key=str):
        named = (own if direction == INGRESS else other).named
        if box.ports.resolved(named) & their.ports.resolved(named):
            yield own, other
