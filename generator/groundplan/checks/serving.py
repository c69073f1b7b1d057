"""Model servers: they load for minutes, need shared memory, and lose answers when cut off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import PodOf, PodRule, objects, pods
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository

START_SECONDS = 600
"""The least that a model server is given to load its weights."""
READY_SECONDS = 60
"""The longest that a server which has died may still be sent requests."""
DRAIN_SECONDS = 60
"""The least that answers in progress are given to end."""
_GROUP = "LeaderWorkerSet"
_LONG_LIVED = {"Deployment", "StatefulSet", "InferenceService", _GROUP}
_REVISION = re.compile(r"^--(?:model-)?revision(?:=|$)")
_HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+$")
_SERVERS = re.compile(
    r"vllm|sglang|text-generation-inference|tensorrt|triton|lmdeploy", re.IGNORECASE
)


def _serves(pod: PodOf) -> bool:
    """Whether a pod serves a model and not only computes: it has a port and an accelerator.

    In a group of pods (LeaderWorkerSet) only one has a port, and all of them serve.
    """
    kind = pod.resource.id.kind
    if kind not in _LONG_LIVED or not pod.accelerated:
        return False
    return kind == _GROUP or any(items(c, "ports") for c, _ in pod.containers)


def _servers(pod: PodOf) -> Iterator[tuple[Mapping[str, Any], str]]:
    for container, place in pod.containers:
        if items(container, "ports") and not place.startswith("/spec/init"):
            yield container, place


def _seconds(probe: Mapping[str, Any]) -> int:
    """How long a probe may fail before something happens, by Kubernetes' defaults."""
    period = probe.get("periodSeconds", 10)
    failures = probe.get("failureThreshold", 3)
    numbers = (period, failures, probe.get("initialDelaySeconds", 0))
    if not all(isinstance(number, int) for number in numbers):
        return 0
    return int(period * failures + numbers[2])


def _hasty(pod: PodOf) -> Iterator[Fault]:
    for container, place in _servers(pod):
        if _seconds(mapping(container, "startupProbe")) < START_SECONDS:
            if "startupProbe" in container:
                yield f"{place}/startupProbe", f"has less than {START_SECONDS} s to load its model"
            elif "livenessProbe" in container:
                yield f"{place}/livenessProbe", "may be killed while it loads its model"


def _sluggish(pod: PodOf) -> Iterator[Fault]:
    for container, place in _servers(pod):
        probe = mapping(container, "readinessProbe")
        if probe and _seconds({**probe, "initialDelaySeconds": 0}) > READY_SECONDS:
            yield f"{place}/readinessProbe", "is sent requests for a minute and more after it died"


def _impatient(pod: PodOf) -> Iterator[Fault]:
    given = mapping(pod.resource.body, "spec").get("progressDeadlineSeconds", 600)
    needed = max((_seconds(mapping(c, "startupProbe")) for c, _ in _servers(pod)), default=0)
    if isinstance(given, int) and needed > given:
        yield "", f"may start for {needed} s and is called failed after {given} s"


def _is_deployed_server(pod: PodOf) -> bool:
    return _serves(pod) and pod.resource.id.kind == "Deployment"


def _cramped(pod: PodOf) -> Iterator[Fault]:
    shared = {
        str(mapping(mount).get("name"))
        for container, _ in pod.containers
        for mount in items(container, "volumeMounts")
        if mapping(mount).get("mountPath") == "/dev/shm"  # noqa: S108 - a mount path, not a file
    }
    if not shared:
        yield "/spec", "has 64 MiB of shared memory for several accelerators"


def _unbounded(pod: PodOf) -> Iterator[Fault]:
    for number, volume in enumerate(map(mapping, items(pod.spec, "volumes"))):
        empty = mapping(volume, "emptyDir")
        if empty.get("medium") == "Memory" and "sizeLimit" not in empty:
            yield f"/spec/volumes/{number}", "may fill the node's memory with files"


def _homeless(pod: PodOf) -> Iterator[Fault]:
    for container, place in _servers(pod):
        if "ephemeral-storage" not in mapping(container, "resources", "requests"):
            yield f"{place}/resources", "writes caches and asks for no ephemeral storage"


def _words(container: Mapping[str, Any]) -> list[str]:
    return [str(word) for field in ("command", "args") for word in items(container, field)]


def engines(pod: PodOf) -> Iterator[tuple[Mapping[str, Any], list[str], str]]:
    """The containers of a pod that run an engine, with their words and places."""
    for container, place in pod.containers:
        words = _words(container)
        if _SERVERS.search(str(container.get("image", ""))) or "vllm" in words:
            yield container, words, place


def has_engine(pod: PodOf) -> bool:
    """Whether a pod runs an engine."""
    return any(True for _ in engines(pod))


def _nameless(pod: PodOf) -> Iterator[Fault]:
    for _, words, place in engines(pod):
        model = _model(words)
        if model and _HUB_NAME.match(model) and not any(map(_REVISION.match, words)):
            yield f"{place}/args", f"loads whatever {model} is on the day it starts"


