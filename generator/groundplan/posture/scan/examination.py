"""One scan: what runs beyond what git declares, and the exceptions that have run out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from groundplan.posture import examination, outcomes
from groundplan.posture.comparison import Side
from groundplan.posture.drift import cluster as running
from groundplan.posture.exceptions import reading, states
from groundplan.posture.scan import incluster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from groundplan.findings import Report
    from groundplan.repository import Repository
    from groundplan.runners.client import Client
    from groundplan.runners.kinds import Kinds


def scan(
    repository: Repository, cluster: str, client: Client, known: Kinds, today: date
) -> tuple[Report, Mapping[str, str]]:
    """Compare the cluster with what the repository declares for it.

    Gives the findings, and who owns each namespace.

    Raises:
        UsageError: `posture.no-such-cluster`.
        ToolError: `cluster.unreadable`.
    """
    side = Side(repository.tree, {one.name: one for one in repository.clusters})
    read = partial(incluster.read, client=client, known=known)
    drift = running.drift(side, side, cluster, read, today)
    declared, faults = reading.read(repository.tree.files)
    here = [one for one in declared if cluster in (one.scope.clusters or (cluster,))]
    # How old they are, only git's history knows, which is not fetched.
    standings = states.standings(repository, here, {}, today)
    policies = examination.policies(repository)
    wrong = outcomes.of_exceptions(policies, standings, faults)
    report = outcomes.together(outcomes.of_drift(drift, cluster), wrong)
    return report, _namespaces(side, cluster)


def _namespaces(side: Side, cluster: str) -> Mapping[str, str]:
    owners = side.owners_of(cluster)
    found: dict[str, str] = {}
    for resource in side.state(cluster).resources:
        if resource.id.kind == "Namespace":
            owner = owners.of(resource)
            if owner:
                found[resource.id.name] = owner.name
    return found
