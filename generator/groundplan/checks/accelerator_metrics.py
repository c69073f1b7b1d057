"""Metrics of accelerators: the exporter reaches them, and queries know its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan import promql
from groundplan.checks import Check
from groundplan.checks._objects import ACCELERATOR, PodOf, PodRule, Rule, objects, pods
from groundplan.checks.model_metrics import selected
from groundplan.checks.queries import SCALED_OBJECT, queries, read, series, triggers
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository
    from groundplan.resources import Resource

_FIELDS = "DCGM_FI_"
_WORKLOAD = frozenset(("pod", "namespace", "container"))
_NODE = frozenset(("Hostname", "hostname"))
_BUSY = frozenset(("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"))
_SCALER = ("autoscaling", "HorizontalPodAutoscaler")


def _exports(pod: PodOf) -> bool:
    return any("dcgm-exporter" in str(one.get("image")) for one, _ in pod.containers)


def _kept_away(pod: PodOf) -> Iterator[Fault]:
    if pod.resource.id.kind != "DaemonSet":
        return
    for toleration in map(mapping, items(pod.spec, "tolerations")):
        everything = toleration.get("operator") == "Exists" and "key" not in toleration
        effect = toleration.get("effect", "NoSchedule")
        if effect == "NoSchedule" and (everything or toleration.get("key") == ACCELERATOR):
            return
    yield "/spec", f"is kept away from nodes with the taint {ACCELERATOR}, which it is for"


def _environment(pod: PodOf) -> dict[str, str]:
    return {
        str(one.get("name")): str(one.get("value")).lower()
        for container, _ in pod.containers
        for one in map(mapping, items(container, "env"))
    }


def _shared(repository: Repository) -> bool:
    """Whether pods have parts of accelerators: slices of time, of memory, or of the card."""
    return any("sharing:" in str(text) for text in _settings(repository)) or _sliced(repository)


def _settings(repository: Repository) -> Iterator[object]:
    for one in objects(repository):
        if one.id.kind == "ConfigMap":
            yield from mapping(one.body, "data").values()


def _sliced(repository: Repository) -> bool:
    return any(
        name.startswith("nvidia.com/mig-")
        for pod in pods(repository)
        for container, _ in pod.containers
        for name in mapping(container, "resources", "limits")
    )


def _claimed(repository: Repository) -> bool:
    return any(
        one.id.group == "resource.k8s.io" and "gpu.nvidia.com" in str(one.body)
        for one in objects(repository)
    )


def _unattributed(repository: Repository) -> Iterator[Outcome]:
    """Find exporters that do not say which pods share an accelerator or have claimed it."""
    wanted = {
        "KUBERNETES_VIRTUAL_GPUS": ("shared", _shared(repository)),
        "KUBERNETES_ENABLE_DRA": ("claimed", _claimed(repository)),
    }
    for pod in filter(_exports, pods(repository)):
        environment = _environment(pod)
        lost = [
            (name, how)
            for name, (how, needed) in wanted.items()
            if needed and environment.get(name) != "true"
        ]
        for name, how in lost:
            yield UNATTRIBUTED.fail(
                f"{pod.resource.id} does not say which pods have accelerators that are {how}",
                repository.locate(pod.resource.origin, pod.place("/spec")),
                pod.resource.id,
                f'Set {name} to "true".',
            )
        if not lost:
            yield Passed()


def _asked(repository: Repository) -> Iterator[tuple[Resource, str, promql.Query]]:
    """Walk the queries of accelerators, each with its object and place."""
    for resource in objects(repository):
        for query, pointer in queries(resource):
            found = read(query)
            if isinstance(found, promql.Query) and any(
                one.name.startswith(_FIELDS) for one in found.selectors
            ):
                yield resource, pointer, found


def _labels(query: promql.Query) -> frozenset[str]:
    """The labels of accelerators' series that a query uses."""
    own = [one for one in query.selectors if one.name.startswith(_FIELDS)]
    matched = {label for one in own for label, _, _ in one.matchers}
    return frozenset(matched | (query.labels if len(own) == len(query.selectors) else set()))


def _honoured(repository: Repository) -> bool | None:
    """Whether what scrapes the exporter keeps the exporter's labels; none if it is not here."""
    found = [
        mapping(endpoint)
        for one in objects(repository)
        if one.id.kind in ("PodMonitor", "ServiceMonitor") and "dcgm" in one.id.name
        for key in ("podMetricsEndpoints", "endpoints")
        for endpoint in items(mapping(one.body, "spec"), key)
    ]
    return any(endpoint.get("honorLabels") is True for endpoint in found) if found else None


def _mistaken(repository: Repository) -> Iterator[Outcome]:
    """Find queries that take the exporter's pod for the one that has the accelerator."""
    honoured = _honoured(repository)
    for resource, pointer, query in _asked(repository):
        taken = sorted(_labels(query) & _WORKLOAD)
        if not taken or honoured:
            yield Passed()
        elif honoured is None:
            yield Skipped("labels of accelerators", "what scrapes the exporter is not here")
        else:
            label = taken[0]
            yield MISTAKEN.fail(
                f"{resource.id} asks for the {label} of accelerators, which is the exporter's own",
                repository.locate(resource.origin, pointer),
                resource.id,
                f"Ask for exported_{label}, or set honorLabels where the exporter is scraped.",
            )


