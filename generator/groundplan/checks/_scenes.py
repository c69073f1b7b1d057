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
    return iter(repository.scenes)


def on_clusters(repository: Repository) -> Iterator[tuple[Cluster, Scene]]:
    """The same, each with its cluster."""
    clusters = (graph.cluster for graph in repository.graphs)
    return zip(clusters, repository.scenes, strict=True)


def charted(cluster: Cluster) -> frozenset[str]:
    """Namespaces that charts bring objects to which nobody sees here."""
    return frozenset(release.namespace for unit in cluster.units for release in unit.releases)
