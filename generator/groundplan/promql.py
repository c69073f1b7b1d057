"""PromQL: whether a query can be read, and which series it asks for.

After Prometheus' own grammar (promql/parser/generated_parser.y of v3). Grafana's variables may
stand where a number, a duration or a name does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import NoReturn

from groundplan.promql_functions import AGGREGATIONS, FUNCTIONS, Kind

_TOKENS = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
    |(?P<variable>\$\{[^}]*\}|\$\w+|\[\[\w+\]\])
    |(?P<duration>(?:\d+(?:ms|[smhdwy]))+(?!\w))
    |(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<sign>=~|!~|==|!=|>=|<=|[-+*/%^(){}\[\],:@=<>])""",
    re.VERBOSE,
)
_COLON = re.compile("(?P<sign>:)")
_LOOSEST = 1
_BINARY = {"or": 1, "and": 2, "unless": 2}
_BINARY |= dict.fromkeys(("==", "!=", "<=", "<", ">=", ">"), 3)
_BINARY |= {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": 6}
_POWER = 6
_SETS = frozenset(("or", "and", "unless"))
_GROUPING = frozenset(("by", "without"))


class PromQLError(ValueError):
    """A query that Prometheus would not read: what is wrong, and at which character."""

    def __init__(self, what: str, at: int) -> None:
        """Say it with the place, counted from zero."""
        super().__init__(what)
        self.at = at


class _T(Enum):
    END = "end"


@dataclass(frozen=True, slots=True)
class Selector:
    """Series that a query asks for."""

    name: str
    """Empty when the name is matched by a pattern, or not at all."""
    matchers: tuple[tuple[str, str, str], ...] = ()
    """Label, operator and value."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query that can be read."""

    selectors: tuple[Selector, ...]
    labels: frozenset[str]
    """What it groups and joins by."""

    @property
    def series(self) -> frozenset[str]:
        """The names that it asks for."""
        return frozenset(selector.name for selector in self.selectors if selector.name)


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        PromQLError: when Prometheus would not.
    """
    parser = _Parser(text, _tokens(text))
    kind = parser.expression(_LOOSEST)
    if parser.sort != _T.END:
        parser.fail(f"{parser.word} is more than one expression")
    if kind == Kind.RANGE:
        parser.fail("the whole is a range, which has no value")
    return Query(tuple(parser.selectors), frozenset(parser.grouped))


def _tokens(text: str) -> list[tuple[str | _T, str, int]]:
    found: list[tuple[str | _T, str, int]] = []
    at, open_brackets = 0, 0
    while at < len(text):
        # Between brackets a colon stands before a resolution; elsewhere names may begin with one.
        match = _COLON.match(text, at) if open_brackets else None
        match = match or _TOKENS.match(text, at)
        if match is None:
            raise PromQLError(f"{text[at]!r} means nothing here", at)
        open_brackets += (match.group() == "[") - (match.group() == "]")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group(), at))
        at = match.end()
    return [*found, (_T.END, "the end", len(text))]


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: list[tuple[str | _T, str, int]]
    at: int = 0
    selectors: list[Selector] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)

    @property
    def sort(self) -> str | _T:
        return self.tokens[self.at][0]

    @property
    def word(self) -> str:
        return self.tokens[self.at][1]

    def fail(self, what: str) -> NoReturn:
        raise PromQLError(what, self.tokens[self.at][2])

    def next(self) -> str:
        word = self.word
        self.at += 1
        return word

    def take(self, word: str) -> bool:
        """Whether the next word is this one, which is then behind us."""
        if self.sort in ("sign", "name") and self.word.lower() == word:
            self.at += 1
            return True
        return False

    def want(self, word: str) -> None:
        if not self.take(word):
            self.fail(f"{word} is missing before {self.word}")

    def expression(self, least: int) -> Kind:
        """Read operands and operators that bind at least so tightly."""
        left = self.operand()
        while self.sort in ("sign", "name"):
            operator = self.word.lower()
            binds = _BINARY.get(operator, 0)
            if binds < least or not binds:
                break
            self.at += 1
            compared = self.take("bool")
            if compared and binds != _BINARY["=="]:
                self.fail("bool goes with comparisons alone")
            self.matching()
            right = self.expression(binds if binds == _POWER else binds + 1)
            left = self.joined(left, operator, right, compared=compared)
        return left

    def joined(self, left: Kind, operator: str, right: Kind, *, compared: bool) -> Kind:
        for side in (left, right):
            if side not in (Kind.SCALAR, Kind.VECTOR):
                self.fail(f"{operator} takes no {side.value}")
        scalars = left == right == Kind.SCALAR
        if operator in _SETS and Kind.SCALAR in (left, right):
            self.fail(f"{operator} takes no scalar")
        if scalars and _BINARY[operator] == _BINARY["=="] and not compared:
            self.fail("two scalars are compared with bool")
        return Kind.SCALAR if scalars else Kind.VECTOR

    def matching(self) -> None:
        """Read on, ignoring, group_left and group_right."""
        if self.take("on") or self.take("ignoring"):
            self.labels()
            if (self.take("group_left") or self.take("group_right")) and self.word == "(":
                self.labels()

    def labels(self) -> None:
        self.want("(")
        while not self.take(")"):
            if self.sort not in ("name", "variable", "text"):
                self.fail(f"{self.word} is no label")
            self.grouped.add(self.next())
            if not self.take(","):
                self.want(")")
                break

    def operand(self) -> Kind:
        if self.sort == "sign" and self.word in "+-":
            self.at += 1
            kind = self.expression(_POWER)
            if kind not in (Kind.SCALAR, Kind.VECTOR):
                self.fail(f"a {kind.value} has no sign")
            return kind
        return self.modified(self.primary())

    def primary(self) -> Kind:
        if self.take("("):
            kind = self.expression(_LOOSEST)
            self.want(")")
            return kind
        match self.sort:
            case "number" | "duration" | "variable":
                self.at += 1
                return Kind.SCALAR
            case "text":
                self.at += 1
                return Kind.TEXT
            case "name":
                return self.named()
            case "sign" if self.word == "{":
                return self.selector("")
        return self.fail(f"{self.word} is no beginning")

    def named(self) -> Kind:
        word = self.next()
        lower = word.lower()
        if lower in ("inf", "nan") and self.word != "{":
            return Kind.SCALAR
        if lower in AGGREGATIONS and (self.word == "(" or self.word.lower() in _GROUPING):
            return self.aggregation(lower)
        if self.word == "(":
            return self.call(word)
        return self.selector(word)

    def aggregation(self, operator: str) -> Kind:
        grouped = self.grouping()
        given = self.arguments()
        if not grouped:
            self.grouping()
        wanted = AGGREGATIONS[operator]
        if len(given) != len(wanted):
            self.fail(f"{operator} takes {len(wanted)} arguments and has {len(given)}")
        self.compare(operator, wanted, given)
        return Kind.VECTOR

    def grouping(self) -> bool:
        if self.take("by") or self.take("without"):
            self.labels()
            return True
        return False

    def call(self, name: str) -> Kind:
        function = FUNCTIONS.get(name)
        if function is None:
            self.fail(f"there is no function {name}")
        given = self.arguments()
        most = None if function.repeats else len(function.takes)
        if len(given) < function.least or (most is not None and len(given) > most):
            self.fail(f"{name} does not take {len(given)} arguments")
        repeated = function.takes[-1:] * max(0, len(given) - len(function.takes))
        self.compare(name, function.takes + repeated, given)
        return function.gives

    def arguments(self) -> list[Kind]:
        self.want("(")
        given: list[Kind] = []
        if self.take(")"):
            return given
        given.append(self.expression(_LOOSEST))
        while self.take(","):
            given.append(self.expression(_LOOSEST))
        self.want(")")
        return given

    def compare(self, name: str, wanted: tuple[Kind, ...], given: list[Kind]) -> None:
        for want, got in zip(wanted, given, strict=False):
            if want != got:
                self.fail(f"{name} takes a {want.value} and not a {got.value}")

    def selector(self, name: str) -> Kind:
        matchers: list[tuple[str, str, str]] = []
        if self.take("{"):
            while not self.take("}"):
                matchers.append(self.matcher())
                if not self.take(","):
                    self.want("}")
                    break
        said = {label: value for label, sign, value in matchers if sign == "="}
        if name and "__name__" in {label for label, _, _ in matchers}:
            self.fail("the name is said twice")
        if not name and all(_empty(sign, value) for _, sign, value in matchers):
            self.fail("a selector wants a name, or a label that is not empty")
        self.selectors.append(Selector(name or said.get("__name__", ""), tuple(matchers)))
        return Kind.VECTOR

    def matcher(self) -> tuple[str, str, str]:
        if self.sort == "text":
            quoted = self.next()[1:-1]
            if self.word in ",}":
                return "__name__", "=", quoted
            label = quoted
        elif self.sort in ("name", "variable"):
            label = self.next()
        else:
            self.fail(f"{self.word} is no label")
        if self.word not in ("=", "!=", "=~", "!~"):
            self.fail(f"{self.word} does not compare a label")
        sign = self.next()
        if self.sort not in ("text", "variable"):
            self.fail(f"the value of {label} is no text")
        return label, sign, self.next().strip("\"'`")

    def modified(self, kind: Kind) -> Kind:
        """Read what follows an operand: a range, an offset, a time."""
        while True:
            if self.sort == "sign" and self.word == "[":
                if kind != Kind.VECTOR:
                    self.fail(f"a {kind.value} has no range")
                self.at += 1
                self.duration()
                if self.take(":") and self.word != "]":
                    self.duration()
                self.want("]")
                kind = Kind.RANGE
            elif self.take("offset"):
                self.moved(kind, "offset")
                self.take("-")
                self.duration()
            elif self.take("@"):
                self.moved(kind, "time")
                self.instant()
            else:
                return kind

    def moved(self, kind: Kind, what: str) -> None:
        if kind not in (Kind.VECTOR, Kind.RANGE):
            self.fail(f"a {kind.value} has no {what}")

    def instant(self) -> None:
        if self.take("start") or self.take("end"):
            self.want("(")
            self.want(")")
            return
        self.take("-")
        if self.sort not in ("number", "variable"):
            self.fail(f"{self.word} is no time")
        self.at += 1

    def duration(self) -> None:
        if self.sort not in ("duration", "variable", "number"):
            self.fail(f"{self.word} is no duration")
        self.at += 1


def _empty(sign: str, value: str) -> bool:
    """Whether a matcher matches series that do not have its label."""
    match sign:
        case "=":
            return not value
        case "!=":
            return bool(value)
    try:
        matched = re.fullmatch(value, "") is not None
    except re.error:
        return False  # RE2 reads other patterns than we do; what it says is not for us to guess
    return matched if sign == "=~" else not matched
