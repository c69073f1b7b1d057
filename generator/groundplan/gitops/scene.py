"""What every loader works on: the files, their objects, and builders that share their work."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundplan import documents as yaml_documents
from groundplan.kustomize import Builder

if TYPE_CHECKING:
    from groundplan.documents import Document, YamlProblem
    from groundplan.resources import Resource
    from groundplan.tree import Tree

_SCHEME = re.compile(r"^(?:[a-z+]+://)?(?:[^@/]+@)?")


class Scene:
    """A repository as the engines see it."""

    def __init__(
        self,
        tree: Tree,
        documents: Mapping[str, tuple[Document, ...]],
        yaml_problems: Iterable[YamlProblem] = (),
    ) -> None:
        self.tree = tree
        self.documents = documents
        self._yaml_problems = tuple(yaml_problems)

    @cached_property
    def written(self) -> tuple[Resource, ...]:
        """All objects as they are written, in path order."""
        return yaml_documents.resources(
            document for path in sorted(self.documents) for document in self.documents[path]
        )

    def of_kind(self, group: str, *kinds: str) -> tuple[Resource, ...]:
        """Written objects of some kinds."""
        return tuple(r for r in self.written if r.id.group == group and r.id.kind in kinds)

    @cached_property
    def custom_scopes(self) -> Mapping[tuple[str, str], str]:
        """The scope of each kind whose definition is in the repository."""
        return {
            (
                str(dig(definition.body, "spec", "group", default="")),
                str(dig(definition.body, "spec", "names", "kind", default="")),
            ): str(dig(definition.body, "spec", "scope", default=""))
            for definition in self.of_kind("apiextensions.k8s.io", "CustomResourceDefinition")
        }

    @cached_property
    def flux_builder(self) -> Builder:
        """Builds as Flux does: files may lie anywhere in the repository, nothing is sorted."""
        return Builder(
            self.tree,
            self.documents,
            yaml_problems=self._yaml_problems,
            confined=False,
            sort=False,
        )

    @cached_property
    def plain_builder(self) -> Builder:
        """Builds as the kustomize command does."""
        return Builder(self.tree, self.documents, yaml_problems=self._yaml_problems)

    @cached_property
    def argo_builder(self) -> Builder:
        """Builds as Argo CD does, with the load restrictor that the repository sets."""
        unconfined = any(b"LoadRestrictionsNone" in data for data in self.tree.files.values())
        return Builder(
            self.tree,
            self.documents,
            yaml_problems=self._yaml_problems,
            confined=not unconfined,
        )


def folder(path: str) -> str:
    """A folder's path as the tree has it."""
    normal = posixpath.normpath(posixpath.join("/", path or ".")).lstrip("/")
    return "" if normal == "." else normal


def same_repository(one: str, other: str) -> bool:
    """Whether two URLs mean the same repository, however they are reached."""
    return bool(one) and _bare(one) == _bare(other)


def is_mirror(one: str, other: str) -> bool:
    """Whether a URL is another one, or has its whole address below a registry's own."""
    return same_repository(one, other) or _bare(one).endswith(f"/{_bare(other)}")


def _bare(url: str) -> str:
    place = _SCHEME.sub("", url.strip().lower()).removesuffix("/").removesuffix(".git")
    host, separator, path = place.partition(":")
    if separator and not path[:1].isdigit():
        place = f"{host}/{path}"
    elif separator:
        place = f"{host}/{path.partition('/')[2]}"
    return place.replace("//", "/")


def dig(body: Any, *path: str, default: Any = None) -> Any:
    """A value deep inside maps, or the default when something on the way is missing."""
    for part in path:
        if not isinstance(body, Mapping) or body.get(part) is None:
            return default
        body = body[part]
    return body


def section(body: Any, *path: str) -> Mapping[str, Any]:
    """A map deep inside maps; an empty one when there is something else or nothing."""
    found = dig(body, *path)
    return found if isinstance(found, Mapping) else {}


def entries(body: Any, *path: str) -> list[Any]:
    """A list deep inside maps; an empty one when there is something else or nothing."""
    found = dig(body, *path)
    return found if isinstance(found, list) else []


def maps(body: Any, *path: str) -> list[Mapping[str, Any]]:
    """The maps in a list deep inside maps."""
    return [entry for entry in entries(body, *path) if isinstance(entry, Mapping)]
