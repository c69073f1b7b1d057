"""Policies that allow more by themselves while nothing more is allowed: others make up for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.posture.network.boxes import subtract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.network.exposure import Exposure
    from groundplan.posture.network.policies import Policy
    from groundplan.posture.network.sides import Sides


@dataclass(frozen=True, slots=True)
class Compensated:
    """A loosened policy."""

    policy: Policy
    """As HEAD has it; as BASE had it when it is gone."""
    words: str
    by: tuple[Policy, ...]
    """The policies of HEAD that are for the same pods."""


def compensated(sides: Sides, namespace: str, direction: str) -> Iterator[Compensated]:
    """Find the policies that allow more by themselves. Asked when nothing more is allowed in sum.

    Only what changed in sum is looked at: the same rules in other policies are no loosening.
    """
    old, new = sides.base.of(namespace, direction), sides.head.of(namespace, direction)
    if all(old.boxes[side].keys() == new.boxes[side].keys() for side in (False, True)):
        return
    after = {p.resource.id.key: p for p in sides.head.scene.by_namespace.get(namespace, ())}
    for policy in sides.base.scene.by_namespace.get(namespace, ()):
        if direction not in policy.allowances:
            continue
        now = after.get(policy.resource.id.key)
        words = _loosened(policy, now, direction, old, new)
        if words:
            by = tuple(
                other
                for other in after.values()
                if other is not now and direction in other.allowances and other.pods & policy.pods
            )
            yield Compensated(now or policy, words, by)


def _loosened(
    before: Policy, now: Policy | None, direction: str, old: Exposure, new: Exposure
) -> str:
    """How a policy by itself became looser; empty when it did not."""
    kept = [now.pods] if now and direction in now.allowances else []
    if subtract([before.pods], kept):
        return f"isolates fewer pods ({direction.lower()})"
    for side in (False, True):
        mine, theirs = (
            [t.box for t in sum_.terms if t.policy is one and t.external is side]
            for sum_, one in ((new, now), (old, before))
        )
        if subtract(mine, theirs):
            return f"has a rule that allows more ({direction.lower()})"
    return ""
