"""The quick reader: manifests in the style that people and tools write, line by line.

It reads a subset of YAML in which every line says by itself what it is, and refuses the rest, so
that what it returns is what the exact reader (`composing`) would return. Scalars are resolved by
the same functions.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from groundplan.documents.composing import compose
from groundplan.documents.scalars import NoJsonFormError, key_text, resolve

_LINE = re.compile(
    r"""
    (\ *)                                   # indentation
    (-\ +)?                                 # an item of a list
    (?:([\w./$][\w./$-]*|"[^"\\]*"|'[^']*') # a key
       :(?:\ +|$))?
    (.*)                                    # a value, a comment or nothing
    """,
    re.VERBOSE,
)
_BLOCK = re.compile(r"([|>])([-+]?)(?: +#.*)?")
_QUOTED = re.compile(r"""("[^"\\]*"|'[^']*')(?: +#.*)?""")
_FLOW_ITEM = re.compile(r"""[\w./$][\w./$-]*|"[^"\\]*"|'[^']*'""")
_FLOW_LIST = re.compile(rf"\[ *(?:{_FLOW_ITEM.pattern})(?: *, *(?:{_FLOW_ITEM.pattern}))* *\]")
_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_NESTING = 100
"""Deeper documents are left to the exact reader, which bounds them."""
_LONG = 400
"""Characters; longer lines are rarely seen twice and would fill the cache."""
_LONGEST_KEY = 1000
"""Characters; libyaml takes no more than 1024."""


class RefusedError(Exception):
    """The text is outside the subset. It may still be right."""


class _Nothing:
    """No value on this line: it follows below, or it is null."""


class _Block(NamedTuple):
    """A block scalar begins on this line."""

    style: str
    chomping: str


class _Flow(NamedTuple):
    """A collection in flow style, made anew for each document that has it."""

    text: str


_Line = tuple[int, int, str | None, Any, bool]
"""Column, column of what follows the dash (0 without a dash), key, value, and whether the value
is one of the three above."""
_Above = list[tuple[Any, int]]
"""The collections around the current one, each with its column."""


def read(text: str) -> Any:  # noqa: C901, PLR0912 - one pass over every line of a repository
    """Read one document, without its `---` line. An empty one is `None`.

    Raises:
        RefusedError: Only the exact reader can say what it is.
    """
    lines = text.split("\n")
    root: Any = None
    container: Any = None
    column = -1
    above: _Above = []
    pending: str | None = ""
    done = 0
    for index, written in enumerate(lines):
        if index < done:
            continue
        line = _line(written) if len(written) < _LONG else _read_line(written)
        if line is None:
            continue
        start, item, key, value, special = line
        if pending is not None and (
            start > column or (start == column and item and container.__class__ is dict)
        ):
            child: Any = [] if item else {}
            if container is None:
                root = child
            else:
                container[pending] = child
                above.append((container, column))
            container, column = child, start
        elif start != column or (container.__class__ is list) != (item > 0):
            container, column = _return_to(start, item, column, above)
        if item and key is not None:
            above.append((container, column))
            child = {}
            container.append(child)
            container, column = child, item
        pending = None
        if special:
            if value is _Nothing:
                pending, value = key, None
            elif value.__class__ is _Flow:
                value = _copy(_flow(value.text))
            else:
                value, done = _block(value, lines, index + 1, column)
        if key is None:
            container.append(value)
        elif key in container:
            raise RefusedError
        else:
            container[key] = value
    if len(above) > _NESTING:
        raise RefusedError
    return root


def _return_to(start: int, item: int, column: int, above: _Above) -> tuple[Any, int]:
    """Close what ended before this line."""
    if len(above) > _NESTING:
        raise RefusedError
    while above:
        container, column = above.pop()
        is_list = container.__class__ is list
        if column < start:
            break
        if column == start and is_list == (item > 0):
            return container, column
    raise RefusedError


def _block(header: _Block, lines: list[str], begin: int, column: int) -> tuple[str, int]:
    """Read the lines of a block scalar; gives it and the index of the line after it."""
    content, done = _block_lines(lines, begin, column)
    trailing = 0
    while not content[-1]:
        content.pop()
        trailing += 1
    joined = "\n".join(content)
    if not joined.replace("\n", "").replace("\t", "").isprintable():
        raise RefusedError
    if header.style == ">":
        joined = _folded(content)
    if header.chomping == "-":
        return joined, done
    return joined + ("\n" * (1 + trailing) if header.chomping == "+" else "\n"), done


