"""Which workloads of the repository a gain lets connect that could not before.

A connection needs both ends: the sender's policies let it out, and the receiver's let it in. So of
what one end gained, that counts which the other end allows.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from groundplan.posture.network.boxes import ALL, subtract
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
    if pairs:
        return pairs
    outside = (
        str(own)
        for box in gain.outside
        for own in sides.head.scene.matching(gain.namespace, box, "of")
        if _reaches_more(sides.base, own, gain.direction, box)
    )
    return tuple(dict.fromkeys(islice(outside, SHOWN)))


def _reaches_more(before: Exposures, own: Workload, direction: str, box: Box) -> bool:
    """Whether a workload could not connect with all of these addresses on these ports before."""
    was = before.scene.workloads.get(own.key, own)
    known = [
        term.box.without("of")
        for term in before.of(was.namespace, direction).own.selecting(was.labels)
        if term.external
    ]
    return bool(subtract([box.without("of")], known))


def subjects(exposures: Exposures, namespace: str, pieces: Iterable[Box]) -> Iterator[Workload]:
    """The workloads that some boxes are about."""
    for box in pieces:
        yield from exposures.scene.matching(namespace, box, "of")


def _pairs(exposures: Exposures, gain: Gain, box: Box) -> Iterator[tuple[Workload, Workload]]:
    """Walk the pairs that a box lets connect and the other end does too."""
    opposite = EGRESS if gain.direction == INGRESS else INGRESS
    for own in exposures.scene.matching(gain.namespace, box, "of"):
        for other, their in _willing(exposures, own, opposite):
            if _in(exposures, other, box):
                pods = set(exposures.scene.matching(other, box, "pod"))
                for one in exposures.scene.matching(other, their, "of") if pods else ():
                    receiver = own if gain.direction == INGRESS else one
                    common = box.ports.resolved(receiver.named)
                    if one in pods and common & their.ports.resolved(receiver.named):
                        yield own, one


def _willing(exposures: Exposures, workload: Workload, direction: str) -> Iterator[tuple[str, Box]]:
    """What policies of every namespace allow with a workload, and namespaces that have none."""
    for peer in exposures.letting_in(workload.namespace, workload.labels):
        if peer.place[1] == direction:
            yield from ((peer.place[0], term.box) for term in exposures.peers[peer])
    for namespace in exposures.scene.pods:
        if namespace not in exposures.scene.by_namespace:
            yield namespace, ALL


def _is_new(before: Exposures, pair: tuple[Workload, Workload], direction: str, box: Box) -> bool:
    """Whether a pair could not connect before on these ports: a name may be the same number."""
    receiver = pair[0 if direction == INGRESS else 1]
    ports = box.ports.resolved(receiver.named)
    own, other = (before.scene.workloads.get(one.key, one) for one in pair)
    receiver = own if direction == INGRESS else other
    for term in before.of(own.namespace, direction).own.selecting(own.labels):
        if (
            not term.external
            and selects(dict(term.box.part("pod")), other.labels)
            and _in(before, other.namespace, term.box)
        ):
            ports -= term.box.ports.resolved(receiver.named)
    return bool(ports)


def _in(exposures: Exposures, namespace: str, box: Box) -> bool:
    """Whether a namespace is one that a box asks for."""
    wanted = dict(box.part("namespace"))
    return selects(wanted, exposures.labels(namespace))
