"""CEL as far as two texts can be told to mean the same: spacing, comments, and what `&&` joins.

Whatever else differs is another expression. Nothing is evaluated here.
"""

from __future__ import annotations

import re
from functools import cache

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?:[rRbB]{0,2}(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"
        |'(?:\\.|[^\\'\n])*'|"(?:\\.|[^\\"\n])*"))
    |\w+|&&|\|\||[<>=!]=|.""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_BEFORE_OPTIONAL = frozenset(".[{,")
"""What stands before a `?` that asks for an optional field and not for a condition."""


def canonical(expression: str) -> str:
    """Write an expression in one way, without comments and with one space between tokens."""
    return " ".join(_tokens(expression))


@cache
def conjuncts(expression: str) -> frozenset[str]:
    """Split an expression at the `&&` of its top level.

    A list of validations is a conjunction: one that joins two is the same as the two by
    themselves, also where one of them cannot be evaluated.
    """
    tokens = _unwrapped(_tokens(expression))
    parts: list[list[str]] = [[]]
    depth = 0
    for index, word in enumerate(tokens):
        depth += (word in _OPEN) - (word in _CLOSE)
        before = tokens[index - 1] if index else ""
        conditional = word == "?" and before not in _BEFORE_OPTIONAL
        if depth == 0 and (word == "||" or conditional):
            return frozenset({" ".join(tokens)})
        if depth == 0 and word == "&&":
            parts.append([])
        else:
            parts[-1].append(word)
    if len(parts) == 1:
        return frozenset({" ".join(tokens)})
    return frozenset().union(*(conjuncts(" ".join(part)) for part in parts))


@cache
def _tokens(expression: str) -> tuple[str, ...]:
    found = _TOKEN.finditer(expression.strip())
    return tuple(match[0] for match in found if match["space"] is None)


def _unwrapped(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Take away parentheses around the whole."""
    while tokens[:1] == ("(",) and _end(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _end(tokens: tuple[str, ...]) -> int:
    """Where the bracket that opens first is closed."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token in _OPEN) - (token in _CLOSE)
        if depth == 0:
            return index
    return -1
