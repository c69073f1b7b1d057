"""What exporters call their metrics, by data file: the names that queries may use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from groundplan import documents

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUFFIXES = ("_bucket", "_count", "_sum")


@dataclass(frozen=True, slots=True)
class Exporter:
    """The metrics of one program."""

    name: str
    version: str
    """The release whose names these are."""
    engine: bool
    """Whether it serves models, so that it has metrics only while a server runs."""
    prefix: str
    """What all of its names begin with; empty when nothing is common to them."""
    known: frozenset[str]
    """Series as queries name them, with the prefix."""
    removed: Mapping[str, str]
    """Series that there once were, with what to use now."""
    buckets: Mapping[str, tuple[float, ...]]
    """The upper bounds of a histogram's buckets, without infinity; empty where unknown."""

    def series(self, query: str) -> frozenset[str]:
        """The names in a query that are its own."""
        if not self.prefix:
            return frozenset(name for name in self.known if name in query)
        return frozenset(re.findall(rf"{re.escape(self.prefix)}\w+", query))

    def replacement(self, series: str) -> str | None:
        """What took a series' place; None when it is not one that was removed."""
        for suffix in ("", *_SUFFIXES):
            base = series.removesuffix(suffix) if suffix else series
            if base in self.removed:
                return self.removed[base] + (suffix if series.endswith(suffix) else "")
        return None


def engines() -> tuple[Exporter, ...]:
    """Those that serve models."""
    return tuple(exporter for exporter in exporters() if exporter.engine)


@cache
def exporters() -> tuple[Exporter, ...]:
    """Every exporter whose names are known."""
    found = sorted(files(__name__).iterdir(), key=lambda path: path.name)
    return tuple(_read(path.read_text("utf-8")) for path in found if path.name.endswith(".yaml"))


def _read(text: str) -> Exporter:
    said = documents.load(text)
    prefix = said.get("prefix", "")
    histograms = said.get("histograms", {})
    known = {f"{name}{suffix}" for name in histograms for suffix in _SUFFIXES}
    known |= {f"{name}_total" for name in said.get("counters", ())} | {*said.get("gauges", ())}
    return Exporter(
        name=said["exporter"],
        version=said["version"],
        engine=said.get("engine", False),
        prefix=prefix,
        known=frozenset(prefix + name for name in known),
        removed={prefix + old: prefix + new for old, new in said.get("removed", {}).items()},
        buckets={prefix + name: tuple(bounds) for name, bounds in histograms.items()},
    )
