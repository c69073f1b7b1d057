"""PromQL wherever it is: it can be read, and names series that exist."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from groundplan import promql
from groundplan.checks import Check
from groundplan.checks._objects import objects
from groundplan.exporters import exporters
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.repository import Repository
    from groundplan.resources import Resource

SCALED_OBJECT = ("keda.sh", "ScaledObject")
_LABEL_VALUES = re.compile(r"label_values\((?P<query>.+),\s*[\w$]+\s*\)", re.DOTALL)
_QUERY_RESULT = re.compile(r"query_result\((?P<query>.+)\)", re.DOTALL)


def queries(resource: Resource) -> Iterator[tuple[str, str]]:
    """Walk the PromQL in an object, each with its place: rules, scalers and dashboards."""
    body = resource.body
    if resource.id.kind == "PrometheusRule":
        for g, group in enumerate(map(mapping, items(mapping(body, "spec"), "groups"))):
            for r, rule in enumerate(map(mapping, items(group, "rules"))):
                yield str(rule.get("expr", "")), f"/spec/groups/{g}/rules/{r}/expr"
    elif (resource.id.group, resource.id.kind) == SCALED_OBJECT:
        for number, metadata in triggers(body):
            yield str(metadata.get("query", "")), f"/spec/triggers/{number}/metadata/query"
    for pointer, text in _dashboards(resource):
        page = _json(text)
        if page is not None:
            yield from ((query, pointer) for query in _asked(page))


def triggers(body: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Walk what a scaler asks Prometheus, each with its number among the triggers."""
    for number, trigger in enumerate(map(mapping, items(mapping(body, "spec"), "triggers"))):
        if trigger.get("type") == "prometheus":
            yield number, mapping(trigger, "metadata")


def _dashboards(resource: Resource) -> Iterator[tuple[str, str]]:
    """Walk the dashboards in an object, each with its place: JSON for Grafana."""
    if resource.id.kind == "ConfigMap":
        labelled = "grafana_dashboard" in mapping(resource.body, "metadata", "labels")
        for name, text in mapping(resource.body, "data").items():
            if name.endswith(".json") and (labelled or '"panels"' in str(text)):
                yield f"/data/{name.replace('/', '~1')}", str(text)
    elif resource.id.kind == "GrafanaDashboard":
        text = mapping(resource.body, "spec").get("json")
        if text:
            yield "/spec/json", str(text)


def _json(text: str) -> Mapping[str, Any] | None:
    try:
        page = json.loads(text)
    except ValueError:
        return None
    return mapping(page.get("dashboard", page)) if isinstance(page, dict) else None


def _asked(page: Mapping[str, Any]) -> Iterator[str]:
    """Walk what a dashboard asks Prometheus: its panels, those in rows too, and its variables."""
    for panel in map(mapping, items(page, "panels")):
        yield from _asked(panel)
        for target in map(mapping, items(panel, "targets")):
            source = target.get("datasource", panel.get("datasource"))
            if target.get("expr") and _of_prometheus(source):
                yield str(target["expr"])
    for variable in map(mapping, items(mapping(page, "templating"), "list")):
        said = variable.get("query")
        text = str(said.get("query", "")) if isinstance(said, dict) else str(said)
        found = _LABEL_VALUES.fullmatch(text) or _QUERY_RESULT.fullmatch(text)
        if found and variable.get("type") == "query":
            yield found["query"]


def _of_prometheus(source: Any) -> bool:
    """Whether a panel asks Prometheus, as far as it says whom it asks."""
    return not isinstance(source, dict) or source.get("type", "prometheus") == "prometheus"


@lru_cache(maxsize=4096)
def read(query: str) -> promql.Query | promql.PromQLError:
    """Read a query, or say why it cannot be read."""
    try:
        return promql.parse(query)
    except promql.PromQLError as error:
        return error


def series(query: str) -> frozenset[str]:
    """What a query asks for; nothing when it cannot be read, which is said by itself."""
    found = read(query)
    return found.series if isinstance(found, promql.Query) else frozenset()


