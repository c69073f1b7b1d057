"""Finding the schema of a field by its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]


def fields_at(schema: Node, path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the fields that an object at this path may have, sorted."""
    nodes = _nodes_at(schema, path)
    return tuple(sorted({name for node in nodes for name in node.get("properties", ())}))


def keyword_at(schema: Node, path: Sequence[str | int], keyword: str) -> Any:
    """Return a keyword of the schema at this path, or None."""
    for node in _nodes_at(schema, path):
        if keyword in node:
            return node[keyword]
    return None


def _nodes_at(schema: Node, path: Sequence[str | int]) -> list[Node]:
    """Return the schemas that apply at a path, references followed."""
    nodes = list(_flat(schema, schema, ()))
    for step in path:
        below = [child for node in nodes for child in _step(node, step)]
        nodes = [flat for child in below for flat in _flat(child, schema, ())]
    return nodes


def _step(node: Node, step: str | int) -> Iterator[Node]:
    if isinstance(step, int):
        child = node.get("items")
    else:
        properties = node.get("properties", {})
        child = properties.get(step, node.get("additionalProperties"))
    if isinstance(child, Mapping):
        yield child


def _flat(node: Node, root: Node, within: tuple[str, ...]) -> Iterator[Node]:
    """Yield a schema and those that apply beside it; `within` are references being followed."""
    yield node
    ref = node.get("$ref")
    if isinstance(ref, str) and ref not in within:
        yield from _flat(_resolved(root, ref), root, (*within, ref))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for child in node.get(keyword, ()):
            if isinstance(child, Mapping):
                yield from _flat(child, root, within)


def _resolved(root: Node, ref: str) -> Node:
    """Return what a reference inside the document names; elsewhere nothing is known."""
    node: Any = root
    if not ref.startswith("#"):
        return {}
    for step in ref.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        node = node.get(name, {}) if isinstance(node, Mapping) else {}
    return node if isinstance(node, Mapping) else {}
