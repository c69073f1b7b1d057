"""A chart's folder as data: default values, their schema, and what it depends on."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from groundplan.schemas import reading
from groundplan.schemas.charts import ChartFiles, Dependency
from groundplan.schemas.explain import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_VALUES = ("values.yaml", "values.tmpl.yaml")
"""The second is what some projects make the first from when they release."""

_COMMENTED = re.compile(r"^\s*#[#\s]*(?:-\s+)?(?P<key>[A-Za-z_][\w.-]*):(?:\s|$)")


def read(folder: Path) -> ChartFiles | None:
    """Read a chart's folder; None when it has no values.

    Raises:
        yaml.YAMLError: A file is not YAML.
        ValueError: The schema is not JSON.
    """
    file = next((folder / name for name in _VALUES if (folder / name).is_file()), None)
    if file is None:
        return None
    text = file.read_text("utf-8")
    values = reading.document(text)
    about = folder / "Chart.yaml"
    chart = reading.document(about.read_bytes()) if about.is_file() else {}
    schema = folder / "values.schema.json"
    return ChartFiles(
        name=str(chart.get("name", folder.name)),
        version=str(chart.get("version", "")),
        values=values if isinstance(values, dict) else {},
        schema=json.loads(schema.read_bytes()) if schema.is_file() else None,
        commented=_commented(text),
        dependencies=tuple(_dependency(entry) for entry in chart.get("dependencies") or ()),
    )


def _dependency(entry: Mapping[str, Any]) -> Dependency:
    name = str(entry["name"])
    return Dependency(str(entry.get("alias", name)), name, str(entry.get("version", "")))


def _commented(text: str) -> dict[str, tuple[str, ...]]:
    """Find the keys that are only there as a comment, for every object around the comment."""
    lines = [
        (number, match["key"])
        for number, line in enumerate(text.splitlines())
        if (match := _COMMENTED.match(line))
    ]
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    found = {}
    for path, first, last in _objects(root, (), 0):
        if names := {name for number, name in lines if first <= number <= last}:
            found[pointer(path)] = tuple(sorted(names))
    return found


def _objects(
    node: yaml.Node | None, path: tuple[str | int, ...], first: int
) -> Iterator[tuple[tuple[str | int, ...], int, int]]:
    """Walk the mappings with their first and last lines.

    The comments between an object's own key and its first one belong to it as much as those below
    the last.
    """
    if isinstance(node, yaml.MappingNode):
        yield path, first, node.end_mark.line
        for key, value in node.value:
            yield from _objects(value, (*path, str(key.value)), key.end_mark.line)
