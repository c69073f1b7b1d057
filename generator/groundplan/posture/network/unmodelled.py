"""What decides about connections and is not modelled, so that nobody can say what it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.posture.model import Change, Dimension, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.network.sides import Sides
    from groundplan.resources import Resource


def refused(sides: Sides) -> Iterator[Change]:
    """Find policies that the API server would not take, unless both sides have them alike."""
    old, new = sides.base.scene.refused, sides.head.scene.refused
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        same = before and after and before[0].body.get("spec") == after[0].body.get("spec")
        found = after or before
        if found and not same:
            side = "" if after else "BASE: "
            yield _change(f"{side}{found[2]}", found[0], found[1])


def opaque(sides: Sides) -> Iterator[Change]:
    """Find other kinds of policy that changed, or that labels which changed may count for."""
    old, new = sides.base.scene.opaque, sides.head.scene.opaque
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        found = after or before
        if found and (before is None or after is None or before[1] != after[1]):
            how = "is new" if before is None else "is gone" if after is None else "changed"
            yield _change(f"it {how}, and what it allows is not modelled", found[0])
    if new and old:
        yield from _labels(sides, ", ".join(sorted({str(found[0].id) for found in new.values()})))


def _labels(sides: Sides, names: str) -> Iterator[Change]:
    """Find what carries other labels than before, where such policies are."""
    base, head = sides.base.scene, sides.head.scene
    for key, workload in sorted(head.workloads.items()):
        before = base.workloads.get(key)
        if before is not None and before.alike != workload.alike:
            yield _change(
                f"its labels or ports changed, and {names} may count them", workload.resource
            )
    for name, namespace in sorted(head.namespaces.items()):
        if name in base.namespaces and base.labels(name) != head.labels(name):
            yield _change(f"its labels changed, and {names} may count them", namespace)


def touching(sides: Sides, namespace: str) -> tuple[str, ...]:
    """The objects of other kinds that may decide about the pods of a namespace as well."""
    everything = {**sides.base.scene.opaque, **sides.head.scene.opaque}
    near = (r for r, _ in everything.values() if r.id.namespace in {"", namespace})
    return tuple(sorted(str(resource.id) for resource in near))


def _change(atom: str, resource: Resource, pointer: str = "") -> Change:
    return Change(
        dimension=Dimension.NETWORK,
        verdict=Verdict.INCOMPARABLE,
        atom=atom,
        subject=resource.id,
        origin=resource.origin,
        pointer=pointer,
        detail="",
    )
