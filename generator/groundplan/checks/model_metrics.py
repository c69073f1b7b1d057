"""Metrics of models: pods are asked for them, and what scales models is asked well."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import PodOf, Rule, objects, pods
from groundplan.checks.queries import SCALED_OBJECT, triggers
from groundplan.exporters import engines, exporters
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import box, selects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository
    from groundplan.resources import Resource

_SCALED = r"^\s*(?:[\d.]+\s*[*/+-]\s*)?\(?\s*"
_AGGREGATES = re.compile(rf"{_SCALED}(?:sum|avg|max|min|count|scalar)\b(?!\s*by)")
_CALM_SECONDS = 300
"""The least that a model server waits before it is taken away again: it took minutes to load."""


def selected(monitor: Resource, pod: PodOf) -> bool:
    """Whether a PodMonitor looks at a pod, by its namespace and labels."""
    selector = mapping(monitor.body, "spec", "namespaceSelector")
    spaces = items(selector, "matchNames") or [monitor.id.namespace]
    if not selector.get("any") and pod.resource.id.namespace not in spaces:
        return False
    return selects(box(mapping(monitor.body, "spec", "selector")), pod.labels)


def _unmonitored(repository: Repository) -> Iterator[Outcome]:
    """Find monitors of pods that are here and have no port of that name."""
    found = list(pods(repository))
    for monitor in objects(repository):
        if monitor.id.kind != "PodMonitor":
            continue
        watched = [pod for pod in found if selected(monitor, pod)]
        if not watched:
            yield Skipped("pod monitors", "the pods that they select are not in this repository")
            continue
        ports = {
            str(mapping(port).get("name"))
            for pod in watched
            for container, _ in pod.containers
            for port in items(container, "ports")
        }
        endpoints = enumerate(
            map(mapping, items(mapping(monitor.body, "spec"), "podMetricsEndpoints"))
        )
        lost = [(n, e["port"]) for n, e in endpoints if "port" in e and e["port"] not in ports]
        for number, port in lost:
            yield UNMONITORED.fail(
                f"{monitor.id} reads the port {port}, which none of its pods has",
                repository.locate(monitor.origin, f"/spec/podMetricsEndpoints/{number}"),
                monitor.id,
            )
        if not lost:
            yield Passed()


def _stuck(body: Mapping[str, Any]) -> Iterator[Fault]:
    spec = mapping(body, "spec")
    if str(spec.get("minReplicaCount", 0)) != "0" or spec.get("idleReplicaCount") is not None:
        return
    own = [number for number, m in triggers(body) if _counted_by_servers(str(m.get("query")))]
    if own and len(own) == len(items(spec, "triggers")):
        yield (
            "/spec/triggers",
            "needs its pods' own metric to start the first of them",
        )


def _counted_by_servers(query: str) -> bool:
    """Whether nobody answers a query when a model has no server."""
    asked = [exporter for exporter in exporters() if exporter.series(query)]
    return bool(asked) and all(exporter.engine for exporter in asked)


def _many_series(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, metadata in triggers(body):
        query = str(metadata.get("query", ""))
        if any(engine.series(query) for engine in engines()) and not _AGGREGATES.match(query):
            yield (
                f"/spec/triggers/{number}/metadata/query",
                "may get several series",
            )


def _silent(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, metadata in triggers(body):
        ignored = str(metadata.get("ignoreNullValues", "true")).lower() == "true"
        if ignored and any(engine.series(str(metadata.get("query"))) for engine in engines()):
            yield f"/spec/triggers/{number}/metadata", "takes a lost metric for no load at all"


def _nervous(body: Mapping[str, Any]) -> Iterator[Fault]:
    if not any(
        engine.series(str(metadata.get("query")))
        for _, metadata in triggers(body)
        for engine in engines()
    ):
        return
    behaviour = mapping(
        body, "spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown"
    )
    window = behaviour.get("stabilizationWindowSeconds", 300)
    if isinstance(window, int) and (window <= _CALM_SECONDS):
        yield "/spec", f"takes a model away after {window} s of less load"


UNMONITORED = Check(
    "MET003",
    "Every pod monitor reads a port that its pods have",
    Severity.MEDIUM,
    "Name the port of the container, by its name.",
    _unmonitored,
)
RULES = (
    Rule(
        "MET004",
        "A model can be started from nothing",
        Severity.HIGH,
        "Keep one replica, or scale by something that counts requests before the model.",
        (SCALED_OBJECT,),
        _stuck,
    ),
    Rule(
        "MET005",
        "A scaler asks for one number",
        Severity.MEDIUM,
        "Put sum, avg or max around the query.",
        (SCALED_OBJECT,),
        _many_series,
    ),
    Rule(
        "MET006",
        "A scaler notices when its metric is gone",
        Severity.LOW,
        'Set ignoreNullValues to "false", and a fallback.',
        (SCALED_OBJECT,),
        _silent,
    ),
    Rule(
        "MET007",
        "A model that took minutes to load is kept for a while",
        Severity.LOW,
        "Set scaleDown.stabilizationWindowSeconds to ten minutes or more.",
        (SCALED_OBJECT,),
        _nervous,
    ),
)
CHECKS = (UNMONITORED, *(rule.check() for rule in RULES))
