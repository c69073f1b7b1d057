"""Which requests a policy or webhook is asked about, as sets that can be compared.

Matching of resources follows `Matcher` of
`k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import Box, box, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OPERATIONS = ("CONNECT", "CREATE", "DELETE", "UPDATE")


class Request(NamedTuple):
    """The requests that one entry of each list of a rule stands for."""

    operation: str
    group: str
    version: str
    resource: str
    scope: str = "*"
    name: str | None = None

    def __str__(self) -> str:
        where = f"{self.group}/{self.version}" if self.group else self.version
        name = "" if self.name is None else f" {self.name}"
        scope = "" if self.scope == "*" else f", {self.scope.lower()} ones,"
        return f"{self.operation} of {self.resource}{name}{scope} in {where}"

    @property
    def wider(self) -> Iterator[Request]:
        """Every entry that stands for at least as many requests."""
        resource, _, sub = self.resource.partition("/")
        resources = {f"{r}/{s}" if s else r for r in (resource, "*") for s in (sub, "*")}
        yield from map(
            Request._make,
            product(
                (self.operation,),
                {self.group, "*"},
                {self.version, "*"},
                resources,
                {self.scope, "*"},
                {self.name, None},
            ),
        )


_EVERYTHING = frozenset(Request(operation, "*", "*", "*/*") for operation in OPERATIONS)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at."""

    included: frozenset[Request]
    excluded: frozenset[Request]
    namespaces: Box
    objects: Box
    exact: bool
    """Whether the same object in another version of its API is passed over."""

    @classmethod
    def of(cls, body: Mapping[str, Any], rules: str = "resourceRules") -> Scope:
        """Read `matchConstraints`, `matchResources`, or a webhook. No rules mean everything."""
        return cls(
            frozenset(_requests(items(body, rules))) or _EVERYTHING,
            frozenset(_requests(items(body, "excludeResourceRules"))),
            box(mapping(body, "namespaceSelector")),
            box(mapping(body, "objectSelector")),
            body.get("matchPolicy") == "Exact",
        )

    def missed(self, new: Scope) -> Iterator[tuple[str, str]]:
        """What a new scope no longer looks at, in words, with the field that says so."""
        gone = [str(request) for request in _uncovered(self.included, new.included)]
        gone += [str(request) for request in _uncovered(new.excluded, self.excluded)]
        if gone:
            yield f"no longer looks at {', '.join(sorted(gone))}", ""
        if not within(self.namespaces, new.namespaces):
            yield f"looks at fewer namespaces: {_words(new.namespaces)}", "/namespaceSelector"
        if not within(self.objects, new.objects):
            yield f"looks at fewer objects: {_words(new.objects)}", "/objectSelector"
        if new.exact and not self.exact:
            yield "no longer looks at other versions of the same objects", "/matchPolicy"


def _requests(rules: Iterable[Any]) -> Iterator[Request]:
    for rule in map(mapping, rules):
        wanted = items(rule, "operations")
        for operation, group, version, resource, name in product(
            OPERATIONS if "*" in wanted else map(str, wanted),
            map(str, items(rule, "apiGroups")),
            map(str, items(rule, "apiVersions")),
            map(str, items(rule, "resources")),
            items(rule, "resourceNames") or (None,),
        ):
            yield Request(operation, group, version, resource, str(rule.get("scope", "*")), name)


def _uncovered(inner: Iterable[Request], outer: frozenset[Request]) -> Iterator[Request]:
    for request in inner:
        if not any(wider in outer for wider in request.wider):
            yield request


def _words(selector: Box) -> str:
    """A selector in words that do not depend on how it is written."""
    said = []
    for key, values in sorted(selector.items()):
        names = ", ".join(sorted(values.named))
        if values.others:
            text = f"{key} is not {names}" if names else f"{key} is there"
        else:
            text = f"{key} is {names}" if names else f"{key} is not there"
        said.append(text if not (values.absent and values.named) else f"{text}, or not there")
    return " and ".join(said) or "all"
