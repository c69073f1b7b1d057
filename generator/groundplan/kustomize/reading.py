"""Reads YAML as kustomize does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.scalars import EMPTY, EMPTY_IN_FLOW, Quoted, is_null, resolve

if TYPE_CHECKING:
    from groundplan.documents import Document

_PLAIN = "plain"
_MERGE = "<<"
_MOST_NODES = 1_000_000
_DEEPEST = 200

_WORDS = frozenset({"y", "n", "yes", "no", "on", "off"})
_TOLD_APART = re.compile(
    rb"(?m)(?:^|[\s\[{,:-])"
    rb"(?:[yY]|[nN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|\d{4}-\d{1,2}-\d{1,2}[^\s,\]}]*)"
    rb"[ \t]*\r?(?:$|[,\]}:#])"
)
"""Unquoted words that the two YAML libraries of the Kubernetes world read differently."""


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Composer(_LOADER):  # type: ignore[misc]
    """Composes nodes; leaves the meaning of scalars to `resolve`."""

    def resolve(self, kind: type[Node], _: str | None, implicit: Any) -> str:
        if kind is ScalarNode:
            return _PLAIN if implicit[0] else "tag:yaml.org,2002:str"
        return "tag:yaml.org,2002:map" if kind is MappingNode else "tag:yaml.org,2002:seq"

    def descend_resolver(self, *_: object) -> None:
        """No paths decide tags here."""

    def ascend_resolver(self) -> None:
        """No paths decide tags here."""


def read(content: bytes | str) -> list[Any]:
    """All documents of a text that are not empty.

    Raises:
        RefusedError: `syntax` when it is not YAML.
    """
    try:
        composer = _Composer(content)
        documents = []
        while composer.check_node():
            node = composer.get_node()
            value = _Construction().value(node) if node is not None else None
            if not is_null(value):
                documents.append(value)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RefusedError(f"not YAML: {_first_line(error)}", "syntax") from error
    return documents


def exact(content: bytes, documents: tuple[Document, ...]) -> bool:
    """Whether documents that were read for the API server are also what kustomize reads."""
    return not _TOLD_APART.search(content) and not any(
        _has_null(document.body) or _odd_annotations(document.body) for document in documents
    )


def copied(value: Any) -> Any:
    """A copy that shares nothing with the original, not even through YAML anchors."""
    # Most of what is copied are plain texts; a call for each is most of the time.
    if isinstance(value, dict):
        return {
            key if type(key) is str else str(key): item if type(item) is str else copied(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [item if type(item) is str else copied(item) for item in value]
    return value


def requoted(value: Any) -> Any:
    """Values that went through JSON: of the texts, only those stay quoted that must be."""
    if isinstance(value, dict):
        return {key: requoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [requoted(item) for item in value]
    if not isinstance(value, str):
        return value
    must = not isinstance(resolve(value), str) or value.lower() in _WORDS or "\n" in value
    return Quoted(value) if must else str(value)


def quoted(value: Any) -> Any:
    """Values out of a JSON text, where every text is quoted."""
    if isinstance(value, dict):
        return {key: quoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [quoted(item) for item in value]
    return Quoted(value) if isinstance(value, str) else value


class _Construction:
    """Values of one document's nodes, within the bounds that keep aliases from exploding."""

    def __init__(self) -> None:
        self._left = _MOST_NODES

    def value(self, node: Node, depth: int = 0) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise RefusedError("it is nested or repeated beyond measure", "syntax")
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if isinstance(node, SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        result: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, ScalarNode):
                raise RefusedError("a key is not a scalar", "syntax")
            if key.value == _MERGE and key.tag == _PLAIN:
                for name, inherited in self._inherited(item, depth).items():
                    result.setdefault(name, inherited)
                continue
            value = self.value(item, depth + 1)
            flow = getattr(node, "flow_style", False)
            result[key.value] = EMPTY_IN_FLOW if value is EMPTY and flow else value
        return result

    def _inherited(self, node: Node, depth: int) -> dict[str, Any]:
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        result: dict[str, Any] = {}
        for value in [self.value(item, depth + 1) for item in nodes]:
            if not isinstance(value, dict):
                raise RefusedError("`<<` does not name a map", "syntax")
            for name, inherited in value.items():
                result.setdefault(name, inherited)
        return result


def _scalar(node: ScalarNode) -> Any:
    if node.tag == _PLAIN:
        return resolve(node.value)
    if node.tag in ("tag:yaml.org,2002:str", "!"):
        return Quoted(node.value) if node.style else node.value
    if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool"):
        return resolve(node.value)
    if node.tag == "tag:yaml.org,2002:null":
        return None
    raise RefusedError(f"the tag {node.tag} is not supported", "unsupported")


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return value is None
    return any(type(item) is not str and _has_null(item) for item in value)


def _odd_annotations(body: Any) -> bool:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return False
    return not all(isinstance(value, str) for value in annotations.values())


def _first_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{what} (line {mark.line + 1})" if mark is not None else str(what)
