"""Builds kustomizations in process: equal to the kustomize command, without fetching or running.

What kustomize would fetch or execute is a problem of the build, never an action. So is everything
that this builder cannot do exactly.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplan.documents import Document
from groundplan.kustomize.building import Build, Builder
from groundplan.tree import Tree

__all__ = ["Build", "Builder", "build"]


def build(
    tree: Tree,
    documents: Mapping[str, tuple[Document, ...]],
    path: str,
    *,
    confined: bool = True,
) -> Build:
    """Build one folder as `kustomize build` would; use a `Builder` for several.

    Args:
        tree: The files.
        documents: Their YAML documents, as far as they are read already.
        path: The folder, relative to the tree.
        confined: Refuse files above a kustomization's own folder.
    """
    return Builder(tree, documents, confined=confined).build(path)