def _one_spelling(repository: Repository) -> Iterator[Outcome]:
    """Find queries that know the node by one of the names that exporters give it."""
    for resource, pointer, query in _asked(repository):
        spelt = sorted(_labels(query) & _NODE)
        if len(spelt) == 1:
            what = f"{resource.id} knows nodes as {spelt[0]}; other versions spell it otherwise"
            place = repository.locate(resource.origin, pointer)
            yield ONE_SPELLING.fail(what, place, resource.id)
        else:
            yield Passed()


def _absent_with_mig(repository: Repository) -> Iterator[Outcome]:
    """Find queries of utilisation where accelerators are cut into slices."""
    sliced = _sliced(repository)
    for resource, pointer, query in _asked(repository):
        if sliced and "DCGM_FI_DEV_GPU_UTIL" in query.series:
            what = f"{resource.id} asks for DCGM_FI_DEV_GPU_UTIL, which slices (MIG) do not have"
            place = repository.locate(resource.origin, pointer)
            yield ABSENT_WITH_MIG.fail(what, place, resource.id)
        else:
            yield Passed()


def _by_utilisation(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, metadata in triggers(body):
        if series(str(metadata.get("query", ""))) & _BUSY:
            at = f"/spec/triggers/{number}/metadata/query"
            yield at, "scales by how busy accelerators are, which one request makes them"


def _unnameable(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, metric in enumerate(map(mapping, items(mapping(body, "spec"), "metrics"))):
        for kind in ("pods", "external", "object"):
            name = str(mapping(metric, kind, "metric").get("name", ""))
            if ":" in name:
                at = f"/spec/metrics/{number}/{kind}/metric/name"
                yield at, f"asks for {name}, and no adapter serves a name with a colon"


def _twice(repository: Repository) -> Iterator[Outcome]:
    """Find monitors that keep when each series of an engine began."""
    servers = [
        pod
        for pod in pods(repository)
        if any("vllm" in str(one.get("image")) for one, _ in pod.containers) and pod.accelerated
    ]
    for monitor in objects(repository):
        if monitor.id.kind != "PodMonitor" or not any(selected(monitor, pod) for pod in servers):
            continue
        endpoints = items(mapping(monitor.body, "spec"), "podMetricsEndpoints")
        for number, endpoint in enumerate(map(mapping, endpoints)):
            dropped = any(
                relabelling.get("action") == "drop" and "_created" in str(relabelling.get("regex"))
                for relabelling in map(mapping, items(endpoint, "metricRelabelings"))
            )
            if dropped:
                yield Passed()
                continue
            place = repository.locate(monitor.origin, f"/spec/podMetricsEndpoints/{number}")
            what = f"{monitor.id} keeps the series *_created, which nobody asks for"
            yield TWICE.fail(what, place, monitor.id)


UNATTRIBUTED = Check(
    "MET011",
    "Accelerators that are shared or claimed are told to belong to their pods",
    Severity.MEDIUM,
    "Tell the exporter that accelerators are shared or claimed.",
    _unattributed,
)
MISTAKEN = Check(
    "MET012",
    "Queries of accelerators name the pod that has them",
    Severity.MEDIUM,
    "Ask for the labels that begin with exported_.",
    _mistaken,
)
ONE_SPELLING = Check(
    "MET013",
    "Queries of accelerators know nodes in every version of the exporter",
    Severity.LOW,
    "Group by Hostname and hostname, or relabel the node when it is scraped.",
    _one_spelling,
)
ABSENT_WITH_MIG = Check(
    "MET014",
    "Queries of slices ask for what slices have",
    Severity.MEDIUM,
    "Ask for DCGM_FI_PROF_GR_ENGINE_ACTIVE.",
    _absent_with_mig,
)
TWICE = Check(
    "MET017",
    "Monitors of model servers leave out when each series began",
    Severity.LOW,
    "Drop vllm:.+_created by metricRelabelings.",
    _twice,
)
RULES = (
    PodRule(
        "MET010",
        "The exporter of accelerators tolerates their nodes",
        Severity.HIGH,
        "Tolerate nvidia.com/gpu.",
        _exports,
        _kept_away,
    ),
    Rule(
        "MET015",
        "Models are scaled by what waits, not by how busy accelerators are",
        Severity.LOW,
        "Scale by waiting requests and the key-value cache.",
        (SCALED_OBJECT,),
        _by_utilisation,
    ),
    Rule(
        "MET016",
        "Autoscalers ask for metrics that an adapter can serve",
        Severity.HIGH,
        "Use KEDA, or let the adapter rename it.",
        (_SCALER,),
        _unnameable,
    ),
)
CHECKS = (
    UNATTRIBUTED,
    MISTAKEN,
    ONE_SPELLING,
    ABSENT_WITH_MIG,
    TWICE,
    *(rule.check() for rule in RULES),
)
