"""Files as a kustomization names them: inside the tree, read once, never fetched."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from groundplan import documents as yaml_documents
from groundplan.documents import Document
from groundplan.kustomize.definition import FILE_NAMES
from groundplan.kustomize.objects import expanded
from groundplan.kustomize.problems import BuildError, RefusedError, problem
from groundplan.kustomize.reading import exact, read
from groundplan.resources import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.gitops.model import Problem
    from groundplan.kustomize.items import Item
    from groundplan.tree import Tree

_REMOTE = re.compile(
    r"git::|gh:|[a-zA-Z][a-zA-Z0-9+.-]*://|[\w.-]+@[\w.-]+[:/]|github\.com[:/]"
    r"|[\w-]+(\.[\w-]+)+/\S*(\?ref=|\?version=|\.git\b|//)"
)


class Files:
    """The files of a tree, parsed at most once each."""

    def __init__(
        self,
        tree: Tree,
        documents: Mapping[str, tuple[Document, ...]],
        broken: Mapping[str, str],
    ) -> None:
        self._tree = tree
        self._documents = documents
        self._broken = broken
        self._unreadable = {entry.path: entry for entry in tree.unreadable}
        self._children: dict[str, set[str]] = {"": set()}
        for file in tree.files:
            path = file
            while path:
                parent = posixpath.dirname(path)
                known = parent in self._children
                self._children.setdefault(parent, set()).add(path)
                if known:
                    break
                path = parent
        self._items: dict[str, tuple[Item, ...]] = {}
        self._styled: set[str] = set()

    def is_file(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._tree.files

    def is_folder(self, path: str) -> bool:
        """Whether there is such a folder."""
        return path in self._children

    def below(self, folder: str) -> tuple[str, ...]:
        """All files in a folder, in the order of a walk through it."""
        found: list[str] = []
        for path in sorted(self._children.get(folder, ())):
            if path in self._children:
                found.extend(self.below(path))
            else:
                found.append(path)
        return tuple(found)

    def kustomization(self, folder: str) -> str | None:
        """The kustomization file of a folder.

        Raises:
            BuildError: when there are several.
        """
        found = [p for p in (posixpath.join(folder, n) for n in FILE_NAMES) if self.is_file(p)]
        if len(found) > 1:
            message = f"{folder or 'the root'} has several kustomization files"
            raise BuildError(problem("kustomize", message, Origin(found[1])))
        return found[0] if found else None

    def locate(self, folder: str, name: str, origin: Origin, pointer: str) -> str:
        """The path of a file or folder that a kustomization names.

        Raises:
            BuildError: `remote-base`, `outside-tree` or `missing-path`.
        """
        path = posixpath.normpath(posixpath.join(folder, name))
        path = "" if path == "." else path
        if not name.startswith("/") and (self.is_file(path) or self.is_folder(path)):
            return path
        raise BuildError(self._why_not(name, path, origin, pointer))

    def content(self, path: str, origin: Origin, pointer: str) -> bytes:
        """What a file holds.

        Raises:
            BuildError: `missing-path` when it is a folder.
        """
        if not self.is_file(path):
            message = f"{path or 'the root'} is a folder, not a file"
            raise BuildError(problem("missing-path", message, origin, pointer))
        return self._tree.files[path]

    def body(self, path: str) -> Any:
        """The one document of a file.

        Raises:
            BuildError: `syntax` when it cannot be read.
        """
        documents = self._parsed(path)
        if len(documents) > 1:
            message = "has several documents, where one is expected"
            raise BuildError(problem("syntax", message, Origin(path)))
        return documents[0].body if documents else None

    def objects(self, path: str) -> tuple[Item, ...]:
        """The objects that a file holds; they may be changed only after copying.

        Raises:
            BuildError: `syntax` when something in it is no object.
        """
        if path not in self._items:
            try:
                self._items[path] = tuple(self._read_objects(path))
            except RefusedError as fault:
                raise BuildError(problem(fault.kind, fault.message, Origin(path))) from fault
        return self._items[path]

    def read_styles(self, path: str) -> None:
        """From now on, keep how the texts of a file are written."""
        self._styled.add(path)
        self._items.pop(path, None)

    def _read_objects(self, path: str) -> list[Item]:
        documents = self._parsed(path)
        content = self._tree.files[path]
        styled = path in self._styled or not exact(content, documents)
        if styled:
            bodies = read(content)
            if len(bodies) != len(documents):
                raise RefusedError("its documents cannot be told apart", "unsupported")
            pairs = zip(documents, bodies, strict=True)
            documents = tuple(Document(d.origin, body) for d, body in pairs)
        items = [
            item
            for document in documents
            if document.body not in (None, {})
            for item in expanded(document.body, document.origin, alone=len(documents) == 1)
        ]
        for item in items:
            item.styled = item.styled or styled
        return items

    def _parsed(self, path: str) -> tuple[Document, ...]:
        if path in self._broken:
            raise BuildError(problem("syntax", self._broken[path], Origin(path)))
        known = self._documents.get(path)
        if known:
            return known
        parsed, problems = yaml_documents.parse(path, self._tree.files[path])
        if problems:
            first = problems[0]
            message = f"line {first.line}: {first.message}"
            raise BuildError(problem("syntax", message, Origin(path, first.document)))
        return parsed

    def _why_not(self, name: str, path: str, origin: Origin, pointer: str) -> Problem:
        if _REMOTE.match(name):
            message = f"{name} is in another place; nothing is fetched"
            return problem("remote-base", message, origin, pointer)
        if name.startswith("/") or path.startswith("../") or path == "..":
            message = f"{name} is outside the repository"
            return problem("outside-tree", message, origin, pointer)
        for unreadable in self._unreadable:
            if path == unreadable or path.startswith(f"{unreadable}/"):
                entry = self._unreadable[unreadable]
                kind = "outside-tree" if entry.kind == "symlink-outside" else "missing-path"
                return problem(kind, f"{name}: {entry.message}", origin, pointer)
        return problem("missing-path", f"{name} does not exist", origin, pointer)