def _model(words: list[str]) -> str:
    """The model that an engine is told to serve; empty when it is not said here."""
    for number, word in enumerate(words):
        if word.startswith("--model="):
            return word.partition("=")[2]
        if word in {"--model", "serve"} and number + 1 < len(words):
            return words[number + 1]
    return ""


def _trusting(pod: PodOf) -> Iterator[Fault]:
    for _, words, place in engines(pod):
        if any(word.startswith("--trust-remote-code") for word in words):
            yield f"{place}/args", "runs code that comes with the model"


def _abrupt(pod: PodOf) -> Iterator[Fault]:
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    if isinstance(grace, int) and grace < DRAIN_SECONDS:
        yield "/spec", f"cuts answers off after {grace} s"


def _shared_alone(repository: Repository) -> Iterator[Outcome]:
    """Find several replicas with one volume that only one node can have."""
    claims = {
        (r.id.namespace, r.id.name): items(mapping(r.body, "spec"), "accessModes")
        for r in objects(repository)
        if r.id.kind == "PersistentVolumeClaim"
    }
    for pod in pods(repository):
        replicas = mapping(pod.resource.body, "spec").get("replicas", 1)
        if pod.resource.id.kind != "Deployment" or not isinstance(replicas, int) or replicas < 2:
            continue
        names = {
            str(mapping(mapping(v), "persistentVolumeClaim").get("claimName"))
            for v in items(pod.spec, "volumes")
        }
        alone = [
            name
            for name in sorted(names)
            if (modes := claims.get((pod.resource.id.namespace, name)))
            and set(modes) <= {"ReadWriteOnce", "ReadWriteOncePod"}
        ]
        if alone:
            yield ALONE.fail(
                f"{pod.resource.id} has {replicas} replicas and the volume {alone[0]}, "
                "which one node can have at a time",
                repository.locate(pod.resource.origin, pod.place("/spec/volumes")),
                pod.resource.id,
            )
        else:
            yield Passed()


def _mistaken(repository: Repository) -> Iterator[Outcome]:
    """Find servers that read their settings from a Service's environment variables."""
    services = {(r.id.namespace, r.id.name) for r in objects(repository) if r.id.kind == "Service"}
    for pod in pods(repository):
        if not has_engine(pod):
            continue
        links = pod.spec.get("enableServiceLinks", True)
        if links and (pod.resource.id.namespace, "vllm") in services:
            yield MISTAKEN.fail(
                f"{pod.resource.id} takes VLLM_PORT of the Service vllm for a setting",
                repository.locate(pod.resource.origin, pod.place("/spec")),
                pod.resource.id,
            )
        else:
            yield Passed()


ALONE = Check(
    "SRV008",
    "Replicas on several nodes can all have their volume",
    Severity.HIGH,
    "Use ReadWriteMany or ReadOnlyMany, an image volume, or a claim for each replica.",
    _shared_alone,
)
MISTAKEN = Check(
    "SRV009",
    "No Service's name becomes an engine's setting",
    Severity.MEDIUM,
    "Set enableServiceLinks to false, or name the Service after the model.",
    _mistaken,
)
RULES = (
    PodRule(
        "SRV001",
        "A model server has time to load",
        Severity.HIGH,
        "Add a startupProbe of ten minutes or more; the other probes wait for it.",
        _serves,
        _hasty,
    ),
    PodRule(
        "SRV002",
        "A model server that died is noticed",
        Severity.LOW,
        "Let readiness fail within a minute; the startup probe covers loading.",
        _serves,
        _sluggish,
    ),
    PodRule(
        "SRV003",
        "A slow start is not called a failure",
        Severity.MEDIUM,
        "Set progressDeadlineSeconds above the time of the startup probe and of pulling the image.",
        _is_deployed_server,
        _impatient,
    ),
    PodRule(
        "SRV004",
        "Several accelerators have shared memory",
        Severity.HIGH,
        "Mount an emptyDir of medium Memory with a sizeLimit at /dev/shm.",
        lambda pod: _serves(pod) and pod.accelerators > 1,
        _cramped,
    ),
    PodRule(
        "SRV005",
        "Memory volumes have a limit",
        Severity.MEDIUM,
        "Set sizeLimit, and count it within the container's memory limit.",
        lambda pod: bool(items(pod.spec, "volumes")),
        _unbounded,
    ),
    PodRule(
        "SRV006",
        "Model servers ask for the disk that they fill",
        Severity.MEDIUM,
        "Request and limit ephemeral-storage; else the node evicts the pod when its disk is full.",
        _serves,
        _homeless,
    ),
    PodRule(
        "SRV007",
        "A model is named by what it is",
        Severity.HIGH,
        "Give --revision a commit, or serve from a path or an image digest.",
        has_engine,
        _nameless,
    ),
    PodRule(
        "SRV010",
        "A model server ends its answers",
        Severity.LOW,
        "Set terminationGracePeriodSeconds above the longest answer, and a preStop sleep.",
        _serves,
        _abrupt,
    ),
    PodRule(
        "SRV011",
        "A model brings no code",
        Severity.HIGH,
        "Remove --trust-remote-code, or build the code into the image.",
        has_engine,
        _trusting,
    ),
)
CHECKS = (ALONE, MISTAKEN, *(rule.check() for rule in RULES))
