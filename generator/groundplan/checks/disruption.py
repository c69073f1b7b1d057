"""Nodes that go: budgets let them, and they wait for what their pods still have to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import ACCELERATOR, PodOf, PodRule, Rule, objects, pods, tolerated
from groundplan.checks.accelerators import NODE_POOL, makes_accelerators, seconds
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import box, selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository
    from groundplan.resources import Resource


def _stuck(repository: Repository) -> Iterator[Outcome]:
    """Find budgets that never let a pod be moved."""
    made = list(pods(repository))
    for resource in objects(repository):
        if (resource.id.group, resource.id.kind) != ("policy", "PodDisruptionBudget"):
            continue
        fault = _held(resource, made)
        if fault is not None:
            place = repository.locate(resource.origin, "/spec")
            message = f"{resource.id} lets no pod be moved{fault}, so that no node can be upgraded"
            yield STUCK.fail(message, place, resource.id)
        else:
            yield Passed()


def _held(budget: Resource, made: Iterable[PodOf]) -> str | None:
    """How a budget holds all pods; None when it lets one go, empty when that needs no number."""
    spec = mapping(budget.body, "spec")
    least = spec.get("minAvailable")
    if str(spec.get("maxUnavailable")) in {"0", "0%"} or str(least) == "100%":
        return ""
    if not isinstance(least, int):
        return None
    wanted = box(mapping(spec, "selector"))
    chosen = [
        pod
        for pod in made
        if pod.resource.id.namespace == budget.id.namespace and selects(wanted, pod.labels)
    ]
    numbers = [mapping(pod.resource.body, "spec").get("replicas") for pod in chosen]
    together = sum(number for number in numbers if isinstance(number, int))
    if not chosen or not all(isinstance(n, int) and n for n in numbers) or together > least:
        return None
    return f": {least} of {together} have to be there"


def _cut_short(repository: Repository) -> Iterator[Outcome]:
    """Find Karpenter's pools that take a node away before its pods have come to an end."""
    pools = [r for r in objects(repository) if (r.id.group, r.id.kind) == NODE_POOL]
    for pod in pods(repository):
        selector = mapping(pod.spec, "nodeSelector").items()
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        if not pod.accelerated or not selector or not isinstance(grace, int):
            continue
        for pool in pools:
            template = mapping(pool.body, "spec", "template")
            given = mapping(template, "spec").get("terminationGracePeriod")
            if given is None or not selector <= mapping(template, "metadata", "labels").items():
                continue
            if seconds(str(given)) < grace:
                place = "/spec/template/spec/terminationGracePeriod"
                yield CUT_SHORT.fail(
                    f"{pool.id} takes a node away after {given}; {pod.resource.id} has {grace} s",
                    repository.locate(pool.origin, place),
                    pool.id,
                )
            else:
                yield Passed()


_LASTING = "karpenter.sh/do-not-disrupt"
_NODES = {"key": ACCELERATOR, "value": "present", "effect": "NoSchedule"}


def _on_accelerators(pod: PodOf) -> bool:
    tolerations = map(mapping, items(pod.spec, "tolerations"))
    return pod.resource.id.kind == "DaemonSet" and tolerated(_NODES, tolerations)


def _lasting(pod: PodOf) -> Iterator[Fault]:
    if str(pod.annotations.get(_LASTING, "false")) != "false":
        yield "/metadata/annotations", f"keeps every node that it is on, by {_LASTING}"
    if pod.accelerated:
        yield "/spec", "has accelerators on every node, none of which is ever idle"


def _never_empty(body: Mapping[str, Any]) -> Iterator[Fault]:
    if not makes_accelerators(body) or mapping(body, "spec").get("replicas") is not None:
        return
    disruption = mapping(body, "spec", "disruption")
    if disruption.get("consolidateAfter") == "Never":
        yield "/spec/disruption", "keeps its nodes when nothing runs on them"
    for number, budget in enumerate(map(mapping, items(disruption, "budgets"))):
        always = "schedule" not in budget and "Empty" in (budget.get("reasons") or ["Empty"])
        if always and str(budget.get("nodes")) in {"0", "0%"}:
            yield f"/spec/disruption/budgets/{number}", "lets no empty node go, at no time"


RULES = (
    PodRule(
        "GPU029",
        "What runs on every node keeps none",
        Severity.HIGH,
        f"Drop {_LASTING} and the accelerator: a node goes once nothing else is on it.",
        _on_accelerators,
        _lasting,
    ),
    Rule(
        "GPU030",
        "Nodes with accelerators go when they are empty",
        Severity.HIGH,
        "Set consolidateAfter to a time, and let budgets pass a node now and then.",
        (NODE_POOL,),
        _never_empty,
    ),
)
STUCK = Check(
    "GPU015",
    "Disruption budgets leave room for node upgrades",
    Severity.MEDIUM,
    "Let at least one pod be disrupted.",
    _stuck,
)
CUT_SHORT = Check(
    "GPU028",
    "A node waits until its pods have ended",
    Severity.MEDIUM,
    "Set terminationGracePeriod of the pool above terminationGracePeriodSeconds of its pods.",
    _cut_short,
)
CHECKS = (STUCK, CUT_SHORT, *(rule.check() for rule in RULES))
