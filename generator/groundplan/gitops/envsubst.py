"""Shell-like variables in text, as Flux replaces them after a build."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DEFAULTS = frozenset({":-", ":=", ":?", ":+", "="})
_OPERATOR = re.compile(r":[-=?+]|=|,,?|\^\^?|//|/[#%]?|##?|%%?|:")
_NAME = re.compile(r"\w+")
_INTEGER = re.compile(r"[-+]?[0-9]+")


class SubstitutionError(ValueError):
    """Text that Flux refuses to substitute."""


@dataclass(frozen=True, slots=True)
class Substituted:
    """Text with its variables replaced."""

    text: str
    missing: frozenset[str]
    """Variables without a value, where no default stands in."""


def substitute(text: str, variables: Mapping[str, str]) -> Substituted:
    """Replace `${NAME}` and its forms with defaults, cases, parts and replacements.

    A variable without a value is empty, as Flux has it unless it is told to be strict.

    Raises:
        SubstitutionError: when an expression is not valid.
    """
    parser = _Parser(text, variables)
    return Substituted(parser.run(), frozenset(parser.missing))


class _Parser:
    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._at = 0
        self._variables = variables
        self.missing: set[str] = set()

    def run(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            dollar = self._text.find("$", self._at)
            if dollar < 0:
                break
            parts.append(self._text[self._at : dollar])
            follows = self._text[dollar + 1 : dollar + 2]
            self._at = dollar + 1
            if follows == "{":
                self._at += 1
                parts.append(self._expression())
            else:
                self._at += follows == "$"
                parts.append("$")
        return "".join((*parts, self._text[self._at :]))

    def _expression(self) -> str:
        if self._text.startswith("#", self._at):
            self._at += 1
            name = self._name()
            self._close()
            return str(len(self._value(name).encode()))
        name = self._name()
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            self._close()
            return self._value(name)
        operator = match.group()
        self._at = match.end()
        if operator in _DEFAULTS:
            default = self._parameter("}")
            self._close()
            return self._variables.get(name) or default
        return self._changed(operator, self._value(name))

    def _changed(self, operator: str, value: str) -> str:
        if operator in _CASES:
            self._close()
            return _CASES[operator](value)
        if operator == ":":
            start = self._parameter(":}")
            length = self._optional(":")
            return _part(value, start, length)
        if operator[0] == "/":
            pattern = self._parameter("/", escapes=True)
            if not self._text.startswith("/", self._at):
                raise SubstitutionError("bad substitution")
            self._at += 1
            replacement = self._parameter("}", escapes=True)
            self._close()
            return _replaced(operator, value, pattern, replacement)
        pattern = self._parameter("}")
        self._close()
        return _trimmed(operator, value, pattern)

    def _optional(self, delimiter: str) -> str | None:
        found = None
        if self._text.startswith(delimiter, self._at):
            self._at += 1
            found = self._parameter("}")
        self._close()
        return found

    def _parameter(self, ends: str, *, escapes: bool = False) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if self._text.startswith("${", self._at):
                self._at += 2
                parts.append(self._expression())
                continue
            if character in ends:
                return "".join(parts)
            escaped = escapes and self._text[self._at : self._at + 2] in ("\\/", "\\\\", "$$")
            self._at += 1 + escaped
            parts.append(self._text[self._at - 1] if escaped else character)
        raise SubstitutionError("missing closing brace")

    def _name(self) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise SubstitutionError("unable to parse variable name")
        self._at = match.end()
        return match.group()

    def _close(self) -> None:
        if not self._text.startswith("}", self._at):
            raise SubstitutionError("missing closing brace")
        self._at += 1

    def _value(self, name: str) -> str:
        if name not in self._variables:
            self.missing.add(name)
        return self._variables.get(name, "")


_CASES: dict[str, Callable[[str], str]] = {
    ",": lambda s: s[:1].lower() + s[1:],
    ",,": str.lower,
    "^": lambda s: s[:1].upper() + s[1:],
    "^^": str.upper,
}


def _part(value: str, start: str, length: str | None) -> str:
    if not _INTEGER.fullmatch(start) or (length is not None and not _INTEGER.fullmatch(length)):
        return value
    position = int(start)
    if position < 0:
        position = max(len(value) + position, 0)
    if length is None:
        return value[position:]
    count = int(length)
    end = position + count if count >= 0 else max(len(value) + count, position)
    return value[position:end]


def _replaced(operator: str, value: str, pattern: str, replacement: str) -> str:
    if operator == "//":
        return value.replace(pattern, replacement)
    if operator == "/":
        return value.replace(pattern, replacement, 1)
    if operator == "/#":
        return replacement + value[len(pattern) :] if value.startswith(pattern) else value
    return value.removesuffix(pattern) + replacement if value.endswith(pattern) else value


def _trimmed(operator: str, value: str, pattern: str) -> str:
    from_start = operator[0] == "#"
    matches = re.compile(fnmatch.translate(pattern))
    lengths: Iterable[int] = range(1, len(value) + 1)
    if len(operator) == 2:
        lengths = reversed(range(1, len(value) + 1))
    for length in lengths:
        piece = value[:length] if from_start else value[len(value) - length :]
        if matches.match(piece):
            return value[length:] if from_start else value[: len(value) - length]
    return value
