"""What a NetworkPolicy says, as the API server reads it.

Meaning: the API reference of `networking.k8s.io/v1`. What the API server would refuse is not
guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from groundplan.posture.network import addresses, ports
from groundplan.posture.network.boxes import ADDRESS, NAME, PORT, Box, Property, Set
from groundplan.posture.network.ports import PROTOCOLS, Ports
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import Values, box

if TYPE_CHECKING:
    from groundplan.posture.network.spans import Spans
    from groundplan.resources import Resource

INGRESS, EGRESS = "Ingress", "Egress"
DIRECTIONS = (INGRESS, EGRESS)
_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
"""Whether an operator takes values."""


class RefusedError(ValueError):
    """The API server would not take the policy."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one peer of one rule lets through."""

    box: Box
    """Without the pods that the policy is for. The other end is pods, or addresses."""
    pointer: str
    """JSON pointer to the peer, or to the rule that names none."""

    @property
    def external(self) -> bool:
        """Whether the other end is addresses."""
        return ADDRESS in self.box.sides


@dataclass(frozen=True)
class Policy:
    """One NetworkPolicy."""

    resource: Resource
    namespace: str
    pods: Box
    """The pods of the namespace that it is for, the future ones too."""
    allowances: Mapping[str, tuple[Allowance, ...]]
    """By direction. A direction that is missing is left as it is; an empty one lets nothing in."""


def read(resource: Resource) -> Policy:
    """Read a NetworkPolicy.

    Raises:
        RefusedError: The API server would refuse it.
    """
    namespace = resource.id.namespace or "default"
    spec = mapping(resource.body, "spec")
    directions = _directions(spec)
    selector = spec.get("podSelector")
    pods = Box(_labels("of", {} if selector is None else selector, "/spec/podSelector"))
    found = {
        direction: tuple(_rules(spec, direction, namespace))
        for direction in DIRECTIONS
        if direction in directions
    }
    return Policy(resource, namespace, pods, found)


def _directions(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The directions that a policy isolates: egress without a word only where it has a rule."""
    written = spec.get("policyTypes")
    if not written:
        return DIRECTIONS if spec.get("egress") else (INGRESS,)
    if not isinstance(written, list) or any(one not in DIRECTIONS for one in written):
        raise RefusedError(f"policyTypes is {written}", "/spec/policyTypes")
    return tuple(written)


def _rules(spec: Mapping[str, Any], direction: str, namespace: str) -> Iterator[Allowance]:
    """What the rules of one direction let through."""
    field, peers = ("ingress", "from") if direction == INGRESS else ("egress", "to")
    written = spec.get(field)
    if written is not None and not isinstance(written, list):
        raise RefusedError(f"{field} is no list", f"/spec/{field}")
    for index, rule in enumerate(written or ()):
        at = f"/spec/{field}/{index}"
        allowed = _ports(mapping(rule), at)
        listed = items(mapping(rule), peers)
        if not listed:
            yield from _everyone(allowed, direction, at)
        for number, peer in enumerate(listed):
            yield from _peer(mapping(peer), namespace, allowed, direction, f"{at}/{peers}/{number}")


def _everyone(allowed: Ports, direction: str, at: str) -> Iterator[Allowance]:
    """A rule without peers: every pod and every address."""
    yield Allowance(Box(_port({}, allowed)), at)
    yield from _outside(addresses.EVERY, allowed, direction, at)


def _outside(some: Spans, allowed: Ports, direction: str, at: str) -> Iterator[Allowance]:
    """Addresses give their ports no names."""
    known = allowed if direction == INGRESS else Ports(allowed.numbers)
    if known and some:
        yield Allowance(Box(_port({ADDRESS: some}, known)), at)


def _peer(
    peer: Mapping[str, Any], namespace: str, allowed: Ports, direction: str, at: str
) -> Iterator[Allowance]:
    """One entry of `from` or `to`."""
    pods, namespaces, block = (
        peer.get(field) for field in ("podSelector", "namespaceSelector", "ipBlock")
    )
    if block is not None:
        if pods is not None or namespaces is not None:
            raise RefusedError("ipBlock stands alone", at)
        yield from _outside(_block(mapping(block), at), allowed, direction, at)
        return
    if pods is None and namespaces is None:
        raise RefusedError("a peer names pods, namespaces or an ipBlock", at)
    sides: dict[Property, Set] = {("namespace", NAME): Values(frozenset({namespace}), False, False)}
    if namespaces is not None:
        sides = _labels("namespace", namespaces, f"{at}/namespaceSelector")
    if pods is not None:
        sides |= _labels("pod", pods, f"{at}/podSelector")
    if all(not side.empty for side in sides.values() if isinstance(side, Values)):
        yield Allowance(Box(_port(sides, allowed)), at)


def _port(sides: dict[Property, Set], allowed: Ports) -> dict[Property, Set]:
    return sides if allowed == ports.EVERY else {**sides, PORT: allowed}


def _block(written: Mapping[str, Any], at: str) -> Spans:
    try:
        return _addresses(str(written.get("cidr")), tuple(map(str, items(written, "except"))))
    except ValueError as error:
        raise RefusedError(str(error), f"{at}/ipBlock") from error


@lru_cache(4096)
def _addresses(cidr: str, excepted: tuple[str, ...]) -> Spans:
    return addresses.block(cidr, excepted)


def _ports(rule: Mapping[str, Any], at: str) -> Ports:
    """The ports of a rule; without a word, every one."""
    listed = items(rule, "ports")
    found = Ports()
    for index, entry in enumerate(listed):
        found |= _one(mapping(entry), f"{at}/ports/{index}")
    return found if listed else ports.EVERY


def _one(entry: Mapping[str, Any], at: str) -> Ports:
    protocol, port, last = entry.get("protocol") or "TCP", entry.get("port"), entry.get("endPort")
    if protocol not in PROTOCOLS:
        raise RefusedError(f"the protocol is {protocol}", at)
    if port is None and last is None:
        return Ports(ports.numbers(protocol))
    if isinstance(port, str) and port and last is None:
        return Ports(names=frozenset({(protocol, port)}))
    last = port if last is None else last
    if type(port) is not int or type(last) is not int or not 1 <= port <= last <= ports.HIGHEST:
        raise RefusedError(f"port {port} to {last} is no range of ports", at)
    return Ports(ports.numbers(protocol, port, last))


def _labels(role: str, selector: Any, at: str) -> dict[Property, Set]:
    """Read a label selector as sides of a box."""
    if not isinstance(selector, Mapping):
        raise RefusedError("a selector is a mapping", at)
    if any(not isinstance(value, str) for value in mapping(selector, "matchLabels").values()):
        raise RefusedError("the values of labels are text", f"{at}/matchLabels")
    for index, one in enumerate(items(selector, "matchExpressions")):
        takes = _OPERATORS.get(str(mapping(one).get("operator")))
        if takes is None or takes is not bool(items(mapping(one), "values")):
            raise RefusedError("no such expression", f"{at}/matchExpressions/{index}")
    found = box(selector)
    if role == "namespace" and NAME in found:
        found[NAME] = found[NAME]._replace(absent=False)
    return {(role, key): values for key, values in found.items()}
