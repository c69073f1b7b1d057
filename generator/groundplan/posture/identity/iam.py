"""AWS policy documents, and whether one allows no more than another. Offline, and never sampled.

A document allows no more when every statement that allows is covered by a single one of the other
document, with conditions at least as strict, and everything that is denied there is denied here.
What is written with `NotAction`, `NotResource` or `NotPrincipal` is only comparable with itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.posture.pod_security_checks import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VARIABLE = re.compile(r"\$\{[^}]*\}")
_OPAQUE = ("NotAction", "NotResource", "NotPrincipal")


class Statement(NamedTuple):
    """One principal, one action and one resource of a statement."""

    principal: str
    action: str
    resource: str
    conditions: frozenset[str]
    opaque: str = ""
    """The whole statement, when it says what it is not about."""

    def within(self, other: Statement) -> bool:
        """Whether all requests that this is about, the other one is about too."""
        if self.opaque or other.opaque:
            return self == other
        return (
            included(self.principal, other.principal)
            # Actions are compared without regard to case.
            and included(self.action.lower(), other.action.lower())
            and included(self.resource, other.resource)
            and other.conditions <= self.conditions
        )

    def __str__(self) -> str:
        if self.opaque:
            return self.opaque
        where = f" on {self.resource}" if self.resource else ""
        who = f" by {self.principal}" if self.principal else ""
        when = f" if {' and '.join(sorted(self.conditions))}" if self.conditions else ""
        return f"{self.action}{where}{who}{when}"


@dataclass(frozen=True, slots=True)
class Document:
    """What a policy document allows and denies."""

    allows: frozenset[Statement]
    denies: frozenset[Statement]

    def beyond(self, other: Document) -> Iterator[str]:
        """What this allows and the other one may not."""
        for allowed in sorted(self.allows, key=str):
            if not any(allowed.within(known) for known in other.allows):
                yield f"allows {allowed}"
        for denied in sorted(other.denies, key=str):
            if not any(denied.within(known) for known in self.denies):
                yield f"no longer denies {denied}"


def document(body: Any) -> Document | None:
    """Read a document, also one that is written as a text; None when it is none."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    if not isinstance(body, dict) or "Statement" not in body:
        return None
    found: dict[str, set[Statement]] = {"Allow": set(), "Deny": set()}
    for statement in map(mapping, _several(body["Statement"])):
        found.setdefault(str(statement.get("Effect")), set()).update(_statements(statement))
    return Document(frozenset(found["Allow"]), frozenset(found["Deny"]))


def _statements(statement: Any) -> Iterator[Statement]:
    if any(name in statement for name in _OPAQUE):
        yield Statement("", "", "", frozenset(), json.dumps(statement, sort_keys=True))
        return
    principals = _principals(statement.get("Principal", ""))
    actions, resources = _several(statement.get("Action")), _several(statement.get("Resource", ""))
    conditions = frozenset(_conditions(mapping(statement, "Condition")))
    for principal, action, resource in product(principals, actions, resources):
        yield Statement(principal, str(action), str(resource), conditions)


def _principals(body: Any) -> list[str]:
    if isinstance(body, dict):
        return [f"{kind} {name}" for kind, names in body.items() for name in _several(names)]
    return [str(body)]


def _conditions(body: Any) -> Iterator[str]:
    """Read conditions: all operators and keys must hold, and of the values of a key one."""
    for operator, keys in body.items():
        for key, values in mapping(keys).items():
            said = ", ".join(sorted(map(str, _several(values))))
            # Keys are compared without regard to case.
            yield f"{operator} {key.lower()} {said}"


def _several(body: Any) -> list[Any]:
    if body is None:
        return []
    return body if isinstance(body, list) else [body]


def included(inner: str, outer: str) -> bool:
    """Whether every text that one pattern matches the other one matches; `*` and `?` are special.

    Both are read letter by letter at once, with one letter for all that neither names. Exact up to
    a bound on the steps, beyond which the answer is no. A variable may stand for any text.
    """
    if outer in {inner, "*"}:
        return True
    if "${" in outer:
        return False
    inner = _VARIABLE.sub("*", inner)
    letters = {*inner, *outer, _OTHER} - {"*", "?"}
    waiting = [(at, _open({0}, outer)) for at in _open({0}, inner)]
    seen = set(waiting)
    while waiting:
        at, reached = waiting.pop()
        if at == len(inner) and len(outer) not in reached:
            return False
        for letter in letters:
            following = _read(reached, letter, outer)
            fresh = {(to, following) for to in _read({at}, letter, inner)} - seen
            seen |= fresh
            waiting.extend(fresh)
        if len(seen) > _STEPS:
            return False
    return True


_OTHER = "\0"
_STEPS = 20_000


def _read(reached: Iterable[int], letter: str, pattern: str) -> frozenset[int]:
    """Where in a pattern one may be after one more letter."""
    found = set()
    for at in reached:
        if at < len(pattern) and pattern[at] == "*":
            found.add(at)
        elif at < len(pattern) and pattern[at] in {letter, "?"}:
            found.add(at + 1)
    return _open(found, pattern)


def _open(reached: Iterable[int], pattern: str) -> frozenset[int]:
    """Where one may be when every `*` may match nothing."""
    found = set(reached)
    for at, letter in enumerate(pattern):
        if at in found and letter == "*":
            found.add(at + 1)
    return frozenset(found)