def _dead(repository: Repository) -> Iterator[Outcome]:
    """Find queries of series that an exporter no longer has."""
    for resource in objects(repository):
        for query, pointer in queries(resource):
            for name in sorted(series(query)):
                yield from _judge(repository, resource, pointer, name)


def _judge(
    repository: Repository, resource: Resource, pointer: str, name: str
) -> Iterator[Outcome]:
    for exporter in exporters():
        instead = exporter.replacement(name)
        if instead is not None:
            place = repository.locate(resource.origin, pointer)
            message = f"{resource.id} asks for {name}, which {exporter.name} no longer has"
            yield DEAD.fail(message, place, resource.id, f"Ask for {instead}.")
            return
        if name in exporter.known:
            yield Passed()
            return
        if exporter.prefix and name.startswith(exporter.prefix):
            yield Skipped(name, "it is in no list of known series")
            return


def _unbounded(repository: Repository) -> Iterator[Outcome]:
    """Find objectives at a bound that a histogram does not have."""
    known = {
        f"{name}_bucket": [str(float(bound)) for bound in bounds]
        for one in exporters()
        for name, bounds in one.buckets.items()
        if bounds
    }
    for resource in objects(repository):
        for query, pointer in queries(resource):
            found = read(query)
            if not isinstance(found, promql.Query):
                continue
            for one in found.selectors:
                for label, sign, bound in one.matchers:
                    if one.name not in known or label != "le" or sign != "=":
                        continue
                    if bound in {*known[one.name], "+Inf"}:
                        yield Passed()
                        continue
                    yield BOUND.fail(
                        f'{resource.id} asks for le="{bound}" of {one.name.removesuffix("_bucket")}'
                        ", which has no such bucket",
                        repository.locate(resource.origin, pointer),
                        resource.id,
                        f"Use one of {', '.join(known[one.name])}, as written here.",
                    )


def _unreadable(repository: Repository) -> Iterator[Outcome]:
    """Find queries that Prometheus cannot read, and dashboards that Grafana cannot."""
    for resource in objects(repository):
        for pointer, text in _dashboards(resource):
            if _json(text) is None:
                place = repository.locate(resource.origin, pointer)
                yield UNREADABLE.fail(f"{resource.id} has no JSON", place, resource.id)
        for query, pointer in queries(resource):
            found = read(query)
            if isinstance(found, promql.Query):
                yield Passed()
                continue
            place = repository.locate(resource.origin, pointer)
            near = query[max(0, found.at - 20) : found.at + 20].replace("\n", " ")
            yield UNREADABLE.fail(f"{resource.id}: {found}, near {near!r}", place, resource.id)


def _unrecorded(repository: Repository) -> Iterator[Outcome]:
    """Find queries of recorded series that no rule records."""
    rules = [one for one in objects(repository) if one.id.kind == "PrometheusRule"]
    recorded = {
        str(mapping(rule).get("record"))
        for one in rules
        for group in items(mapping(one.body, "spec"), "groups")
        for rule in items(mapping(group), "rules")
    }
    levels = {name.partition(":")[0] for name in recorded if ":" in name}
    exported = tuple(one.prefix for one in exporters() if one.prefix)
    for resource in objects(repository):
        for query, pointer in queries(resource):
            asked = (n for n in series(query) if ":" in n and not n.startswith(exported))
            for name in sorted(asked):
                if name in recorded:
                    yield Passed()
                elif name.partition(":")[0] not in levels:
                    yield Skipped(name, "no rule of this repository records it; a chart's may")
                else:
                    place = repository.locate(resource.origin, pointer)
                    what = f"{resource.id} asks for {name}, which no rule records"
                    yield UNRECORDED.fail(what, place, resource.id)


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
UNREADABLE = Check(
    "MET008",
    "Every query of rules, scalers and dashboards can be read",
    Severity.HIGH,
    "Write it as `promtool check rules` takes it.",
    _unreadable,
)
UNRECORDED = Check(
    "MET009",
    "What is asked of recorded series is recorded",
    Severity.MEDIUM,
    "Write the name as the rule has it, or write the rule.",
    _unrecorded,
)
CHECKS = (DEAD, BOUND, UNREADABLE, UNRECORDED)
