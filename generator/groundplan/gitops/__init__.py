"""What Flux or Argo CD would apply from a repository, cluster by cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.documents import Document, YamlProblem
    from groundplan.gitops.model import Cluster
    from groundplan.tree import Tree


def load_clusters(
    tree: Tree,
    documents: Mapping[str, tuple[Document, ...]],
    yaml_problems: Iterable[YamlProblem] = (),
) -> tuple[Cluster, ...]:
    """Find the entry points of a repository and build everything that is reached from them.

    Nothing is fetched or executed; what cannot be known is a `Problem` of the unit concerned.

    Args:
        tree: The repository's files.
        documents: Their YAML documents.
        yaml_problems: What was wrong with them: a build does not go on without such a file.
    """
    # Builds name their problems with this package's model, so it cannot import them first.
    from groundplan.gitops import argocd, flux, plain
    from groundplan.gitops.scene import Scene

    scene = Scene(tree, documents, yaml_problems)
    return (*flux.load(scene), *argocd.load(scene)) or plain.load(scene)
