"""The values of a release against what the chart knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from groundplan.schemas.charts import ChartDefaults, merged
from groundplan.schemas.explain import did_you_mean, explain, pointer
from groundplan.schemas.provenance import Missing
from groundplan.schemas.walk import fields_at

Path = tuple[str | int, ...]

_ANY = frozenset(
    ("config", "data", "env", "lifecycle", "limits", "requests", "resources", "template", "tls")
)
_ANY_ENDINGS = (
    "affinity", "annotations", "config", "labels", "probe", "securitycontext", "selector",
    "strategy",
)  # fmt: skip
"""Names under which charts pass on what they are given: parts of Kubernetes objects, settings."""

_EXAMPLES = frozenset(("default", "main"))
"""What charts call the first of any number of things that have names."""

_EVERYWHERE = frozenset(("global", "tags"))
"""Keys of Helm itself, which the charts below may read."""


class _Sort(Enum):
    """What can be said of a value."""

    UNKNOWN = auto()
    REFUSED = auto()
    UNSEEN = auto()


@dataclass(frozen=True, slots=True)
class ValuesVerdict:
    """What is wrong with the values of a release, and what nobody could say."""

    errors: tuple[tuple[str, str], ...]
    """JSON pointers into the values, and sentences."""
    not_evaluated: tuple[tuple[str, str], ...] = field(default=())
    """JSON pointers of values that were accepted unseen, and why."""
    unknown: frozenset[str] = frozenset()
    """Those of the errors' pointers where the chart has no value at all."""


def unknown_values(values: Mapping[str, Any], chart: ChartDefaults) -> ValuesVerdict:
    """Find values that a chart does not have, or that its schema refuses.

    A value is known when the defaults have its path, when comments beside them or the schema name
    it, or when it lies in an object that the chart passes on as it is.
    """
    errors = dict(_schema_errors(values, chart))
    not_evaluated: dict[str, str] = {}
    unknown: set[str] = set()
    for path, message, sort in _walk(values, chart, ()):
        if sort is _Sort.UNKNOWN and path.startswith(chart.passed_on):
            continue
        (not_evaluated if sort is _Sort.UNSEEN else errors)[path] = message
        if sort is _Sort.UNKNOWN:
            unknown.add(path)
    if isinstance(chart.validator, str):
        not_evaluated[""] = chart.validator
    return ValuesVerdict(
        tuple(sorted(errors.items())), tuple(sorted(not_evaluated.items())), frozenset(unknown)
    )


def _walk(
    values: Mapping[str, Any], chart: ChartDefaults, at: Path
) -> Iterator[tuple[str, str, _Sort]]:
    """Yield a pointer, a message and what sort it is of."""
    for key, value in values.items():
        dependency = chart.dependencies.get(key) if not at else None
        if isinstance(dependency, ChartDefaults):
            if isinstance(value, Mapping):
                yield from _dependency(value, chart, key)
        elif isinstance(dependency, Missing):
            yield from _unseen(key, value, chart, dependency)
        elif not at and key in _EVERYWHERE:
            continue
        else:
            yield from _entry(key, value, chart, at)


def _unseen(
    key: str, value: Any, chart: ChartDefaults, dependency: Missing
) -> Iterator[tuple[str, str, _Sort]]:
    """Accept the values of a chart whose defaults are not there, as far as they are not known."""
    if not isinstance(value, Mapping):
        return
    if not isinstance(chart.values.get(key), Mapping):
        yield pointer((key,)), dependency.reason, _Sort.UNSEEN
        return
    own = {name: below for name, below in value.items() if name != "enabled"}
    for path, _, _ in _walk(own, chart, (key,)):
        yield path, dependency.reason, _Sort.UNSEEN


def _entry(
    key: str, value: Any, chart: ChartDefaults, at: Path
) -> Iterator[tuple[str, str, _Sort]]:
    """Look at one key of an object whose defaults are known."""
    path = (*at, key)
    defaults = _at(chart.values, at)
    if key not in defaults:
        if not _is_open(defaults, key, chart, at):
            known = {*defaults, *_mentioned(chart, at)}
            message = f'the chart has no value "{key}"{did_you_mean(key, known)}'
            yield pointer(path), message, _Sort.UNKNOWN
        return
    default = defaults[key]
    if not isinstance(default, Mapping) or not default or _passes_on(key):
        return
    if isinstance(value, Mapping):
        yield from _walk(value, chart, path)
    elif value is not None:
        yield pointer(path), "the chart has an object here", _Sort.REFUSED


def _dependency(
    values: Mapping[str, Any], chart: ChartDefaults, key: str
) -> Iterator[tuple[str, str, _Sort]]:
    """Look at the values of a chart below, which the chart above may add to."""
    # Helm itself reads `enabled`, through the condition in Chart.yaml.
    own = {name: value for name, value in values.items() if name != "enabled"}
    verdict = unknown_values(own, chart.below[key])
    for path, message in verdict.errors:
        sort = _Sort.UNKNOWN if path in verdict.unknown else _Sort.REFUSED
        yield pointer((key,)) + path, message, sort
    for path, message in verdict.not_evaluated:
        yield pointer((key,)) + path, message, _Sort.UNSEEN


def _is_open(defaults: Mapping[str, Any], key: str, chart: ChartDefaults, at: Path) -> bool:
    """Whether an object may have keys that its defaults lack, or this one."""
    if key in _mentioned(chart, at):
        return True
    if defaults.keys() <= _EXAMPLES or _is_entry(key):
        return True
    return 2 * sum(map(_is_entry, defaults)) >= len(defaults)


def _passes_on(key: str) -> bool:
    name = key.lower()
    return _is_entry(key) or name in _ANY or name.endswith(_ANY_ENDINGS)


def _is_entry(name: str) -> bool:
    """Whether a name is a file's, a label's or a setting's, and not that of a value."""
    return "." in name or "/" in name


def _mentioned(chart: ChartDefaults, at: Path) -> set[str]:
    """The keys of an object that comments or the schema name."""
    named = set(chart.commented.get(pointer(at), ()))
    return named | set(fields_at(chart.schema, at)) if chart.schema else named


def _at(values: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    node: Any = values
    for step in path:
        node = node[step]
    found: Mapping[str, Any] = node
    return found


def _schema_errors(values: Mapping[str, Any], chart: ChartDefaults) -> Iterator[tuple[str, str]]:
    """Validate the values as Helm does: laid over the defaults."""
    validator = chart.validator
    if validator is None or isinstance(validator, str) or chart.schema is None:
        return
    whole = merged(chart.values, values)
    if validator.is_valid(whole):
        return
    before = set(explain(validator.iter_errors(dict(chart.values)), chart.schema))
    yield from (
        found
        for found in explain(validator.iter_errors(whole), chart.schema)
        if found not in before
    )
