"""JSON patches (RFC 6902) as the library behind kustomize applies them."""

from __future__ import annotations

from typing import Any

from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.reading import copied

Operation = dict[str, Any]

_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")


def is_json_patch(value: Any) -> bool:
    """Whether a document is a list of operations."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def apply(body: dict[str, Any], operations: list[Operation]) -> dict[str, Any]:
    """The object after all operations; the original is not changed.

    Raises:
        RefusedError: when an operation cannot be done.
    """
    holder: dict[str, Any] = {"": copied(body)}
    for operation in operations:
        _perform(holder, operation)
    result = holder[""]
    if not isinstance(result, dict):
        raise RefusedError("the patch leaves no object")
    return result


def _perform(holder: dict[str, Any], operation: Operation) -> None:
    name = operation.get("op")
    if name not in _OPERATIONS:
        raise RefusedError(f"unexpected kind of operation: {name}")
    path = _required(operation, "path")
    if name == "add":
        _add(holder, path, copied(operation.get("value")))
    elif name == "remove":
        _remove(holder, path)
    elif name == "replace":
        parent, key = _place(holder, path)
        # The library behind kustomize does not mind when a map lacks the key.
        place = key if isinstance(parent, dict) else _existing(parent, key, path)
        parent[place] = copied(operation.get("value"))
    elif name == "test":
        _test(holder, path, operation.get("value"))
    else:
        source = _required(operation, "from")
        parent, key = _place(holder, source)
        missing = name == "copy" and isinstance(parent, dict) and key not in parent
        value = None if missing else copied(parent[_existing(parent, key, source)])
        if name == "move":
            _remove(holder, source)
        _add(holder, path, value)


def _required(operation: Operation, name: str) -> str:
    value = operation.get(name)
    if not isinstance(value, str):
        raise RefusedError(f"a patch operation has no `{name}`")
    return value


def _place(holder: dict[str, Any], path: str) -> tuple[Any, str]:
    """The map or list that holds what a path points at, and the last part of the path."""
    if path and not path.startswith("/"):
        raise RefusedError(f"the path {path} of a patch does not begin with a slash")
    parts = [part.replace("~1", "/").replace("~0", "~") for part in f"{path}".split("/")]
    node: Any = holder
    for part in parts[:-1]:
        node = node[_existing(node, part, path)]
        if not isinstance(node, dict | list):
            raise RefusedError(f"the path {path} of a patch does not exist")
    return node, parts[-1]


def _existing(parent: Any, key: str, path: str) -> Any:
    if isinstance(parent, dict):
        if key not in parent:
            raise RefusedError(f"the path {path} of a patch does not exist")
        return key
    index = _index(key, path)
    if not -len(parent) <= index < len(parent):
        raise RefusedError(f"the path {path} of a patch is beyond the end of the list")
    return index


def _index(key: str, path: str) -> int:
    try:
        return int(key)
    except ValueError:
        raise RefusedError(
            f"the path {path} of a patch has `{key}` where a list has numbers"
        ) from None


def _add(holder: dict[str, Any], path: str, value: Any) -> None:
    parent, key = _place(holder, path)
    if isinstance(parent, dict):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    else:
        index = _index(key, path)
        if not -len(parent) - 1 <= index <= len(parent):
            raise RefusedError(f"the path {path} of a patch is beyond the end of the list")
        parent.insert(index if index >= 0 else index + len(parent) + 1, value)


def _remove(holder: dict[str, Any], path: str) -> None:
    parent, key = _place(holder, path)
    del parent[_existing(parent, key, path)]


def _test(holder: dict[str, Any], path: str, expected: Any) -> None:
    parent, key = _place(holder, path)
    if isinstance(parent, dict) and key not in parent:
        if expected is None:
            return
        raise RefusedError(f"a patch tests {path}, which does not exist")
    actual = parent[_existing(parent, key, path)]
    if actual != expected or isinstance(actual, bool) != isinstance(expected, bool):
        raise RefusedError(f"a patch tests {path} for a value that it does not have")
