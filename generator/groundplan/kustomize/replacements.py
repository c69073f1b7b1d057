"""Replacements: a value of one object copied into fields of others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from groundplan.kustomize.definition import REPLACEMENT, MisshapenError, decode
from groundplan.kustomize.fieldspecs import split_path
from groundplan.kustomize.items import NO_NAMESPACE, Gvk, Item, ItemId, Items
from groundplan.kustomize.problems import BuildError, RefusedError, problem
from groundplan.kustomize.reading import copied
from groundplan.kustomize.scalars import is_null, resolve, text
from groundplan.kustomize.selectors import fits_labels, pattern, selects_id
from groundplan.resources import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CREATED: Final = object()
"""A scalar that has just been created and takes whatever type its new value has."""
Place = tuple[Any, Any]
"""The map or list that holds a field, and its key or index."""


def apply(items: Items, replacement: Mapping[str, Any]) -> None:
    """Copy one value to all its targets.

    Raises:
        RefusedError: when source or target are missing or ambiguous.
    """
    targets = replacement.get("targets")
    source = replacement.get("source")
    if targets is None or (source is None and "sourceValue" not in replacement):
        raise RefusedError("a replacement must have a source and at least one target")
    if source is not None and "sourceValue" in replacement:
        raise RefusedError("a replacement cannot have both source and sourceValue")
    value = replacement["sourceValue"] if source is None else _source_value(items, source)
    for target in targets:
        if "select" not in target:
            raise RefusedError("a replacement's target must select objects")
        for item in items:
            if _is_target(item, target):
                for path in target.get("fieldPaths") or ["metadata.name"]:
                    _copy_to(item.body, path, value, target.get("options", {}))


def split_dots(path: str) -> list[str]:
    """Split a field path at its dots, but not inside brackets and not at escaped dots."""
    result: list[str] = []
    pending: list[str] = []
    for part in split_path(path, "."):
        if pending or (part.startswith("[") and not part.endswith("]")):
            pending.append(part)
            if not part.endswith("]"):
                continue
            whole = ".".join(pending)
            result.append(whole if "=" in whole else whole.strip("[]"))
            pending = []
        else:
            result.append(part)
    if pending:
        result.append(".".join(pending))
    return result


def _ids(item: Item) -> tuple[ItemId, ...]:
    return (item.id, *item.former_ids)


def _source_value(items: Items, source: Mapping[str, Any]) -> Any:
    found = [item for item in items if any(_is_source(source, i) for i in _ids(item))]
    if len(found) != 1:
        what = "several objects are" if found else "no object is"
        name = " ".join(str(source[part]) for part in ("kind", "name") if part in source)
        raise RefusedError(f"{what} the source {name} of a replacement")
    path = source.get("fieldPath") or "metadata.name"
    value = _get(found[0].body, split_dots(path))
    if is_null(value) or value in ({}, []):
        raise RefusedError(f"the source of a replacement has no {path}")
    options = source.get("options", {})
    if not options.get("delimiter"):
        return value
    if isinstance(value, dict | list):
        raise RefusedError("a delimiter can only be used with scalars")
    parts = text(value).split(options["delimiter"])
    index = options.get("index", 0)
    if not 0 <= index < len(parts):
        raise RefusedError(f"index {index} is out of bounds for the value {text(value)}")
    return parts[index]


def _is_source(source: Mapping[str, Any], identity: ItemId) -> bool:
    wanted = Gvk(source.get("group", ""), source.get("version", ""), source.get("kind", ""))
    name, namespace = source.get("name", ""), source.get("namespace", "")
    return (
        (not name or name == identity.name)
        and (not namespace or namespace == (identity.namespace or "default"))
        and identity.gvk.selected_by(wanted)
    )


def _is_target(item: Item, target: Mapping[str, Any]) -> bool:
    if not fits_labels(target["select"], item):
        return False
    for reject in target.get("reject", ()):
        by_label = "annotationSelector" in reject or "labelSelector" in reject
        if by_label and fits_labels(reject, item):
            return False
        named = any(reject.get(part) for part in ("group", "version", "kind", "name", "namespace"))
        if named and any(selects_id(reject, identity) for identity in _ids(item)):
            return False
    return any(
        selects_id(target["select"], identity._replace(namespace=_said(identity)))
        for identity in _ids(item)
    )


def _said(identity: ItemId) -> str:
    return "" if identity.namespace == NO_NAMESPACE else identity.namespace


def _get(node: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(node, list):
            node = _element(node, part)
        elif isinstance(node, dict):
            node = node.get(part)
        elif isinstance(node, str) and node.lstrip()[:1] in "{[":
            raise RefusedError("a replacement reads inside a text", "unsupported")
        else:
            return None
    return node


def _element(elements: list[Any], part: str) -> Any:
    if part == "-":
        return elements[-1] if elements else None
    if part.isdecimal():
        return elements[int(part)] if int(part) < len(elements) else None
    name, wanted = _matcher(part)
    for element in elements:
        if name == "" and text(element) == wanted:
            return element
        if isinstance(element, dict) and name in element and text(element[name]) == wanted:
            return element
    return None


def _matcher(part: str) -> tuple[str, str]:
    if not (part.startswith("[") and part.endswith("]") and "=" in part):
        raise RefusedError(f"`{part}` chooses no element of a list; write [name=value] or a number")
    name, _, wanted = part[1:-1].partition("=")
    return name, wanted


def _copy_to(body: Any, path: str, value: Any, options: Mapping[str, Any]) -> None:
    create = options.get("create", False)
    places = list(_places({"": body}, "", split_dots(path), create, value))
    if not places:
        verb = "find or create" if create else "find"
        raise RefusedError(f"unable to {verb} the field {path} in a replacement's target")
    for holder, key in places:
        holder[key] = _placed(holder[key], value, options)


def _places(holder: Any, key: Any, path: list[str], create: bool, value: Any) -> Iterable[Place]:
    if not path:
        return [(holder, key)]
    node, part, rest = holder[key], path[0], path[1:]
    if part == "*" or part.isdecimal() or part.startswith("["):
        if is_null(node):
            return []
        if not isinstance(node, list):
            raise RefusedError(f"`{part}` of a replacement's target stands where there is no list")
        return [
            place
            for index in _indices(node, part, rest, create, value)
            for place in _places(node, index, rest, create, value)
        ]
    if is_null(node) or not _has_field(node, part, _blank(rest, value) if create else None):
        return []
    if isinstance(node[part], str) and rest:
        raise RefusedError("a replacement writes inside a text", "unsupported")
    return _places(node, part, rest, create, value)


def _has_field(node: Any, part: str, created: Any) -> bool:
    """Whether a map has a field, after creating it where it may be created."""
    if isinstance(node, str):
        raise RefusedError("a replacement writes inside a text", "unsupported")
    if not isinstance(node, dict):
        raise RefusedError(f"`{part}` of a replacement's target stands where there is no map")
    if part not in node and created is not None:
        node[part] = created
    return part in node


def _indices(
    node: list[Any], part: str, rest: list[str], create: bool, value: Any
) -> Iterable[int]:
    if part == "*":
        return range(len(node))
    if part.isdecimal():
        index = int(part)
        if index == len(node) and create:
            node.append(_blank(rest, value))
        if index >= len(node):
            raise RefusedError(f"index {index} specified but only {len(node)} elements found")
        return [index]
    name, expression = _matcher(part)
    found = [i for i, element in enumerate(node) if _matches(element, name, expression)]
    if not found and create:
        element = resolve(expression)
        node.append({name: element} if name else element)
        found = [len(node) - 1]
    return found


def _matches(element: Any, name: str, expression: str) -> bool:
    if name:
        if not isinstance(element, dict) or name not in element:
            return False
        element = element[name]
    return re.search(pattern(expression), text(element).strip()) is not None


def _blank(rest: list[str], value: Any) -> Any:
    """What a missing field is created as: what the rest of the path needs to go on."""
    if not rest:
        return {} if isinstance(value, dict) else [] if isinstance(value, list) else _CREATED
    if rest[0].isdecimal() or (rest[0].startswith("[") and rest[0].endswith("]")):
        return []
    return {}


def _placed(old: Any, value: Any, options: Mapping[str, Any]) -> Any:
    """The new value of a field: a scalar keeps its type."""
    if options.get("delimiter"):
        if isinstance(old, dict | list):
            raise RefusedError("a delimiter can only be used with scalars")
        parts = text(old).split(options["delimiter"])
        index = options.get("index", 0)
        if index < 0:
            parts.insert(0, text(value))
        elif index >= len(parts):
            parts.append(text(value))
        else:
            parts[index] = text(value)
        value = options["delimiter"].join(parts)
    if isinstance(old, dict | list):
        return copied(value)
    written = text(value)
    if old is _CREATED:
        return resolve(written)
    if isinstance(old, str):
        return written
    resolved = resolve(written) if written else None
    if type(resolved) is not type(old) and not (
        isinstance(resolved, int | float) and isinstance(old, int | float)
    ):
        raise RefusedError(f"`{written}` does not fit the field of a replacement", "unsupported")
    return resolved


def decoded(body: Any, path: str) -> list[dict[str, Any]]:
    """Read a file that holds one replacement or a list of them.

    Raises:
        BuildError: `syntax` when it does not.
    """
    entries = body if isinstance(body, list) else [body]
    try:
        result: list[dict[str, Any]] = decode(entries, [REPLACEMENT])
    except MisshapenError as fault:
        place = Origin(path)
        raise BuildError(problem(fault.kind, fault.message, place, fault.pointer)) from fault
    return result
