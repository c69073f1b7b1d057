"""The reference page that compares estimates with what others measured, in Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.answers.caches import MIB, cold_start
from groundplan.answers.model_memory import memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.answers.pools import Hardware

_UNSAID = {"parameters_m": 0, "precision": "bf16", "context": 0, "max_concurrency": 1}
_UNSAID |= {"layers": 0, "kv_heads": 1, "head_dim": 0, "gpus": 1}
_TITLES = {
    "node": ("Making a node with accelerators", "s"),
    "pull": ("Pulling an image", "s"),
    "weights": ("Weights on each accelerator", "GiB"),
    "cache": ("Key-value cache on each accelerator", "GiB"),
    "read": ("Reading weights", "s"),
    "engine": ("Starting the engine", "s"),
    "compile": ("Compiling alone", "s"),
}
_INTRODUCTION = """\
# Inference estimates

Generated from `tests/published.yaml`, which a test holds to the errors that it allows. What is
estimated, and how, is in [serve a model](../how-to/serve-a-model.md); the numbers behind it are in
`blueprints/model-cache.yaml`, `blueprints/model-server.yaml` and each place's `place.yaml`.

Memory is arithmetic: where every weight has the same number of bits it is within five percent,
and the cache is exact but for whole blocks. A quantised checkpoint that leaves some layers alone
is larger; say `size_gib`. The engine's own work took 0.4 to 2.1 GiB in published logs of one
accelerator (vLLM #13061, #13144); 1.5 is counted.

Starts are orders of magnitude: engines on slow processors take twice as long, and a second start
finds compiled what the first has compiled. Nodes and pulls are estimated from the very numbers
below, so that those rows show how far sources are apart and prove nothing. For machines of one's
own nobody has published a number: what is counted is assumed.
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One published number beside ours."""

    what: str
    title: str
    source: str
    published: float
    ours: float
    within: float
    """The error in percent that is allowed."""

    @property
    def error(self) -> float:
        """Of ours, in percent of what was published."""
        return (self.ours / self.published - 1) * 100


def compare(published: Iterable[Mapping[str, Any]], known: Hardware) -> Iterator[Comparison]:
    """Estimate what others have published."""
    for row in published:
        ours = _estimate(row["what"], row["model"], known)
        number = float(row["published"])
        yield Comparison(row["what"], row["of"], row["source"], number, ours, row["within"])


def _estimate(what: str, model: Mapping[str, Any], known: Hardware) -> float:
    if what == "node":
        return float(known.places[model["place"]]["accelerator_node"]["seconds"])
    if what == "pull":
        return float(model["gib"] * MIB / known.caches["pulls"])
    if what == "compile":
        return float(known.caches["engine"]["compiles"] * model["layers"])
    need = memory({**_UNSAID, **model}, {"memory": 0}, known.server)
    if what in {"weights", "cache"}:
        return float(getattr(need, what))
    place = {
        "accelerator_node": {"seconds": 0},
        "weights": {"volume": {"reads": model.get("reads", MIB)}},
    }
    start = cold_start({**_UNSAID, **model}, need.weights, "volume", place, known.caches)
    if what == "read":
        return start.weights
    return start.engine - (known.caches["engine"]["begins"] if model.get("begun") else 0)


def render(published: Iterable[Mapping[str, Any]], known: Hardware) -> str:
    """Write the page."""
    rows = list(compare(published, known))
    lines = [_INTRODUCTION]
    for what, (title, unit) in _TITLES.items():
        lines += [f"## {title}", "", f"| of | published {unit} | ours | error | allowed |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| [{row.title}]({row.source}) | {row.published:g} | {row.ours:.2f} "
            f"| {row.error:+.1f} % | {row.within:g} % |"
            for row in rows
            if row.what == what
        ]
        lines.append("")
    return "\n".join(lines)
