"""Strategic merge as kustomize does it, with its habits.

A faithful port: lists with merge keys are merged by element with the patch's elements first, and
every part of the object is walked even where the patch says nothing, which drops keys without a
value and folds elements that share a merge key.
"""

from __future__ import annotations

from typing import Any, Final

from groundplan.kustomize.mergekeys import Field, definition_of, field_of
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.reading import copied
from groundplan.kustomize.scalars import Empty, Quoted, is_null, text

DIRECTIVE = "$patch"


class _Missing:
    """The absence of a value."""


_MISSING: Final = _Missing()


class QuotingError(Exception):
    """A number takes the place of a text, and nobody knows whether the text was quoted."""


def merge(
    target: dict[str, Any], patch: dict[str, Any], *, styled: bool = True
) -> dict[str, Any] | None:
    """Apply a patch to an object in place; None when the patch deletes the object.

    Args:
        target: The object.
        patch: The patch.
        styled: Whether `Quoted` tells which texts of the object were quoted.

    Raises:
        RefusedError: when a patch gives a map where the object has a list, and so on.
        QuotingError: when the object would have to be `styled`; it is then half changed.
    """
    definition = definition_of(text(target.get("apiVersion")), text(target.get("kind")))
    result = _walk(target, copied(patch), Field(None, definition, styled), "")
    return result if isinstance(result, dict) else None


def _absent(value: Any) -> bool:
    return value is _MISSING or is_null(value)


def _walk(dest: Any, src: Any, field: Field, path: str) -> Any:
    """The merged value; `_MISSING` clears the field."""
    present = [value for value in (dest, src) if not _absent(value)]
    kind = type(present[0]) if present else None
    for value in present:
        if (dict in (kind, type(value)) or list in (kind, type(value))) and type(value) is not kind:
            raise RefusedError(
                f"the patch has another kind of value at {path or '/'} than the object"
            )
    if kind is dict or kind is None:
        return _walk_map(dest, src, field, path)
    if kind is list:
        if field.keys is not None:
            return _walk_keyed(dest, src, field, path)
        return dest if src is _MISSING else src
    return _scalar(dest, src, field)


def _scalar(dest: Any, src: Any, field: Field) -> Any:
    """A patch's scalar takes over how the old one was written: quoted ones stay texts."""
    if src is _MISSING:
        return dest
    if not isinstance(dest, str) or isinstance(src, str) or is_null(src):
        return src
    if isinstance(dest, Quoted):
        return Quoted(text(src))
    if not field.styled:
        raise QuotingError
    return src


def _walk_map(dest: Any, src: Any, field: Field, path: str) -> Any:
    if _absent(dest):
        if _directive_of_map(src) == "delete":
            return _MISSING
        if src is _MISSING:
            return None if dest is None else _MISSING
        if is_null(src):
            return _MISSING
        result = src
    elif is_null(src):
        return _MISSING
    else:
        directive = _directive_of_map(src, strict=True)
        if directive == "delete":
            return _MISSING
        result = src if directive == "replace" else dest
    names = sorted({*result, *(src if isinstance(src, dict) else ())})
    for name in names:
        below = field_of(field.of, name) if field.of else Field(None, "")
        below = below._replace(styled=field.styled)
        mine = result.get(name, _MISSING)
        theirs = src.get(name, _MISSING) if isinstance(src, dict) else _MISSING
        merged = _walk(mine, theirs, below, f"{path}/{name}")
        cleared = merged is _MISSING or isinstance(merged, Empty)
        if cleared or (merged is None and theirs is not _MISSING):
            result.pop(name, None)
        else:
            result[name] = merged
    return result


def _directive_of_map(patch: Any, *, strict: bool = False) -> str:
    if not isinstance(patch, dict) or DIRECTIVE not in patch:
        return "merge"
    directive = text(patch[DIRECTIVE])
    if directive not in ("merge", "replace", "delete"):
        if strict:
            raise RefusedError(f"unknown patch strategy `{directive}`")
        return "merge"
    del patch[DIRECTIVE]
    return directive


def _directive_of_list(patch: list[Any]) -> str:
    for element in patch:
        if isinstance(element, dict) and DIRECTIVE in element:
            if len(element) > 1:
                return "merge"
            directive = text(element[DIRECTIVE])
            if directive not in ("merge", "replace", "delete"):
                raise RefusedError(f"unknown patch strategy `{directive}`")
            patch[:] = _without(patch, (DIRECTIVE,), (directive,))
            return directive
    return "merge"


def _walk_keyed(dest: Any, src: Any, field: Field, path: str) -> Any:
    if _absent(dest):
        dest = src
    elif src is not _MISSING and is_null(src):
        return _MISSING
    elif src is not _MISSING:
        directive = _directive_of_list(src)
        if directive == "delete":
            return _MISSING
        if directive == "replace":
            dest = src
    sources = [value for value in (src, dest) if isinstance(value, list)]
    keys = field.keys or ("",)
    values: list[tuple[str, ...]] = []
    for elements in sources:
        for element in elements:
            found = tuple(_key_value(element, key) for key in keys)
            if found not in values:
                values.append(found)
    return _merge_elements(values, field._replace(keys=keys), dest, src, path)


