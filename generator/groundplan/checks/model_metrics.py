"""Queries about models: they name series that exist, and scale what can be scaled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import PodOf, Rule, objects, pods
from groundplan.exporters import exporters
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import box, selects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository
    from groundplan.resources import Resource

SCALED_OBJECT = ("keda.sh", "ScaledObject")
_SCALED = r"^\s*(?:[\d.]+\s*[*/+-]\s*)?\(?\s*"
_AGGREGATES = re.compile(rf"{_SCALED}(?:sum|avg|max|min|count|scalar)\b(?!\s*by)")
_BOUND = re.compile(r'(\w+:\w+)_bucket\{[^}]*?le="([^"]+)"')
_CALM_SECONDS = 300
"""The least that a model server waits before it is taken away again: it took minutes to load."""


def queries(resource: Resource) -> Iterator[tuple[str, str]]:
    """Walk the PromQL in an object, each with its place: rules, scalers and dashboards."""
    body = resource.body
    if resource.id.kind == "PrometheusRule":
        for g, group in enumerate(map(mapping, items(mapping(body, "spec"), "groups"))):
            for r, rule in enumerate(map(mapping, items(group, "rules"))):
                yield str(rule.get("expr", "")), f"/spec/groups/{g}/rules/{r}/expr"
    elif (resource.id.group, resource.id.kind) == SCALED_OBJECT:
        for number, metadata in _triggers(body):
            yield str(metadata.get("query", "")), f"/spec/triggers/{number}/metadata/query"
    elif resource.id.kind == "ConfigMap":
        for name, text in mapping(body, "data").items():
            if name.endswith(".json") and '"panels"' in str(text):
                yield str(text), f"/data/{name}"


def _triggers(body: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, trigger in enumerate(map(mapping, items(mapping(body, "spec"), "triggers"))):
        if trigger.get("type") == "prometheus":
            yield number, mapping(trigger, "metadata")


def _dead(repository: Repository) -> Iterator[Outcome]:
    """Find queries of series that an exporter no longer has."""
    for resource in objects(repository):
        for query, pointer in queries(resource):
            for exporter in exporters():
                for series in sorted(exporter.series(query)):
                    yield _judge(repository, resource, pointer, series)


def _judge(repository: Repository, resource: Resource, pointer: str, series: str) -> Outcome:
    for exporter in exporters():
        instead = exporter.replacement(series)
        if instead is not None:
            place = repository.locate(resource.origin, pointer)
            message = f"{resource.id} asks for {series}, which {exporter.name} no longer has"
            return DEAD.fail(message, place, resource.id, f"Ask for {instead}.")
        if series in exporter.known:
            return Passed()
    return Skipped(series, "it is in no list of known series")


def _unbounded(repository: Repository) -> Iterator[Outcome]:
    """Find objectives at a bound that a histogram does not have."""
    known = {name: bounds for one in exporters() for name, bounds in one.buckets.items() if bounds}
    for resource in objects(repository):
        for query, pointer in queries(resource):
            for name, bound in _BOUND.findall(query.replace('\\"', '"')):
                bounds = [str(float(one)) for one in known.get(name, ())]
                if bounds and bound not in {*bounds, "+Inf"}:
                    yield BOUND.fail(
                        f'{resource.id} asks for le="{bound}" of {name}, which has no such bucket',
                        repository.locate(resource.origin, pointer),
                        resource.id,
                        f"Use one of {', '.join(bounds)}, as written here.",
                    )
                elif bounds:
                    yield Passed()


def _selected(monitor: Resource, pod: PodOf) -> bool:
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
        watched = [pod for pod in found if _selected(monitor, pod)]
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
    own = [
        number
        for number, metadata in _triggers(body)
        if any(exporter.series(str(metadata.get("query"))) for exporter in exporters())
    ]
    if own and len(own) == len(items(spec, "triggers")):
        yield (
            "/spec/triggers",
            "needs its pods' own metric to start the first of them",
        )


def _many_series(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, metadata in _triggers(body):
        query = str(metadata.get("query", ""))
        if any(e.series(query) for e in exporters()) and not _AGGREGATES.match(query):
            yield (
                f"/spec/triggers/{number}/metadata/query",
                "may get several series",
            )


def _silent(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, metadata in _triggers(body):
        ignored = str(metadata.get("ignoreNullValues", "true")).lower() == "true"
        if ignored and any(e.series(str(metadata.get("query"))) for e in exporters()):
            yield f"/spec/triggers/{number}/metadata", "takes a lost metric for no load at all"


def _nervous(body: Mapping[str, Any]) -> Iterator[Fault]:
    if not any(
        exporter.series(str(metadata.get("query")))
        for _, metadata in _triggers(body)
        for exporter in exporters()
    ):
        return
    behaviour = mapping(
        body, "spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown"
    )
    window = behaviour.get("stabilizationWindowSeconds", 300)
    if isinstance(window, int) and (window <= _CALM_SECONDS):
        yield "/spec", f"takes a model away after {window} s of less load"


DEAD = Check(
    "MET001",
    "Queries about models name series that exist",
    Severity.HIGH,
    "Ask for the series that the engine has today.",
    _dead,
)
BOUND = Check(
    "MET002",
    "Objectives lie at a bucket of their histogram",
    Severity.HIGH,
    "Choose a bound of the histogram and write it as Prometheus does.",
    _unbounded,
)
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
CHECKS = (DEAD, BOUND, UNMONITORED, *(rule.check() for rule in RULES))
