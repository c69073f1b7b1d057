"""What workloads gained by other labels, other port numbers or the node's network.

No policy needs to change for that: a Deployment that takes the label `role: monitoring` may connect
to all that lets monitoring in, and one that loses the label that a policy selects it by is no
longer isolated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from groundplan.posture.network.addresses import EVERY
from groundplan.posture.network.boxes import ADDRESS, ALL, NAME, PORT, Box
from groundplan.posture.network.exposure import Exposure, Term
from groundplan.posture.network.gains import Gain, gains
from groundplan.posture.network.policies import DIRECTIONS, EGRESS, INGRESS
from groundplan.posture.network.ports import Ports
from groundplan.posture.selectors import Values, selects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.posture.network.boxes import Property, Set
    from groundplan.posture.network.exposure import Exposures
    from groundplan.posture.network.scene import Workload
    from groundplan.posture.network.sides import Sides


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Workloads that became something else to the policies, all in the same way."""

    workloads: tuple[Workload, ...]
    gain: Gain
    as_peer: bool
    """Whether they are the other end of what was gained, instead of what the policies are for."""

    @property
    def names(self) -> str:
        """The workloads, or how many of them there are."""
        shown = [str(one) for one in self.workloads[:3]]
        more = len(self.workloads) - len(shown)
        return " and ".join([*shown, f"{more} more"] if more else shown)

    @property
    def host(self) -> bool:
        """Whether they are in the node's network now."""
        return self.workloads[0].host

    @property
    def reason(self) -> str:
        """Why no policy isolates them."""
        if self.host:
            return "it uses the node's network, where no policy holds"
        return "no policy selects its labels"


def relabelled(sides: Sides) -> Iterator[Relabelled]:
    """Find what workloads gained that no change of a policy gives.

    Raises:
        TooComplexError: Nobody would look at so many pieces.
    """
    groups: dict[object, list[tuple[Workload, Workload]]] = {}
    for key, new in sides.head.scene.workloads.items():
        old = sides.base.scene.workloads.get(key)
        if old is not None and old.alike != new.alike:
            groups.setdefault((old.alike, new.alike), []).append((old, new))
    for pairs in groups.values():
        (old, new), workloads = pairs[0], tuple(pair[1] for pair in pairs)
        for direction in DIRECTIONS:
            for gain in _own(sides, old, new, direction):
                yield Relabelled(workloads, gain, as_peer=False)
        for gain in () if new.host else _others(sides, old, new):
            yield Relabelled(workloads, gain, as_peer=True)
    firsts = tuple(pairs[0] for pairs in groups.values())
    for old, new in firsts:
        for gain in () if new.host or old.host else _both(sides, old, new, firsts):
            yield Relabelled((new,), gain, as_peer=True)


def _exactly(role: str, workload: Workload) -> Mapping[Property, Set]:
    """The sides of a box for pods like those of a workload."""
    found: dict[Property, Set] = {
        (role, key): Values(frozenset({value}), others=False, absent=False)
        for key, value in sorted(workload.labels.items())
    }
    if role == "pod":
        found["namespace", NAME] = Values(frozenset({workload.namespace}), False, False)
    return found


def _own(sides: Sides, old: Workload, new: Workload, direction: str) -> Iterator[Gain]:
    """What the policies of its own namespace allow it now."""
    before = _at(sides.base, old, direction)
    already = _at(sides.base, new, direction)
    found = gains(new.namespace, direction, _at(sides.head, new, direction), before)
    yield from _unless(found, already, _exactly("of", new))


def _at(exposures: Exposures, workload: Workload, direction: str) -> Exposure:
    """What is allowed to one workload."""
    if workload.host:
        return Exposure((Term(ALL), Term(Box({ADDRESS: EVERY}))))
    found: list[Term] = []
    for term in exposures.of(workload.namespace, direction).own.selecting(workload.labels):
        box = term.box.without("of")
        found += _resolved(term, box, workload if direction == INGRESS else None)
    return Exposure(tuple(found))


