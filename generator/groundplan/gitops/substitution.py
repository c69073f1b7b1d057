"""Substitution in objects: what a variable's value becomes once YAML reads it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from groundplan import documents
from groundplan.documents.scalars import NoJsonFormError, resolve
from groundplan.gitops.envsubst import Substituted, SubstitutionError, substitute
from groundplan.resources import Resource

_SWITCH = "kustomize.toolkit.fluxcd.io/substitute"
_SPECIAL_START = re.compile(r"[-?:](?:\s|$)|[#,\[\]{}&*!|>'\"%@`=<~\s]|---|\.\.\.")
_SPECIAL_INSIDE = re.compile(r":(?:\s|$)|\s#|\s$")
_NAMES = re.compile(r"(?<!\$)(?:\$\$)*\$\{#?(\w+)")
_SIMPLE = re.compile(r"[A-Za-z0-9_./@+-][A-Za-z0-9_./:@+-]*")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\t]")


@dataclass(frozen=True, slots=True)
class Variables:
    """What a Kustomization knows when it substitutes."""

    known: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    """False when a ConfigMap or Secret with further variables is not in the repository."""
    encrypted: frozenset[str] = frozenset()
    """Variables that are defined, but whose values only the cluster can read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An object after substitution."""

    resource: Resource
    missing: frozenset[str]
    """Variables for which nothing is known."""
    encrypted: frozenset[str] = frozenset()
    """Encrypted variables that it uses; if there are any, nothing was replaced."""


def apply(resource: Resource, variables: Variables) -> Outcome:
    """Substitute in every text of an object, unless the object says not to.

    Raises:
        SubstitutionError: when an expression is not valid, or its result is not YAML.
    """
    nothing = variables.complete and not (variables.known or variables.encrypted)
    if nothing or _switched_off(resource):
        return Outcome(resource, frozenset())
    if variables.encrypted and (used := variables.encrypted.intersection(_names(resource.body))):
        return Outcome(resource, frozenset(), used)
    missing: set[str] = set()
    body = _replace(resource.body, variables.known, missing)
    if body is resource.body:
        return Outcome(resource, frozenset())
    return Outcome(Resource.of(body, resource.origin), frozenset(missing))


def _switched_off(resource: Resource) -> bool:
    metadata = resource.body.get("metadata")
    if not isinstance(metadata, Mapping):
        return False
    for where in ("labels", "annotations"):
        values = metadata.get(where)
        if isinstance(values, Mapping) and values.get(_SWITCH) == "disabled":
            return True
    return False


def _names(value: Any) -> Iterator[str]:
    """The variables that a value mentions."""
    if isinstance(value, str):
        yield from _NAMES.findall(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _names(key)
            yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)


def _replace(value: Any, variables: Mapping[str, str], missing: set[str]) -> Any:
    """The value with all texts replaced; the same value when nothing in it changes."""
    if isinstance(value, str):
        return _text(value, variables, missing) if "$" in value else value
    if isinstance(value, Mapping):
        changed = {
            _key(key, variables, missing): _replace(item, variables, missing)
            for key, item in value.items()
        }
        pairs = zip(changed.items(), value.items(), strict=False)
        same = len(changed) == len(value) and all(
            new is old and new_key is old_key for (new_key, new), (old_key, old) in pairs
        )
        return value if same else changed
    if isinstance(value, list):
        items = [_replace(item, variables, missing) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return value


def _key(key: str, variables: Mapping[str, str], missing: set[str]) -> str:
    if "$" not in key:
        return key
    return _noted(substitute(key, variables), missing)


def _noted(result: Substituted, missing: set[str]) -> str:
    missing.update(result.missing)
    return result.text


def _text(text: str, variables: Mapping[str, str], missing: set[str]) -> Any:
    """Replace in the form in which Flux writes the text, then read it again."""
    if "\n" in text or _UNPRINTABLE.search(text):
        return _noted(substitute(text, variables), missing)
    if _SPECIAL_START.match(text) or _SPECIAL_INSIDE.search(text):
        quoted = text.replace("'", "''")
        return _read(f"'{_noted(substitute(quoted, variables), missing)}'")
    replaced = _noted(substitute(text, variables), missing)
    if _SIMPLE.fullmatch(replaced) and not replaced.endswith(":"):
        try:
            return resolve(replaced)
        except NoJsonFormError as error:
            raise SubstitutionError(str(error)) from error
    return _read(replaced)


def _read(written: str) -> Any:
    parsed, problems = documents.parse("", f"value: {written}\n".encode())
    if problems or len(parsed) != 1 or not isinstance(parsed[0].body, Mapping):
        raise SubstitutionError("the values make it invalid YAML")
    if set(parsed[0].body) != {"value"}:
        raise SubstitutionError("the values make it invalid YAML")
    return parsed[0].body["value"]
