"""The order of merged entries: whoever reordered decides; additions stay beside neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from groundplan.merge.model import Three


def merged(sides: Three[list[str]], kept: Container[str]) -> list[str]:
    """Put the kept names in order; yours counts unless only the template reordered."""
    base, yours, template = sides
    was = [name for name in base if name in yours and name in template]
    first, second = yours, template
    if _among(was, template) != was and _among(was, yours) == was:
        first, second = template, yours
    result = [name for name in first if name in kept]
    for index, name in enumerate(second):
        if name in kept and name not in result:
            result.insert(_behind(second[:index], result, second), name)
    return result


def _among(names: Sequence[str], order: Sequence[str]) -> list[str]:
    return [name for name in order if name in names]


def _behind(before: Sequence[str], result: Sequence[str], second: Container[str]) -> int:
    """Behind the nearest name that came before, and what the other side added there."""
    place = next((result.index(name) + 1 for name in reversed(before) if name in result), 0)
    while 0 < place < len(result) and result[place] not in second:
        place += 1
    return place