def _others(sides: Sides, old: Workload, new: Workload) -> Iterator[Gain]:
    """What the policies of every namespace allow to whoever it is now."""
    for namespace, direction in _places(sides, old, new):
        now = _to(sides.head, new, namespace, direction)
        before = _to(sides.base, old, namespace, direction)
        already = _to(sides.base, new, namespace, direction)
        found = gains(namespace, direction, now, before)
        yield from _unless(found, already, _exactly("pod", new))


def _places(sides: Sides, old: Workload, new: Workload) -> list[tuple[str, str]]:
    """Namespaces and directions in which BASE has a rule for the workload as it is now only."""
    after = sides.base.letting_in(new.namespace, new.labels)
    before = {} if old.host else sides.base.letting_in(old.namespace, old.labels)
    found = {peer.place for peer in after if peer not in before}
    if old.named != new.named:
        found |= {peer.place for peer in after if peer.place[1] == EGRESS}
    return sorted(found)


def _to(exposures: Exposures, peer: Workload, namespace: str, direction: str) -> Exposure:
    """What the pods of a namespace are allowed with one workload as the other end."""
    labels = exposures.labels(peer.namespace)
    found: list[Term] = []
    for term in exposures.of(namespace, direction).terms:
        box = term.box
        if term.external or peer.host or not selects(dict(box.part("namespace")), labels):
            continue
        if selects(dict(box.part("pod")), peer.labels):
            box = box.without("namespace").without("pod")
            found += _resolved(term, box, peer if direction == EGRESS else None)
    return Exposure(tuple(found))


def _resolved(term: Term, box: Box, receiver: Workload | None) -> Iterator[Term]:
    """The term with the numbers that the receiver gives its ports; nothing when it has none."""
    if receiver is not None and PORT in box.sides:
        box = box.having(PORT, box.ports.resolved(receiver.named))
    if box.ports:
        yield Term(box, term.policy, term.pointer)


def _unless(
    found: tuple[Gain, ...], already: Exposure, exactly: Mapping[Property, Set]
) -> Iterator[Gain]:
    """Keep what another label explains: BASE allowed it to pods that look like this one does now.

    What it did not allow them is a policy's doing, and is reported there.
    """
    for gain in found:
        pods = _common(gain.pods, already.boxes[False], exactly)
        outside = _common(gain.outside, already.boxes[True], exactly)
        if pods or outside:
            yield replace(gain, pods=pods, outside=outside)


def _both(
    sides: Sides, old: Workload, new: Workload, ends: tuple[tuple[Workload, Workload], ...]
) -> Iterator[Gain]:
    """What two workloads gained that became something else together.

    Each alone gained nothing: BASE let either connect with the other as it is now, and HEAD only
    both.
    """
    for namespace, direction in _places(sides, old, new):
        now = _to(sides.head, new, namespace, direction)
        ways = [
            _to(exposures, peer, namespace, direction)
            for exposures, peer in ((sides.base, old), (sides.base, new))
        ]
        for before, after in ends:
            if after.namespace == namespace and not after.host and not before.host:
                yield from _between(before, after, now, ways, direction)


def _between(
    before: Workload, after: Workload, now: Exposure, ways: list[Exposure], direction: str
) -> Iterator[Gain]:
    """The ports that only the pair as it is now has."""
    at_old, at_new = ways
    single = _open(at_old, after, direction) & _open(at_new, before, direction)
    gained = (_open(now, after, direction) & single) - _open(at_old, before, direction)
    if gained:
        box = Box(_exactly("of", after))
        term = next(t for t in now.terms if selects(dict(t.box.part("of")), after.labels))
        yield Gain(after.namespace, direction, (term,), [box.having(PORT, gained)])


def _open(to: Exposure, own: Workload, direction: str) -> Ports:
    """The ports between a workload and the other end that an exposure is about."""
    found = Ports()
    for term in to.terms:
        if selects(dict(term.box.part("of")), own.labels):
            ports = term.box.ports
            found |= ports.resolved(own.named) if direction == INGRESS else ports
    return found


def _common(
    pieces: list[Box], known: Mapping[Box, None], exactly: Mapping[Property, Set]
) -> list[Box]:
    joint = dict.fromkeys(piece & one for piece in pieces for one in known)
    return [Box({**box.sides, **exactly}) for box in joint if box is not None]
