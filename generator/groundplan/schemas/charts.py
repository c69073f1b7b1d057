"""The default values of Helm charts, and what they say about the values of a release."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from groundplan.schemas.explain import pointer
from groundplan.schemas.packs import INDEX, Pack, canonical
from groundplan.schemas.provenance import LeftOut, Missing, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_UNRELEASED = re.compile(r"v?0\.0\.\d|0\.1\.0|v?1\.0\.0-devel")
"""0.1.0 is what `helm create` writes."""
_PASSED_ON = re.compile(r"toYaml\s+\.Values\.([\w.]+)")
"""In a default that is itself a template: values that end up in a file as they are."""
_EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][\w.+-]+)?")


@dataclass(frozen=True, slots=True)
class Dependency:
    """A chart that is installed with another."""

    key: str
    """The values under this key are its own."""
    chart: str
    version: str


@dataclass(frozen=True, slots=True)
class ChartFiles:
    """What a chart says about its values."""

    name: str
    version: str
    """As the folder has it; source trees often leave it open."""
    values: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    commented: Mapping[str, tuple[str, ...]]
    """Keys that the comments of an object mention, by the object's JSON pointer."""
    dependencies: tuple[Dependency, ...]

    @property
    def sha256(self) -> str:
        """Of everything but name and version."""
        data = {k: v for k, v in asdict(self).items() if k not in ("name", "version")}
        return sha256(canonical(data)).hexdigest()


@dataclass(frozen=True)
class ChartDefaults:
    """What one version of a chart says about its values."""

    chart: str
    version: str
    values: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    commented: Mapping[str, tuple[str, ...]]
    """Keys that are documented in comments only, by the JSON pointer of the object."""
    dependencies: Mapping[str, ChartDefaults | Missing]
    """By the key that holds the dependency's values."""
    provenance: Provenance

    @cached_property
    def below(self) -> Mapping[str, ChartDefaults]:
        """The dependencies as far as they are known, each with what this chart adds to it."""
        return {
            key: _extended(dependency, key, self)
            for key, dependency in self.dependencies.items()
            if isinstance(dependency, ChartDefaults)
        }

    @cached_property
    def passed_on(self) -> tuple[str, ...]:
        """The pointers of objects that a templated default writes out, each with its slash."""
        return tuple(_passed_on(self.values))

    @cached_property
    def validator(self) -> Any:
        """Of the values: None without a schema, the reason when it cannot be compiled."""
        from jsonschema_rs import validator_for

        if self.schema is None:
            return None
        try:
            return validator_for(dict(self.schema), offline=True)
        except ValueError as error:
            reason = str(error).splitlines()[0][:200]
            return f"the schema of {self.chart} {self.version} cannot be used: {reason}"


@dataclass(frozen=True, slots=True)
class StoredChart:
    """A chart on its way into a store."""

    files: ChartFiles
    version: str
    """The published version."""
    provenance: Provenance


def documents(charts: Iterable[StoredChart], left_out: Iterable[LeftOut] = ()) -> dict[str, Any]:
    """Return the documents of a chart pack. Of equal charts the first counts."""
    out: dict[str, Any] = {}
    index: dict[str, Any] = {}
    for chart in charts:
        name = f"{chart.files.name}/{plain(chart.version)}.json"
        if name not in index:
            index[name] = [chart.version, chart.provenance.as_data()]
            out[name] = asdict(chart.files)
    left = [[one.component, one.reason] for one in left_out]
    return {**out, INDEX: {"charts": index, "left_out": left}}


class ChartStore:
    """Chart defaults, opened from compiled packs; of equal charts the first counts."""

    def __init__(self, packs: Iterable[Pack]) -> None:
        self._packs = tuple(packs)

    @classmethod
    def open(cls, paths: Iterable[Path]) -> ChartStore:
        """Open compiled packs.

        Raises:
            NotEvaluatedError: `schemas.unreadable-store`.
        """
        return cls(Pack(path) for path in paths)

    def lookup(self, repository: str, chart: str, version: str) -> ChartDefaults | Missing:
        """Return the defaults of a chart, or why there are none.

        The repository is only named in the answer: registries mirror each other's charts, and one
        version of a chart is the same wherever it is served.
        """
        if not _EXACT.fullmatch(version):
            return Missing(f"{chart} {version or 'without a version'} is not one exact version")
        name = f"{chart}/{plain(version)}.json"
        for pack in self._packs:
            if entry := pack.index["charts"].get(name):
                return self._open(pack, name, Provenance.from_data(entry[1]))
        stored = ", ".join(self._versions(chart))
        known = f"only those of {stored}" if stored else "nor those of another version"
        where = f" from {repository}" if repository else ""
        return Missing(f"the defaults of {chart} {version}{where} are not stored, {known}")

    @property
    def provenance(self) -> tuple[Provenance, ...]:
        """Where everything came from."""
        entries = (entry[1] for pack in self._packs for entry in pack.index["charts"].values())
        found = dict.fromkeys(map(Provenance.from_data, entries))
        return tuple(sorted(found, key=lambda one: (one.component, one.version)))

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What could not be had when the packs were made."""
        had = {one.component for one in self.provenance}
        pairs = [tuple(pair) for pack in self._packs for pair in pack.index["left_out"]]
        return tuple(LeftOut(*pair) for pair in dict.fromkeys(pairs) if pair[0] not in had)

    def _open(self, pack: Pack, name: str, provenance: Provenance) -> ChartDefaults:
        data = pack.read(name)
        dependencies = [Dependency(**entry) for entry in data["dependencies"]]
        return ChartDefaults(
            chart=data["name"],
            version=provenance.version,
            values=data["values"],
            schema=data["schema"],
            commented={path: tuple(names) for path, names in data["commented"].items()},
            dependencies={one.key: self.lookup("", one.chart, one.version) for one in dependencies},
            provenance=provenance,
        )

    def _versions(self, chart: str) -> list[str]:
        names = (name for pack in self._packs for name in pack.index["charts"])
        return sorted(
            {
                name.partition("/")[2][: -len(".json")]
                for name in names
                if name.startswith(chart + "/")
            }
        )


def is_unreleased(version: str) -> bool:
    """Whether a version is that of a source tree, replaced when the chart is released."""
    return bool(_UNRELEASED.match(version))


def plain(version: str) -> str:
    """Spell a version as Helm compares it: with or without `v` it is the same."""
    return version.removeprefix("v")


def _extended(dependency: ChartDefaults, key: str, above: ChartDefaults) -> ChartDefaults:
    added = above.values.get(key)
    return replace(
        dependency,
        values=merged(dependency.values, added if isinstance(added, Mapping) else {}),
        commented={
            **dependency.commented,
            **_below(above.commented, f"/{key}", dependency.commented),
        },
    )


def _below(
    commented: Mapping[str, tuple[str, ...]], prefix: str, own: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The keys that the chart above mentions for a chart below, with the latter's own."""
    lines = {
        path.removeprefix(prefix): names
        for path, names in commented.items()
        if path == prefix or path.startswith(prefix + "/")
    }
    return {path: tuple(sorted({*names, *own.get(path, ())})) for path, names in lines.items()}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others as Helm does: objects are merged, null removes, the rest replaces."""
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        if value is None and key in base:
            del out[key]
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            out[key] = merged(below, value)
        else:
            out[key] = value
    return out


def _passed_on(default: Any) -> Iterator[str]:
    if isinstance(default, Mapping):
        for below in default.values():
            yield from _passed_on(below)
    elif isinstance(default, str):
        yield from (pointer(found.split(".")) + "/" for found in _PASSED_ON.findall(default))
