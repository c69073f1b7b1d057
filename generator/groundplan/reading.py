"""The quick reader: manifests in the style that people and tools write, line by line.

It reads a subset of YAML in which every line says by itself what it is, and refuses the rest, so
that what it returns is what the exact reader (`composing`) would return. Scalars are resolved by
the same functions.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from groundplan.composing import compose
from groundplan.scalars import NoJsonFormError, key_text, resolve

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


_Line = tuple[int, int, str | None, Any]
"""Column, column of what follows the dash (0 without a dash), key, value."""


def read(text: str) -> Any:
    """Read one document, without its `---` line. An empty one is `None`.

    Raises:
        RefusedError: Only the exact reader can say what it is.
    """
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
        return _Reader(lines, ended=True).read()
    return _Reader(lines, ended=False).read()


class _Reader:
    __slots__ = ("_above", "_column", "_container", "_ended", "_lines", "_next", "_root")

    def __init__(self, lines: list[str], *, ended: bool) -> None:
        self._lines = lines
        self._ended = ended
        self._next = 0
        self._root: Any = None
        self._container: Any = None
        self._column = -1
        self._above: list[tuple[Any, int]] = []

    def read(self) -> Any:
        lines = self._lines
        pending: str | None = ""
        while self._next < len(lines):
            text = lines[self._next]
            self._next += 1
            line = _line(text) if len(text) < _LONG else _read_line(text)
            if line is None:
                continue
            start, item, key, value = line
            if pending is not None:
                self._begin(pending, start, item)
            if start != self._column or (self._container.__class__ is list) != (item > 0):
                self._return_to(start, item)
            if item and key is not None:
                self._enter({}, None, item)
            if value.__class__ is _Block:
                value = self._block(value)
            elif value.__class__ is _Flow:
                value = _copy(_flow(value.text))
            pending = self._put(key, value)
        return self._root

    def _begin(self, pending: str, start: int, item: int) -> None:
        """Open what a line without a value announced, if this line is in it."""
        compact = item > 0 and start == self._column and self._container.__class__ is dict
        if start > self._column or compact:
            self._enter([] if item else {}, pending, start)

    def _enter(self, child: Any, key: str | None, column: int) -> None:
        container = self._container
        if container is None:
            self._root = child
        else:
            self._above.append((container, self._column))
            if len(self._above) > _NESTING:
                raise RefusedError
            if key is None:
                container.append(child)
            else:
                container[key] = child
        self._container, self._column = child, column

    def _return_to(self, start: int, item: int) -> None:
        """Close what ended before this line."""
        above = self._above
        while above and (start < self._column or (start == self._column and not item)):
            if start == self._column and self._container.__class__ is dict:
                break
            self._container, self._column = above.pop()
        if start != self._column or (self._container.__class__ is list) != (item > 0):
            raise RefusedError

    def _put(self, key: str | None, value: Any) -> str | None:
        """Store a value; gives the key when what it holds is still to come."""
        container = self._container
        if key is None:
            container.append(value)
            return None
        if key in container:
            raise RefusedError
        if value is _Nothing:
            container[key] = None
            return key
        container[key] = value
        return None

    def _block(self, header: _Block) -> str:
        """Read the lines of a block scalar."""
        content = self._block_lines()
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
            return joined
        return joined + ("\n" * (1 + trailing) if header.chomping == "+" else "\n")

    def _block_lines(self) -> list[str]:
        lines = self._lines
        first = begin = self._next
        while first < len(lines) and not lines[first].strip(" "):
            first += 1
        if first == len(lines):
            raise RefusedError
        text = lines[first].lstrip(" ")
        indent = len(lines[first]) - len(text)
        too_long = any(len(blank) > indent for blank in lines[begin:first])
        if indent <= self._column or text[0] == "\t" or too_long:
            raise RefusedError
        content = [""] * (first - begin)
        prefix = " " * indent
        index = first
        for index in range(first, len(lines)):
            line = lines[index]
            if line.startswith(prefix):
                content.append(line[indent:])
            elif line.strip(" "):
                break
            else:
                content.append("")
        else:
            index += 1
            if not self._ended:
                raise RefusedError
        self._next = index
        return content


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
    return column, item, _key(key) if key else None, _Nothing if blank else _value(rest)


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
