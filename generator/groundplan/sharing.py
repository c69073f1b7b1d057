"""What clusters share is worked out once, and not again for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundplan.resources import Resource

Result = TypeVar("Result")


def once(work: Callable[[Sequence[Resource]], Result]) -> Callable[[Sequence[Resource]], Result]:
    """Let work be done once for the objects of a unit, on however many clusters they are.

    Objects are known by their identity: loaders build what clusters share once, and comparing
    contents would take longer than it saves.
    """
    known: dict[tuple[int, ...], tuple[Sequence[Resource], Result]] = {}

    def again(resources: Sequence[Resource]) -> Result:
        key = tuple(map(id, resources))
        if key not in known:
            # The objects are held, so that no other gets the identity of one.
            known[key] = (resources, work(resources))
        return known[key][1]

    return again
