"""Routes to models: which picker is asked, and what happens when it does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import Rule
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository
    from groundplan.resources import Resource

_POOL = "InferencePool"
_GATEWAYS = "gateway.networking.k8s.io"
_PLAIN = "gateway.envoyproxy.io/gatewayclass-controller"
"""Envoy Gateway, which refuses the kind unless an extension server is told of it
(internal/gatewayapi/validate.go, `extensionManager.backendResources`)."""


def _crowded(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, rule in enumerate(map(mapping, items(mapping(body, "spec"), "rules"))):
        kinds = [mapping(backend).get("kind") for backend in items(rule, "backendRefs")]
        if kinds.count(_POOL) > 1:
            yield (
                f"/spec/rules/{number}/backendRefs",
                "splits one rule between pools, of which some gateways ask one picker only",
            )


def _unsaid(body: Mapping[str, Any]) -> Iterator[Fault]:
    picker = mapping(body, "spec", "endpointPickerRef")
    if picker and "failureMode" not in picker:
        yield "/spec/endpointPickerRef", "does not say what becomes of requests without the picker"


def _unknown(repository: Repository) -> Iterator[Outcome]:
    """Find routes to pools behind a gateway that does not know what a pool is."""
    objects = [
        s.resource
        for (group, _, _), subjects in repository.subjects.items()
        if group == _GATEWAYS
        for s in subjects
    ]
    plain = set() if _extended(repository) else _plain_gateways(objects)
    for route in objects:
        backends = list(_pools(route)) if route.id.kind == "HTTPRoute" else []
        parents = {
            (str(parent.get("namespace") or route.id.namespace), str(parent.get("name")))
            for parent in map(mapping, items(mapping(route.body, "spec"), "parentRefs"))
        }
        for pointer in backends if parents & plain else ():
            yield UNKNOWN.fail(
                f"{route.id} names an InferencePool, which Envoy Gateway alone answers with 500",
                repository.locate(route.origin, pointer),
                route.id,
            )
        if backends and not parents & plain:
            yield Passed()


def _pools(route: Resource) -> Iterator[str]:
    for number, rule in enumerate(map(mapping, items(mapping(route.body, "spec"), "rules"))):
        for index, backend in enumerate(map(mapping, items(rule, "backendRefs"))):
            if backend.get("kind") == _POOL:
                yield f"/spec/rules/{number}/backendRefs/{index}"


def _plain_gateways(objects: list[Resource]) -> set[tuple[str, str]]:
    classes = {
        one.id.name
        for one in objects
        if one.id.kind == "GatewayClass"
        and mapping(one.body, "spec").get("controllerName") == _PLAIN
    }
    return {
        (one.id.namespace, one.id.name)
        for one in objects
        if one.id.kind == "Gateway" and mapping(one.body, "spec").get("gatewayClassName") in classes
    }


def _extended(repository: Repository) -> bool:
    """Whether some file tells Envoy Gateway of further kinds of backends, and so of pools."""
    return any(
        b"backendResources" in content and _POOL.encode() in content
        for content in repository.tree.files.values()
    )


UNKNOWN = Check(
    "SRV014",
    "A route names a pool only where its gateway knows the kind",
    Severity.HIGH,
    "Name a Gateway that takes InferencePools, or the Service and a policy that asks the picker.",
    _unknown,
)
RULES = (
    Rule(
        "SRV012",
        "A rule of a route has one pool of servers",
        Severity.MEDIUM,
        "Give each pool a rule of its own.",
        (("gateway.networking.k8s.io", "HTTPRoute"),),
        _crowded,
    ),
    Rule(
        "SRV013",
        "It is decided what becomes of requests while the picker is away",
        Severity.MEDIUM,
        "Set failureMode: FailOpen sends them to any server, FailClose (unless said) to none.",
        (("inference.networking.k8s.io", _POOL),),
        _unsaid,
    ),
)
CHECKS = (*(rule.check() for rule in RULES), UNKNOWN)
