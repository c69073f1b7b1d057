"""Which object makes a gain: a rule, a policy that is gone, or a label of a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.network.boxes import NAME

if TYPE_CHECKING:
    from groundplan.posture.network.gains import Gain
    from groundplan.posture.network.sides import Sides
    from groundplan.resources import Resource


class Cause(NamedTuple):
    """An object, and the place inside it."""

    resource: Resource | None
    pointer: str


def cause(sides: Sides, gain: Gain) -> Cause:
    """The object that makes a gain.

    Args:
        sides: `head` is the side that has the gain.
        gain: What it allows that `base` does not.
    """
    if gain.policy is None:
        return _isolation(sides, gain)
    key = gain.policy.resource.id.key
    known = sides.base.scene.policies.get(key)
    if known and known.resource.body.get("spec") == gain.policy.resource.body.get("spec"):
        labelled = _labelled(sides, gain)
        if labelled is not None:
            return Cause(labelled, "/metadata/labels")
    return Cause(gain.policy.resource, gain.term.pointer)


def _labelled(sides: Sides, gain: Gain) -> Resource | None:
    """The namespace whose labels changed, so that an old rule now speaks of it."""
    for box in gain.pods:
        named = box.part("namespace").get(NAME)
        for name in sorted(named.named) if named and not named.others else ():
            if sides.base.labels(name) != sides.head.labels(name):
                return sides.head.scene.namespaces.get(name)
    return None


def _isolation(sides: Sides, gain: Gain) -> Cause:
    """The policy that isolated the pods and does not any more."""
    for policy in sides.base.scene.by_namespace.get(gain.namespace, ()):
        if gain.direction in policy.allowances and any(policy.pods & b for b in gain.pieces):
            now = sides.head.scene.policies.get(policy.resource.id.key)
            return Cause(now.resource, "/spec") if now else Cause(policy.resource, "")
    return Cause(None, "")
