"""The syntax of Go templates, as far as ApplicationSets use it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any


class TemplateError(ValueError):
    """A template that Go would refuse, or fail to execute."""


class UnknownError(TemplateError):
    """Something that Go or Argo CD may know but this package does not."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, or `$` for the data; and `.`, whose name is a dot."""

    name: str


@dataclass(frozen=True, slots=True)
class Access:
    """Fields of a value."""

    of: Any
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; a single value when it is no function."""

    function: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands whose results go into the next; perhaps stored in variables."""

    commands: tuple[Any, ...]
    names: tuple[str, ...] = ()
    declares: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """What stands between actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """`if`, `with` or `range`."""

    keyword: str
    pipeline: Pipeline
    body: tuple[Any, ...]
    otherwise: tuple[Any, ...]


_STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|`[^`]*`")
_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"(?:\\.|[^\"\\\n])*\"|`[^`]*`)"
    r"|(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?))(?![\w.])"
    r"|(?P<variable>\$\w*)|(?P<field>\.\w+)|(?P<dot>\.)(?!\w)"
    r"|(?P<word>\w+)|(?P<mark>:=|=|\||\(|\)|,))"
)


def parse(template: str) -> tuple[Any, ...]:
    """Read a template.

    Raises:
        TemplateError: when it is not one.
    """
    parser = _Blocks(_split(template))
    nodes, closing = parser.body()
    if closing:
        raise TemplateError(f"unexpected {{{{{closing}}}}}")
    return nodes


def _split(template: str) -> list[tuple[bool, str]]:
    """Text and actions in turn, with the white space that dashes remove removed."""
    pieces: list[tuple[bool, str]] = []
    position, trim = 0, False
    while True:
        start = template.find("{{", position)
        if start < 0:
            break
        end = _end_of_action(template, start)
        inner = template[start + 2 : end]
        text = template[position:start]
        text = text.lstrip() if trim else text
        if inner.startswith("-") and inner[1:2].isspace():
            text, inner = text.rstrip(), inner[1:]
        trim = inner.endswith("-") and inner[-2:-1].isspace()
        pieces += [(False, text), (True, inner.removesuffix("-") if trim else inner)]
        position = end + 2
    rest = template[position:]
    pieces.append((False, rest.lstrip() if trim else rest))
    return pieces


def _end_of_action(template: str, start: int) -> int:
    position = start + 2
    while True:
        end = template.find("}}", position)
        if end < 0:
            raise TemplateError("unclosed action")
        string = _STRINGS.search(template, position)
        if string is None or string.start() > end:
            return end
        position = string.end()


class _Blocks:
    """Nests actions."""

    def __init__(self, pieces: list[tuple[bool, str]]) -> None:
        self._pieces = pieces
        self._at = 0

    def body(self) -> tuple[tuple[Any, ...], str]:
        """Nodes up to the action that closes them, which is `end` or begins with `else`."""
        nodes: list[Any] = []
        while self._at < len(self._pieces):
            is_action, content = self._pieces[self._at]
            self._at += 1
            if not is_action:
                if content:
                    nodes.append(Text(content))
                continue
            action = content.strip()
            if action.startswith("/*"):
                continue
            keyword = action.split(None, 1)[0] if action else ""
            if keyword in ("end", "else"):
                return tuple(nodes), action
            if keyword in ("if", "with", "range"):
                nodes.append(self._block(keyword, action[len(keyword) :]))
            elif keyword in ("define", "template", "block", "break", "continue"):
                raise UnknownError(f"{{{{{keyword}}}}} is not evaluated")
            else:
                nodes.append(_Commands(action).pipeline())
        return tuple(nodes), ""

    def _block(self, keyword: str, condition: str) -> Block:
        pipeline = _Commands(condition).pipeline()
        body, closing = self.body()
        otherwise: tuple[Any, ...] = ()
        if closing == "else":
            otherwise, closing = self.body()
        elif closing.startswith("else"):
            nested = closing.removeprefix("else").strip()
            inner = nested.split(None, 1)[0]
            if inner not in ("if", "with"):
                raise TemplateError(f"unexpected {{{{{closing}}}}}")
            return Block(keyword, pipeline, body, (self._block(inner, nested[len(inner) :]),))
        if closing != "end":
            raise TemplateError(f"{keyword} has no end")
        return Block(keyword, pipeline, body, otherwise)


class _Commands:
    """Reads what stands inside one action."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def pipeline(self) -> Pipeline:
        names, declares = self._assignment()
        found = Pipeline(self._piped(), names, declares)
        if self._at < len(self._tokens):
            raise TemplateError(f"unexpected {self._tokens[self._at][1]}")
        return found

    def _assignment(self) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        position = self._at
        while position < len(self._tokens) and self._tokens[position][0] == "variable":
            names.append(self._tokens[position][1])
            position += 1
            mark = self._tokens[position][1] if position < len(self._tokens) else ""
            if mark in (":=", "="):
                self._at = position + 1
                return tuple(names), mark == ":="
            if mark != ",":
                break
            position += 1
        return (), False

    def _piped(self) -> tuple[Any, ...]:
        commands = [self._command()]
        while self._peek() == "|":
            self._at += 1
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Any:
        operands: list[Any] = []
        while self._at < len(self._tokens) and self._peek() not in ("|", ")"):
            operands.append(self._operand())
        if not operands:
            raise TemplateError("missing value for command")
        first = operands[0]
        if isinstance(first, Call) and not first.arguments and first.function:
            return Call(first.function, tuple(operands[1:]))
        if len(operands) > 1:
            raise TemplateError("can't give argument to non-function")
        return first

    def _operand(self) -> Any:
        kind, text, _ = self._tokens[self._at]
        self._at += 1
        value: Any
        if kind == "string":
            value = Literal(text[1:-1] if text[0] == "`" else ast.literal_eval(text))
        elif kind == "number":
            value = Literal(float(text) if re.search(r"[.eE]", text) else int(text, 0))
        elif kind in ("variable", "dot"):
            value = Variable(text)
        elif kind == "field":
            value = Access(Variable("."), (text[1:],))
        elif text == "(":
            value = Pipeline(self._piped())
            if self._peek() != ")":
                raise TemplateError("unclosed left paren")
            self._at += 1
        elif kind == "word":
            constants = {"true": True, "false": False, "nil": None}
            value = Literal(constants[text]) if text in constants else Call(text, ())
        else:
            raise TemplateError(f"unexpected {text}")
        return self._fields(value)

    def _fields(self, value: Any) -> Any:
        fields: list[str] = []
        while self._at < len(self._tokens):
            kind, text, spaced = self._tokens[self._at]
            if kind != "field" or spaced:
                break
            fields.append(text[1:])
            self._at += 1
        if not fields:
            return value
        if isinstance(value, Access):
            return Access(value.of, (*value.fields, *fields))
        return Access(value, tuple(fields))

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""


def _tokens(text: str) -> Any:
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise TemplateError(f"unexpected {text[position:].strip()[:20]!r}")
        found = match.group(match.lastgroup)
        yield match.lastgroup, found, match.start(match.lastgroup) > position
        position = match.end()
