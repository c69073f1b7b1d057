"""Results that are worked out once: templates ask for the same YAML again and again."""

from __future__ import annotations

import marshal
from contextlib import suppress
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_REFERENCES = 2
"""The version of marshal's format in which equal values are equal bytes."""


@cache
def remembered(work: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function the memory of its results, one for all; each caller gets its own copy.

    What is no plain data, such as a date or a value that is not there, is worked out each time.
    """
    known: dict[bytes, bytes] = {}

    @wraps(work)
    def once(*given: Any, **options: Any) -> Any:
        try:
            asked = marshal.dumps((given, options), _NO_REFERENCES)
        except ValueError:
            return work(*given, **options)
        if asked in known:
            return marshal.loads(known[asked])  # noqa: S302 - written below
        found = work(*given, **options)
        with suppress(ValueError):
            known[asked] = marshal.dumps(found, _NO_REFERENCES)
        return found

    return once
