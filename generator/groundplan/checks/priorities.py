"""Who has an accelerator first: servers for which somebody waits, before work that can wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.checks._objects import PodOf, objects, pods
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.repository import Repository

_ENDS = {"Job", "CronJob"}
_SERVES = {"Deployment", "StatefulSet", "InferenceService", "LeaderWorkerSet"}
_SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The classes that every cluster has, with their values."""
_UNSAID = ""
"""In place of a class that a pod does not name."""


def _usurped(repository: Repository) -> Iterator[Outcome]:
    """Find jobs with accelerators that take the place of servers when there are too few."""
    values, polite = _classes(repository)
    wanting = [pod for pod in pods(repository) if pod.accelerated]
    servers = {
        values[name]: pod
        for pod in wanting
        if pod.resource.id.kind in _SERVES and (name := _class_of(pod)) in values
    }
    for job in wanting:
        if job.resource.id.kind not in _ENDS:
            continue
        name = _class_of(job)
        if name not in values:
            yield Skipped(str(job.resource.id), f"the priority {name} is not in this repository")
        elif servers and name not in polite and min(servers) < values[name]:
            victim = servers[min(servers)].resource.id
            yield USURPED.fail(
                f"{job.resource.id} takes the place of {victim} when accelerators are too few",
                repository.locate(job.resource.origin, job.place("/spec")),
                job.resource.id,
            )
        else:
            yield Passed()


def _classes(repository: Repository) -> tuple[Mapping[str, int], set[str]]:
    """The value of each class, and those that take nobody's place."""
    values: dict[str, int] = {_UNSAID: 0, **_SYSTEM}
    polite: set[str] = set()
    for resource in objects(repository):
        if (resource.id.group, resource.id.kind) != ("scheduling.k8s.io", "PriorityClass"):
            continue
        value = resource.body.get("value")
        names = [resource.id.name, *([_UNSAID] if resource.body.get("globalDefault") else [])]
        if isinstance(value, int):
            values.update(dict.fromkeys(names, value))
        if resource.body.get("preemptionPolicy") == "Never":
            polite.update(names)
    return values, polite


def _class_of(pod: PodOf) -> str:
    return str(mapping(pod.spec).get("priorityClassName", _UNSAID))


USURPED = Check(
    "GPU022",
    "Work that can wait does not take the place of servers",
    Severity.HIGH,
    "Give the server a PriorityClass of a higher value, or the job one that preempts Never.",
    _usurped,
)
CHECKS = (USURPED,)
