"""Whether anything looks at the clusters, and tells those who answer for what it sees."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.checks._objects import arguments, control_planes
from groundplan.findings import Location, Outcome, Passed, Severity
from groundplan.gitops.model import Engine
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from groundplan.gitops.model import Cluster
    from groundplan.repository import Repository

SCANNERS = frozenset({"kubescape-operator", "trivy-operator", "kyverno", "gatekeeper"})
"""Charts whose controllers look at what runs again and again."""
RECORDS = frozenset({"audit-log-path", "audit-webhook-config-file"})
"""Options of the API server that say where its audit log goes."""
_EVERY_DAY = frozenset({"@daily", "@midnight", "@hourly"})
DRIFT = re.compile(
    r"argocd_app_info|flux_resource_info|gotk_resource_info|gotk_reconcile|posture_scan_result"
)
"""Metrics that say whether a cluster is as git has it."""


def _scanned(cluster: Cluster) -> bool:
    charts = {release.chart for unit in cluster.units for release in unit.releases}
    jobs = (
        mapping(resource.body, "spec")
        for unit in cluster.units
        for resource in unit.resources
        if resource.id.kind == "CronJob"
    )
    return bool(charts & SCANNERS) or any(
        '"posture"' in json.dumps(job.get("jobTemplate")) and _daily(job) for job in jobs
    )


def _daily(job: Mapping[str, Any]) -> bool:
    """Whether a CronJob runs on every day."""
    schedule = str(job.get("schedule", ""))
    days = schedule.split()[2:]
    return job.get("suspend") is not True and (schedule in _EVERY_DAY or days == ["*"] * 3)


def _alerted(cluster: Cluster) -> bool:
    for unit in cluster.units:
        for resource in unit.resources:
            if resource.id.kind == "PrometheusRule" and DRIFT.search(json.dumps(resource.body)):
                return True
            named = mapping(resource.body, "spec", "providerRef").get("name")
            if (resource.id.group, resource.id.kind) == ("notification.toolkit.fluxcd.io", "Alert"):
                return bool(named and items(mapping(resource.body, "spec"), "eventSources"))
    return False


def _watched(repository: Repository) -> Iterator[Outcome]:
    """Find clusters at which nothing looks."""
    for graph in repository.graphs:
        if _scanned(graph.cluster):
            yield Passed()
        else:
            yield _failed(WATCHED, graph.cluster, "nothing looks at what runs there")


def _told(repository: Repository) -> Iterator[Outcome]:
    """Find clusters whose drift nobody is told of."""
    clusters = [graph.cluster for graph in repository.graphs]
    # One Argo CD looks after many clusters and speaks for all of them.
    hub = any(cluster.engine is Engine.ARGOCD and _alerted(cluster) for cluster in clusters)
    for cluster in clusters:
        if _alerted(cluster) or (hub and cluster.engine is Engine.ARGOCD):
            yield Passed()
        else:
            yield _failed(TOLD, cluster, "nobody is told when it differs from git")


def _audited(repository: Repository) -> Iterator[Outcome]:
    """Find control planes of one's own that keep no record of who did what."""
    for resource, config in control_planes(repository):
        given = arguments(config)
        if "audit-policy-file" in given and given & RECORDS:
            yield Passed()
            continue
        yield AUDITED.fail(
            f"{resource.id}: its API server writes no audit log",
            repository.locate(resource.origin, "/spec"),
            resource.id,
        )


def _failed(check: Check, cluster: Cluster, says: str) -> Outcome:
    return check.fail(f"cluster {cluster.name}: {says}", Location(cluster.path))


WATCHED = Check(
    "RUN001",
    "Something looks at every cluster every day",
    Severity.MEDIUM,
    "Add a scanner, such as a CronJob that runs `groundplan posture` every day.",
    _watched,
    "RUN-001",
)
TOLD = Check(
    "RUN002",
    "Somebody is told when a cluster differs from git",
    Severity.MEDIUM,
    "Add an alert on the engine's metrics, or a Flux Alert with a provider.",
    _told,
    "RUN-002",
)
AUDITED = Check(
    "RUN003",
    "A control plane of one's own writes an audit log",
    Severity.MEDIUM,
    "Give the API server --audit-policy-file, and --audit-log-path or --audit-webhook-config-file.",
    _audited,
    "RUN-002",
)
CHECKS = (WATCHED, TOLD, AUDITED)
