"""Changes of the answers, as people name them: a key and a value, a cluster, a team."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.answers import fields_of
from groundplan.answers.fields import Many, Record, suggestion
from groundplan.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from groundplan.template import Template


def kinds(template: Template) -> dict[str, str]:
    """What can be added and removed: the questions whose answer is a list of named things."""
    fields = fields_of(template, {})
    lists = (
        name
        for name, kind in fields.items()
        if isinstance(kind, Many) and isinstance(kind.item, Record) and "name" in kind.item.fields
    )
    return {name.removesuffix("s"): name for name in lists}


def value(text: str) -> Any:
    """A value as it is written in YAML.

    Raises:
        YamlError: It is none.
    """
    return documents.load(text, "the value")


def put(key: str, new: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Answer a question anew, or a part of it: `contacts.oncall`, `teams.payments.contact`."""

    def change(values: Mapping[str, Any]) -> dict[str, Any]:
        result = deepcopy(dict(values))
        steps = key.split(".")
        place: Any = result
        for depth, step in enumerate(steps[:-1], 1):
            place = _below(place, step, ".".join(steps[:depth]))
        if not isinstance(place, dict):
            raise _nothing(key, steps[-1], ())
        place[steps[-1]] = new
        return result

    return change


def add(
    question: str, name: str, fields: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Add a named thing to a list of them."""

    def change(values: Mapping[str, Any]) -> dict[str, Any]:
        items = list(values.get(question) or ())
        return {**values, question: [*items, {"name": name, **fields}]}

    return change


def remove(question: str, name: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Take a named thing out of a list of them.

    The change raises:
        UsageError: `answers.no-such-item`.
    """

    def change(values: Mapping[str, Any]) -> dict[str, Any]:
        items = list(values.get(question) or ())
        left = [item for item in items if item.get("name") != name]
        if len(left) == len(items):
            raise _nothing(question, name, [str(item.get("name")) for item in items])
        return {**values, question: left}

    return change


def _below(place: Any, step: str, where: str) -> Any:
    """A part of an answer: by key, or in a list by name."""
    if isinstance(place, list):
        found = {str(item.get("name")): item for item in place if isinstance(item, Mapping)}
    else:
        found = place if isinstance(place, dict) else {}
    if step not in found:
        raise _nothing(where, step, found)
    return found[step]


def _nothing(where: str, name: str, known: Iterable[str]) -> UsageError:
    fix = suggestion(name, list(known))
    return UsageError("answers.no-such-item", f"there is no {name}", where=where, fix=fix)
