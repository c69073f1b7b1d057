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
    definitions: Mapping[str, Node] = schema.get("definitions", {})
    nodes = list(_flat(schema, definitions))
    for step in path:
        below = [child for node in nodes for child in _step(node, step)]
        nodes = [flat for child in below for flat in _flat(child, definitions)]
    return nodes


def _step(node: Node, step: str | int) -> Iterator[Node]:
    if isinstance(step, int):
        child = node.get("items")
    else:
        properties = node.get("properties", {})
        child = properties.get(step, node.get("additionalProperties"))
    if isinstance(child, Mapping):
        yield child


def _flat(node: Node, definitions: Mapping[str, Node]) -> Iterator[Node]:
    """Yield a schema and those that apply beside it."""
    yield node
    ref = node.get("$ref")
    if isinstance(ref, str):
        yield from _flat(definitions[ref.removeprefix("#/definitions/")], definitions)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for child in node.get(keyword, ()):
            yield from _flat(child, definitions)
