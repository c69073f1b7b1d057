"""Routes to models: which picker is asked, and what happens when it does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.checks._objects import Rule
from groundplan.findings import Severity
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault

_POOL = "InferencePool"


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
CHECKS = tuple(rule.check() for rule in RULES)
