"""Has a real API server judge what each cluster of a repository would get."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.errors import NotEvaluatedError, UsageError
from groundplan.findings import (
    Failed,
    Finding,
    Location,
    Outcome,
    Passed,
    Report,
    Result,
    Severity,
    Skipped,
)
from groundplan.verify.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from groundplan.gitops.model import Cluster
    from groundplan.repository import Repository
    from groundplan.resources import Origin, Resource
    from groundplan.runners.apiserver import ApiServer
    from groundplan.verify.rejections import Fault


@dataclass(frozen=True, slots=True)
class Question:
    """Something that only a running API server can answer."""

    id: str
    """Public and stable, like the id of a check."""
    title: str
    severity: Severity
    remediation: str


REJECTED = Question(
    "API001",
    "The API server accepts every object",
    Severity.HIGH,
    "change the object so that the API server takes it",
)
WARNED = Question(
    "API002",
    "The API server has no warning",
    Severity.LOW,
    "follow the warning; what is deprecated now is refused later",
)
TURNED_AWAY = Question(
    "API003",
    "The pods of every workload are admitted",
    Severity.HIGH,
    "change the pod template; the workload would be created, but never its pods",
)
QUESTIONS = (REJECTED, WARNED, TURNED_AWAY)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one cluster took."""

    cluster: str
    server: str
    """The API server's version."""
    objects: int
    start: float
    """Seconds until the API server was ready."""
    apply: float
    """Seconds for CRDs, objects and pods."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What the API server said, and how long it took."""

    report: Report
    timings: tuple[Timing, ...]


def verify(
    repository: Repository,
    start: Callable[[], AbstractContextManager[ApiServer]],
    *,
    only: str = "",
    subject: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Apply each cluster's objects to an API server of its own, started empty.

    Args:
        repository: What to apply.
        start: Starts an API server and ends it.
        only: The name of one cluster; all of them when it is empty.
        subject: What the report is about, as the user named it.
        progress: Told in a few words what is being done.

    Raises:
        UsageError: `verify.unknown-cluster`.
        NotEvaluatedError: `verify.no-cluster` when there is nothing to apply.
        ToolError: When an API server does not start, or ends before it should.
    """
    record = _Record(repository.locate)
    timings = []
    for cluster in _chosen(repository.clusters, only):
        began = time.monotonic()
        progress(f"{cluster.name}: starting an API server")
        with start() as server:
            ready = time.monotonic()
            if not server.version.startswith(f"{repository.kubernetes}."):
                rules = f"the rules of Kubernetes {repository.kubernetes}"
                record.skipped(rules, f"the API server is {server.version}")
            rehearsal = Rehearsal(cluster, server, repository.schemas, record)
            rehearsal.run(progress)
            done = time.monotonic()
        timings.append(
            Timing(cluster.name, server.version, rehearsal.sent, ready - began, done - ready)
        )
    return Verification(record.report(subject), tuple(timings))


def _chosen(clusters: tuple[Cluster, ...], only: str) -> tuple[Cluster, ...]:
    if not clusters:
        raise NotEvaluatedError(
            "verify.no-cluster",
            "no entry point of Flux or Argo CD was found",
            fix="give the root of a GitOps repository",
        )
    chosen = tuple(cluster for cluster in clusters if only in {"", cluster.name})
    if not chosen:
        known = ", ".join(cluster.name for cluster in clusters)
        raise UsageError(
            "verify.unknown-cluster", f"there is no cluster {only}", fix=f"there are: {known}"
        )
    return chosen


class _Record:
    """Takes down what the server says; equal findings of several clusters are one."""

    def __init__(self, locate: Callable[[Origin, str], Location]) -> None:
        self._locate = locate
        self._passed: Counter[str] = Counter()
        self._findings: dict[Finding, None] = {}
        self._skipped: Counter[tuple[str, str]] = Counter()

    def accepted(self, resource: Resource) -> None:  # noqa: ARG002
        self._passed[REJECTED.id] += 1

    def rejected(self, resource: Resource, fault: Fault) -> None:
        self._add(REJECTED, resource, fault.pointer, fault.message)

    def warned(self, resource: Resource, text: str) -> None:
        self._add(WARNED, resource, "", text)

    def admitted(self, resource: Resource) -> None:  # noqa: ARG002
        self._passed[TURNED_AWAY.id] += 1

    def turned_away(self, resource: Resource, fault: Fault) -> None:
        self._add(TURNED_AWAY, resource, fault.pointer, fault.message)

    def skipped(self, subject: str, reason: str, count: int = 1) -> None:
        self._skipped[subject, reason] += count

    def _add(self, question: Question, resource: Resource, pointer: str, message: str) -> None:
        place = self._locate(resource.origin, pointer)
        finding = Finding(
            question.id, message, question.severity, place, question.remediation, resource.id
        )
        self._findings[finding] = None

    def report(self, subject: str) -> Report:
        """Everything that was said, one result for each question."""
        return Report(tuple(Result(q.id, q.title, self._outcomes(q)) for q in QUESTIONS), subject)

    def _outcomes(self, question: Question) -> tuple[Outcome, ...]:
        passed = self._passed[question.id]
        outcomes: list[Outcome] = [Passed(passed)] if passed else []
        outcomes.extend(Failed(f) for f in self._findings if f.check_id == question.id)
        if question is REJECTED:
            outcomes.extend(Skipped(*key, count) for key, count in self._skipped.items())
        return tuple(outcomes)
