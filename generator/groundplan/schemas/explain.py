"""Validation errors in plain words."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from groundplan.schemas.formats import BASE64, PLAIN_WORDS
from groundplan.schemas.walk import fields_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from jsonschema_rs import ValidationError

_SHOWN = 60
"""Characters of a value that a message repeats."""
_FORMS = 3
"""Allowed forms that a message lists."""


def explain(
    errors: Iterable[ValidationError], schema: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield a JSON pointer and a sentence for each error, in the order of the pointers."""
    found = {pair for error in errors for pair in _explain(error, schema)}
    yield from sorted(found)


def pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` for the closest known word, or nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        by_case = {name.lower(): name for name in known}
        close = [by_case[word.lower()]] if word.lower() in by_case else []
    return f'; did you mean "{close[0]}"?' if close else ""


def _explain(error: ValidationError, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind: Any = error.kind
    path = error.instance_path
    if kind.name == "additionalProperties":
        known = fields_at(schema, path)
        for name in kind.unexpected:
            yield pointer([*path, name]), f'unknown field "{name}"{did_you_mean(name, known)}'
    elif kind.name in ("anyOf", "oneOf") and getattr(kind, "context", None):
        yield pointer(path), _no_form(kind.context, error)
    else:
        yield pointer(path), _sentence(kind, error)


def _sentence(kind: Any, error: ValidationError) -> str:
    write = _SENTENCES.get(kind.name)
    return write(kind, error.instance) if write else error.message


def _enum(kind: Any, value: Any) -> str:
    options = [option for option in kind.options if option is not None]
    hint = did_you_mean(str(value), [str(option) for option in options])
    return f"{_shown(value)} is not one of {', '.join(map(_shown, options))}{hint}"


def _pattern(kind: Any, value: Any) -> str:
    if kind.pattern == BASE64:
        # The value may be a secret.
        return "the value is not base64"
    wanted = PLAIN_WORDS.get(kind.pattern)
    return (
        f"{_shown(value)} is not {wanted}"
        if wanted
        else (f"{_shown(value)} does not match {kind.pattern}")
    )


def _too_small(kind: Any, value: Any) -> str:
    return f"{_shown(value)} is too small: the limit is {kind.limit}"


def _too_large(kind: Any, value: Any) -> str:
    return f"{_shown(value)} is too large: the limit is {kind.limit}"


def _too_short(kind: Any, value: Any) -> str:
    return f"{_shown(value)} is shorter than {kind.limit} characters"


def _too_long(kind: Any, value: Any) -> str:
    return f"{_shown(value)} is longer than {kind.limit} characters"


_SENTENCES: dict[str, Callable[[Any, Any], str]] = {
    "required": lambda kind, _: f'"{kind.property}" is missing',
    "type": lambda kind, value: f"expected {_either(kind.types)}, found {_type(value)}",
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _too_small,
    "exclusiveMinimum": _too_small,
    "minLength": _too_short,
    "maxLength": _too_long,
    "minItems": lambda kind, value: f"has {len(value)} items of at least {kind.limit}",
    "maxItems": lambda kind, value: f"has {len(value)} items of at most {kind.limit}",
    "maximum": _too_large,
    "exclusiveMaximum": _too_large,
    "oneOf": lambda *_: "fits more than one of the forms of which exactly one is allowed",
    "not": lambda *_: "has a form that is not allowed here",
}


def _no_form(context: Iterable[Iterable[ValidationError]], error: ValidationError) -> str:
    """Say why a value has none of the forms that are allowed."""
    branches = [list(branch) for branch in context]
    firsts: list[Any] = [branch[0] for branch in branches if branch]
    here = [first for first in firsts if first.instance_path == error.instance_path]
    if here and all(first.kind.name == "required" for first in here) and len(here) == len(firsts):
        names = dict.fromkeys(f'"{first.kind.property}"' for first in here)
        return f"one of {', '.join(names)} is needed"
    types = [first for first in here if first.kind.name == "type"]
    if types and len(types) == len(firsts):
        wanted = [name for first in types for name in first.kind.types]
        return f"expected {_either(wanted)}, found {_type(error.instance)}"
    reasons = dict.fromkeys(_sentence(first.kind, first) for first in firsts)
    return "fits none of the allowed forms: " + "; or ".join([*reasons][:_FORMS])


def _either(types: Iterable[str]) -> str:
    names = [name for name in dict.fromkeys(types) if name != "null"]
    return " or ".join(names) or "null"


def _type(value: Any) -> str:
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return f"boolean {_shown(value)}"
        case int() | float():
            return f"number {_shown(value)}"
        case str():
            return f"string {_shown(value)}"
        case list():
            return "a list"
        case _:
            return "an object"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
