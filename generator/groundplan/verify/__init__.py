"""Has a real API server judge what each cluster of a repository would get."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.errors import NotEvaluatedError, UsageError
from groundplan.runners.kinds import discover
from groundplan.verify import policies, quotas, reconciliation, scheduling, tenants
from groundplan.verify.assertions import Assertion, Scene
from groundplan.verify.questions import REJECTED, TURNED_AWAY, WARNED
from groundplan.verify.record import Record
from groundplan.verify.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from groundplan.findings import Report
    from groundplan.gitops.model import Cluster
    from groundplan.repository import Repository
    from groundplan.runners.apiserver import ApiServer
    from groundplan.verify.reconciliation import Reconciled

ASSERTIONS = (
    policies.IN_FORCE,
    policies.REFUSE,
    tenants.KEPT_APART,
    tenants.TURNED_DOWN,
    quotas.STOP,
)
"""What must hold wherever there is an API server."""

SERVER = (REJECTED, WARNED, TURNED_AWAY)
"""What an API server says by itself."""


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
    """Seconds for CRDs, objects, pods and assertions."""
    units: tuple[Reconciled, ...] = ()
    """What the engine brought up, in its order."""


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
    record = Record(repository.locate)
    asked: tuple[Assertion, ...] = ASSERTIONS
    timings = []
    for cluster in chosen(repository.clusters, only):
        began = time.monotonic()
        progress(f"{cluster.name}: starting an API server")
        with start() as server:
            ready = time.monotonic()
            if not server.version.startswith(f"{repository.kubernetes}."):
                rules = f"the rules of Kubernetes {repository.kubernetes}"
                record.skipped(rules, f"the API server is {server.version}")
            policies.open_trial(server.client)
            units: tuple[Reconciled, ...] = ()
            if server.engine is not None:
                units = reconciliation.reconcile(repository, cluster, server, record, progress)
            rehearsal = Rehearsal(cluster, server, repository.schemas, record)
            rehearsal.run(progress)
            asked = _asked(server)
            _ask(asked, _scene(cluster, server), record, progress)
            done = time.monotonic()
        timings.append(
            Timing(cluster.name, server.version, rehearsal.sent, ready - began, done - ready, units)
        )
    engine = reconciliation.QUESTIONS if any(t.units for t in timings) else ()
    questions = (*SERVER, *(assertion.question for assertion in asked), *engine)
    return Verification(record.report(questions, subject), tuple(timings))


def _asked(server: ApiServer) -> tuple[Assertion, ...]:
    """What must hold on this server."""
    return (*ASSERTIONS, *scheduling.ASSERTIONS) if server.simulates_nodes else ASSERTIONS


def _scene(cluster: Cluster, server: ApiServer) -> Scene:
    """What assertions about one cluster are asked of, once its objects are there."""
    once = {resource.id.key: resource for unit in cluster.units for resource in unit.resources}
    minor = ".".join(server.version.split(".")[:2])
    kinds = discover(server.client)
    return Scene(server.client, kinds, tuple(once.values()), minor, server.controllers)


def _ask(
    assertions: tuple[Assertion, ...],
    scene: Scene,
    record: Record,
    progress: Callable[[str], None],
) -> None:
    for assertion in assertions:
        progress(f"asking: {assertion.question.title}")
        for said in assertion.ask(scene):
            record.take(assertion.question, said)


def chosen(clusters: tuple[Cluster, ...], only: str) -> tuple[Cluster, ...]:
    """The cluster of a name, or all of them when it is empty.

    Raises:
        UsageError: `verify.unknown-cluster`.
        NotEvaluatedError: `verify.no-cluster` when there is none at all.
    """
    if not clusters:
        raise NotEvaluatedError(
            "verify.no-cluster",
            "no entry point of Flux or Argo CD was found",
            fix="give the root of a GitOps repository",
        )
    found = tuple(cluster for cluster in clusters if only in {"", cluster.name})
    if not found:
        known = ", ".join(cluster.name for cluster in clusters)
        raise UsageError(
            "verify.unknown-cluster", f"there is no cluster {only}", fix=f"there are: {known}"
        )
    return found
