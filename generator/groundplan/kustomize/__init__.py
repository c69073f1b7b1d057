"""Builds kustomizations in process: equal to the kustomize command, without fetching or running.

What kustomize would fetch or execute is a problem of the build, never an action. So is everything
that this builder cannot do exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.kustomize import patches
from groundplan.kustomize.building import Build, Builder
from groundplan.kustomize.items import Item, Items
from groundplan.kustomize.problems import BuildError, RefusedError
from groundplan.kustomize.reading import copied
from groundplan.resources import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.documents import Document
    from groundplan.tree import Tree

__all__ = ["Build", "BuildError", "Builder", "build", "patched"]


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


def patched(body: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """One object after one entry of `patches`; unchanged when the patch is not for it."""
    items = Items([Item(copied(body), Origin(""), styled=True)])
    try:
        patches.apply(items, patches.parse(str(entry.get("patch", "")), entry), partial=True)
    except RefusedError:
        return dict(body)
    return items.members[0].body if len(items) else {}
