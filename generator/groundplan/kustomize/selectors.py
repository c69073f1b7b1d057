"""Which objects a patch or a replacement is for."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from groundplan.kustomize.problems import RefusedError

if TYPE_CHECKING:
    from groundplan.kustomize.items import Gvk, Item, ItemId

_NOT_IN_GO = re.compile(r"\(\?<?[=!]|\\[1-9]")
_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<no>[^\s,=!()<>]+)"
    r"|(?P<key>[^\s,=!()<>]+)\s*(?:(?P<op>==|=|!=|>|<)\s*(?P<value>[^\s,()]*)"
    r"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)
Requirement = Callable[[Mapping[str, str]], bool]


@functools.lru_cache(maxsize=4096)
def pattern(expression: str) -> re.Pattern[str]:
    """Compile a regular expression of a selector.

    Raises:
        RefusedError: when Go would not compile it.
    """
    if _NOT_IN_GO.search(expression):
        raise RefusedError(f"`{expression}` is no regular expression that kustomize takes")
    try:
        return re.compile(expression)
    except re.error as error:
        raise RefusedError(f"`{expression}` is no regular expression: {error}") from error


def selects(selector: Mapping[str, Any], item: Item) -> bool:
    """Whether a patch's target selector takes an object, by its present or its original name."""
    now, original = item.id, item.original_id
    return (
        (
            _fits(selector, "namespace", original.effective_namespace)
            or _fits(selector, "namespace", now.effective_namespace)
        )
        and (_fits(selector, "name", original.name) or _fits(selector, "name", now.name))
        and fits_gvk(selector, now.gvk)
        and fits_labels(selector, item)
    )


def selects_id(selector: Mapping[str, Any], identity: ItemId) -> bool:
    """Whether a replacement's selector takes an identity."""
    return (
        fits_gvk(selector, identity.gvk)
        and _fits(selector, "name", identity.name)
        and _fits(selector, "namespace", identity.namespace)
    )


def fits_gvk(selector: Mapping[str, Any], gvk: Gvk) -> bool:
    """Whether group, version and kind match."""
    return (
        _fits(selector, "group", gvk.group)
        and _fits(selector, "version", gvk.version)
        and _fits(selector, "kind", gvk.kind)
    )


def fits_labels(selector: Mapping[str, Any], item: Item) -> bool:
    """Whether the label and the annotation selector match."""
    labels = selector.get("labelSelector", "")
    annotations = selector.get("annotationSelector", "")
    return (not labels or matches(labels, item.strings("labels"))) and (
        not annotations or matches(annotations, item.strings("annotations"))
    )


def matches(expression: str, values: Mapping[str, str]) -> bool:
    """Whether a Kubernetes label selector takes a set of labels.

    Raises:
        RefusedError: when it is not a selector.
    """
    return all(requirement(values) for requirement in _requirements(expression))


def _fits(selector: Mapping[str, Any], part: str, value: str) -> bool:
    expression = selector.get(part, "")
    return not expression or pattern(expression).fullmatch(value) is not None


@functools.lru_cache(maxsize=1024)
def _requirements(expression: str) -> tuple[Requirement, ...]:
    result: list[Requirement] = []
    position = 0
    while position < len(expression):
        match = _REQUIREMENT.match(expression, position)
        if match is None or match.end() == position:
            raise RefusedError(f"`{expression}` is no label selector")
        result.append(_requirement(match))
        position = match.end()
    return tuple(result)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return lambda labels: match["no"] not in labels
    key, operator = match["key"], match["op"] or match["set"]
    if operator is None:
        return lambda labels: key in labels
    if operator in ("in", "notin"):
        return _in_set(key, (v.strip() for v in match["values"].split(",")), operator == "in")
    value = match["value"]
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    sign = 1 if operator == ">" else -1
    return lambda labels: _number(labels.get(key)) * sign > _number(value) * sign


def _in_set(key: str, values: Iterable[str], wanted: bool) -> Requirement:
    known = frozenset(values)
    if wanted:
        return lambda labels: labels.get(key) in known
    return lambda labels: key not in labels or labels[key] not in known


def _number(value: str | None) -> float:
    try:
        return float(int(value or ""))
    except ValueError:
        return float("nan")
