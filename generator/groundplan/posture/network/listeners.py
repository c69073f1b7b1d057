"""Whose routes a Gateway takes, and which namespaces may send to the Services of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.posture.network.boxes import NAME
from groundplan.posture.network.doors import GATEWAY_API
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import Box, Values, box, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from groundplan.resources import Resource


@dataclass(frozen=True)
class Listener:
    """One listener, by what it takes."""

    resource: Resource
    pointer: str
    port: str
    host: str
    namespaces: Box
    """Whose routes it takes."""
    words: str
    """The same as the rest of a sentence."""

    def within(self, other: Listener) -> bool:
        """Whether the other one takes every route that this one takes."""
        same = self.resource.id.key == other.resource.id.key and self.port == other.port
        return same and other.host in {"", self.host} and within(self.namespaces, other.namespaces)


def listeners(gateway: Resource) -> Iterator[Listener]:
    """Walk the listeners of a Gateway; of other objects there are none."""
    if (gateway.id.group, gateway.id.kind) != (GATEWAY_API, "Gateway"):
        return
    for index, written in enumerate(
        map(mapping, items(mapping(gateway.body, "spec"), "listeners"))
    ):
        host = str(written.get("hostname") or "")
        port = f"{written.get('protocol')} {written.get('port')}"
        allowed = mapping(written, "allowedRoutes", "namespaces")
        whose, spaces = _namespaces(allowed, gateway)
        words = f"takes routes of {whose} for {host or 'any host'} on {port}"
        yield Listener(gateway, f"/spec/listeners/{index}", port, host, spaces, words)


def _namespaces(allowed: Mapping[str, Any], gateway: Resource) -> tuple[str, Box]:
    """In words and as a selector; without a word it is the Gateway's own namespace."""
    match allowed.get("from"):
        case "All":
            return "every namespace", {}
        case "Selector":
            found = box(mapping(allowed, "selector"))
            said = (f"{key} {_values(values)}" for key, values in sorted(found.items()))
            return f"namespaces with {', '.join(said) or 'any label'}", found
        case "None":
            return "no namespace", {NAME: Values(others=False, absent=False)}
    own = Values(frozenset({gateway.id.namespace}), others=False, absent=False)
    return "its own namespace", {NAME: own}


def _values(values: Values) -> str:
    names = "|".join(sorted(values.named))
    if values.others:
        return f"other than {names}" if names else "of any value"
    return names


@dataclass(frozen=True)
class Passage:
    """A leave to refer to something in another namespace."""

    resource: Resource
    pointer: str
    kind: str
    namespace: str
    to: str
    """What may be referred to; `*` at the end for all of a kind."""

    @property
    def words(self) -> str:
        """The passage as the rest of a sentence."""
        return f"may be referred to by {self.kind}s of namespace {self.namespace}: {self.to}"

    def within(self, other: Passage) -> bool:
        """Whether the other one grants this."""
        same = (self.kind, self.namespace) == (other.kind, other.namespace)
        space = self.resource.id.namespace == other.resource.id.namespace
        wide = other.to.endswith("*") and self.to.startswith(other.to[:-1])
        return same and space and (self.to == other.to or wide)


def passages(grant: Resource) -> Iterator[Passage]:
    """Walk what a ReferenceGrant grants; of other objects there is nothing."""
    if (grant.id.group, grant.id.kind) != (GATEWAY_API, "ReferenceGrant"):
        return
    spec = mapping(grant.body, "spec")
    for index, source in enumerate(map(mapping, items(spec, "from"))):
        for target in map(mapping, items(spec, "to")):
            to = f"{target.get('kind')} {target.get('name') or '*'}"
            kind, space = str(source.get("kind")), str(source.get("namespace"))
            yield Passage(grant, f"/spec/from/{index}", kind, space, to)
