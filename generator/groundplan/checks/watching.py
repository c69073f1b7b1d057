"""Whether anything looks at the clusters, and tells those who answer for what it sees."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Location, Outcome, Passed, Severity
from groundplan.gitops.model import Engine
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.gitops.model import Cluster
    from groundplan.repository import Repository

SCANNERS = frozenset({"kubescape-operator", "trivy-operator", "kyverno", "gatekeeper"})
"""Charts whose controllers look at what runs again and again."""
DRIFT = re.compile(
    r"argocd_app_info|flux_resource_info|gotk_resource_info|gotk_reconcile|posture_scan_result"
)
"""Metrics that say whether a cluster is as git has it."""


def _scanned(cluster: Cluster) -> bool:
    charts = {release.chart for unit in cluster.units for release in unit.releases}
    jobs = (
        json.dumps(mapping(resource.body, "spec", "jobTemplate"))
        for unit in cluster.units
        for resource in unit.resources
        if resource.id.kind == "CronJob"
    )
    return bool(charts & SCANNERS) or any('"posture"' in job for job in jobs)


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


def _failed(check: Check, cluster: Cluster, says: str) -> Outcome:
    return check.fail(f"cluster {cluster.name}: {says}", Location(cluster.path))


WATCHED = Check(
    "RUN001",
    "Something looks at every cluster again and again",
    Severity.MEDIUM,
    "Add a scanner, such as a CronJob that runs `groundplan posture`.",
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
CHECKS = (WATCHED, TOLD)