def _block_lines(lines: list[str], begin: int, column: int) -> tuple[list[str], int]:
    first = begin
    while first < len(lines) and not lines[first].strip(" "):
        first += 1
    if first == len(lines):
        raise RefusedError
    text = lines[first].lstrip(" ")
    indent = len(lines[first]) - len(text)
    too_long = any(len(blank) > indent for blank in lines[begin:first])
    if indent <= column or text[0] == "\t" or too_long:
        raise RefusedError
    content = [""] * (first - begin)
    prefix = " " * indent
    for index in range(first, len(lines)):
        line = lines[index]
        if line.startswith(prefix):
            content.append(line[indent:])
        elif line.strip(" "):
            return content, index
        else:
            content.append("")
    if lines[-1]:
        # Without a line break at the end of the file the scalar ends without one too.
        raise RefusedError
    content.pop()
    return content, len(lines)


def _folded(content: list[str]) -> str:
    """Join the lines of a folded scalar; one in which not all lines begin alike is refused."""
    if not content[0] or any(line[:1] in (" ", "\t") or line[-1:] == " " for line in content):
        raise RefusedError
    parts: list[str] = []
    blank = 0
    for line in content:
        if not line:
            blank += 1
            continue
        if parts:
            parts.append("\n" * blank if blank else " ")
        parts.append(line)
        blank = 0
    return "".join(parts)


def _read_line(text: str) -> _Line | None:
    """Say what a line is; blank lines and comments are nothing."""
    if not text.isprintable():
        raise RefusedError
    match = _LINE.match(text)
    if match is None:
        raise RefusedError
    indent, dash, key, rest = match.groups()
    rest = rest.rstrip(" ")
    blank = not rest or rest[0] == "#"
    if key is None and (blank or not dash):
        if blank and not dash:
            return None
        raise RefusedError
    column = len(indent)
    item = column + len(dash) if dash else 0
    value = _Nothing if blank else _value(rest)
    special = value is _Nothing or value.__class__ in (_Block, _Flow)
    return column, item, _key(key) if key else None, value, special


_line = lru_cache(maxsize=1 << 14)(_read_line)


def _key(text: str) -> str:
    if len(text) > _LONGEST_KEY:
        raise RefusedError
    if text[0] in "\"'":
        return text[1:-1]
    try:
        return key_text(text, None)
    except NoJsonFormError:
        raise RefusedError from None


def _value(text: str) -> Any:
    """Read what stands on a line after a key or a dash."""
    if text[0] in "\"'":
        quoted = _QUOTED.fullmatch(text)
        return quoted[1][1:-1] if quoted else _exact(text, str)
    if text[0] in "[{":
        return _Flow(text)
    if text[0] in "|>":
        block = _BLOCK.fullmatch(text)
        if block is None:
            raise RefusedError
        return _Block(block[1], block[2])
    plain = text.partition(" #")[0].rstrip(" ") if " #" in text else text
    if text[0] in _INDICATORS and (text[0] != "-" or plain[1:2] in ("", " ")):
        raise RefusedError
    if ": " in plain or plain[-1] == ":":
        raise RefusedError
    try:
        return resolve(plain)
    except NoJsonFormError:
        raise RefusedError from None


@lru_cache(maxsize=1 << 10)
def _flow(text: str) -> Any:
    """Read a collection in flow style that is whole on its line."""
    if _FLOW_LIST.fullmatch(text):
        return [_value(item) for item in _FLOW_ITEM.findall(text)]
    if "&" in text or len(text) > 10 * _LONG:
        raise RefusedError
    return _exact(text, list if text[0] == "[" else dict)


def _exact(text: str, expected: type) -> Any:
    """Read one line with the exact reader."""
    values = list(compose(text.encode()))
    if len(values) != 1 or values[0].__class__ is not expected:
        raise RefusedError
    return values[0]


def _copy(value: Any) -> Any:
    """Copy containers, so that no two documents share one."""
    if value.__class__ is list:
        return [_copy(item) for item in value]
    if value.__class__ is dict:
        return {key: _copy(item) for key, item in value.items()}
    return value
