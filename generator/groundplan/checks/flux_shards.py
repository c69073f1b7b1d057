"""Shards of Flux: each has controllers, and each has something to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.checks.flux_idiom import HELM, KUSTOMIZE, OPERATOR, SOURCE
from groundplan.findings import Outcome, Passed, Severity
from groundplan.gitops.scene import section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository
    from groundplan.resources import Resource

KEY = "sharding.fluxcd.io/key"
"""The label by which controllers choose, unless the FluxInstance names another."""


def _of_no_shard(repository: Repository) -> Iterator[Outcome]:
    """Find objects whose shard the cluster's FluxInstance does not have."""
    for resources, instance in _flux(repository):
        key, shards = _declared(instance)
        for resource, shard in _labelled(resources, key):
            if shard in shards:
                yield Passed()
            else:
                yield NOBODYS.fail(
                    f"{resource.id} is of the shard {shard}, which no controller looks after",
                    repository.locate(resource.origin, "/metadata/labels"),
                    resource.id,
                )


def _idle(repository: Repository) -> Iterator[Outcome]:
    """Find shards that nothing in the repository is of."""
    for resources, instance in _flux(repository):
        key, shards = _declared(instance)
        used = {shard for _, shard in _labelled(resources, key)}
        for index, shard in enumerate(shards):
            if shard in used:
                yield Passed()
            else:
                yield IDLE.fail(
                    f"nothing is of the shard {shard}, whose controllers run all the same",
                    repository.locate(instance.origin, f"/spec/sharding/shards/{index}"),
                    instance.id,
                )


def _flux(repository: Repository) -> Iterator[tuple[list[Resource], Resource]]:
    """What each cluster is given, and its FluxInstance, where there is one."""
    for graph in repository.graphs:
        resources = [r for unit in graph.cluster.units for r in unit.resources]
        for resource in resources:
            if (resource.id.group, resource.id.kind) == (OPERATOR, "FluxInstance"):
                yield resources, resource


def _declared(instance: Resource) -> tuple[str, list[str]]:
    """The label by which a FluxInstance shards, and its shards; none without sharding."""
    sharding = section(instance.body, "spec", "sharding")
    return str(sharding.get("key") or KEY), [str(name) for name in sharding.get("shards") or ()]


def _labelled(resources: list[Resource], key: str) -> Iterator[tuple[Resource, str]]:
    """Flux's objects with the label, and its value."""
    for resource in resources:
        labels = section(resource.body, "metadata", "labels")
        if resource.id.group in {HELM, KUSTOMIZE, SOURCE} and key in labels:
            yield resource, str(labels[key])


NOBODYS = Check(
    "FLX018",
    "What is of a shard has controllers",
    Severity.HIGH,
    "Name the shard in the FluxInstance's `sharding.shards`, or take the label away.",
    _of_no_shard,
)
IDLE = Check(
    "FLX019",
    "Every shard has something to do",
    Severity.LOW,
    "Label objects with the shard, or take it out of the FluxInstance's `sharding.shards`.",
    _idle,
)
CHECKS = (NOBODYS, IDLE)