def _key_value(element: Any, key: str) -> str:
    if key == "":
        return text(element)
    value = element.get(key) if isinstance(element, dict) else None
    if is_null(value) or value in ({}, []):
        return ""
    return text(value)


def _merge_elements(
    values: list[tuple[str, ...]], field: Field, dest: list[Any], src: Any, path: str
) -> Any:
    keys, below = field.keys or (), Field(None, field.of, field.styled)
    added: list[Any] = []
    if len(keys) > 1:
        values = _completed(values)
    used: tuple[str, ...] = keys
    for wanted in values:
        used, found = _usable(values, wanted, keys)
        one_used, one_found = _usable([wanted], wanted, keys)
        merged = _walk(
            _first_match(dest, one_used, one_found),
            _first_match(src, one_used, one_found),
            below,
            f"{path}/{','.join(found)}",
        )
        if _absent(merged) or merged == {}:
            dest = _without(dest, used, found)
            continue
        if isinstance(merged, dict):
            for key, value in zip(used, found, strict=False):
                if key and key not in merged and value != "":
                    merged[key] = value
        added = _placed(added, merged, used, found)
    if values:
        for element in dest:
            added = _appended(added, element, used)
        return added
    return dest


def _usable(
    all_values: list[tuple[str, ...]], values: tuple[str, ...], keys: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Only the merge keys that some element has."""
    present = {key for entry in all_values for key, value in zip(keys, entry, strict=True) if value}
    if not present:
        return keys, values
    kept = [(k, v) for k, v in zip(keys, values, strict=True) if k in present]
    return tuple(k for k, _ in kept), tuple(v for _, v in kept)


def _completed(values: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Let an element that leaves out a merge key stand for one that has it."""
    values = list(values)
    for i in range(len(values)):
        for j in range(len(values)):
            joined = _joined(values[i], values[j])
            if joined is not None:
                values[i] = values[j] = joined
    return values


def _joined(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(one) != len(other):
        return None
    if any(a != b and a and b for a, b in zip(one, other, strict=True)):
        return None
    if not any(a == b for a, b in zip(one, other, strict=True)):
        return None
    return tuple(a or b for a, b in zip(one, other, strict=True))


def _first_match(elements: Any, keys: tuple[str, ...], values: tuple[str, ...]) -> Any:
    if not isinstance(elements, list):
        return _MISSING
    for element in elements:
        if keys[0] == "":
            if text(element) == values[0]:
                return element
        elif isinstance(element, dict) and all(
            key in element and text(element[key]) == value
            for key, value in zip(keys, values, strict=True)
        ):
            return element
    return _MISSING


def _matches(element: Any, keys: tuple[str, ...], values: tuple[str, ...]) -> bool | None:
    """Whether an element is the one meant; None when there is nothing to compare."""
    compared = False
    for key, value in zip(keys, values, strict=False):
        compared = True
        if key == "":
            if isinstance(element, dict | list) or text(element) != value:
                return False
        elif not isinstance(element, dict):
            raise RefusedError("a list that is merged by key has an element that is no map")
        elif key not in element or (value != "" and text(element[key]) != value):
            return False
    return compared or None


def _placed(
    elements: list[Any],
    element: Any,
    keys: tuple[str, ...],
    values: tuple[str, ...],
) -> list[Any]:
    """The list with an element in the place of its namesake, or at the end."""
    result, found = _replaced(elements, element, keys, values)
    return result if found else [*result, element]


def _without(elements: list[Any], keys: tuple[str, ...], values: tuple[str, ...]) -> list[Any]:
    return _replaced(elements, _MISSING, keys, values)[0]


def _replaced(
    elements: list[Any], element: Any, keys: tuple[str, ...], values: tuple[str, ...]
) -> tuple[list[Any], bool]:
    by_map = bool(keys and keys[0] and values and values[0])
    result: list[Any] = []
    replaced = False
    for old in elements:
        if is_null(old) or old == {}:
            continue
        if by_map and not isinstance(old, dict):
            result.append(old)
            continue
        match = _matches(old, keys, values)
        if match:
            replaced = True
            if element is not _MISSING:
                result.append(element)
        elif match is False:
            result.append(old)
    return result, replaced


def _appended(elements: list[Any], element: Any, keys: tuple[str, ...]) -> list[Any]:
    if keys[0] == "":
        return _placed(elements, element, ("",), (text(element),))
    values: list[str] = []
    for key in keys:
        if not isinstance(element, dict):
            raise RefusedError("a list that is merged by key has an element that is no map")
        if key in element:
            values.append(text(element[key]))
        else:
            elements = [*elements, element]
    found = tuple(values)
    if len(keys) > 1:
        elements = _without(elements, keys, found)
    return _placed(elements, element, keys, found)
