"""The network of each cluster, for the checks that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.gitops.model import Cluster
    from groundplan.posture.network.scene import Scene
    from groundplan.repository import Repository


def scenes(repository: Repository) -> Iterator[Scene]:
    """What each cluster has of policies, namespaces and workloads."""
    return (scene for _, scene in on_clusters(repository))


def on_clusters(repository: Repository) -> Iterator[tuple[Cluster, Scene]]:
    """The same, each with its cluster."""
    from groundplan.posture.model import State
    from groundplan.posture.network.policies import remembering
    from groundplan.posture.network.scene import Scene

    read = remembering()
    for graph in repository.graphs:
        cluster = graph.cluster
        resources = (r for unit in cluster.units for r in unit.resources)
        yield cluster, Scene.of(State(cluster.name, tuple(resources)), read)


def charted(cluster: Cluster) -> frozenset[str]:
    """Namespaces that charts bring objects to which nobody sees here."""
    return frozenset(release.namespace for unit in cluster.units for release in unit.releases)
