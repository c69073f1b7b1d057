"""What each model of a repository needs: memory that fits, and the time until a server answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import catalogue, copier_adapter
from groundplan.answers import checked, read
from groundplan.answers.model_memory import Memory
from groundplan.answers.serving import hardware
from groundplan.errors import UsageError
from groundplan.repository import ANSWERS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundplan.answers.pools import Hardware
    from groundplan.template import Template

PARTS = ("node", "image", "weights", "engine")
"""What happens one after the other until a server on a new node answers."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a cold start."""

    name: str
    seconds: int
    source: str
    """Who published what it is estimated from; empty for what is assumed."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one model needs."""

    name: str
    team: str
    cluster: str
    pool: str
    accelerator: str
    accelerators: int
    """Of each server."""
    servers: int
    """At most."""
    style: str
    """How the weights come to the servers."""
    because: str
    memory: Memory
    start: tuple[Part, ...]
    objective: int | None
    """Seconds that a cold start may take."""

    @property
    def seconds(self) -> int:
        """Until a server on a new node answers."""
        return sum(part.seconds for part in self.start)


@dataclass(frozen=True, slots=True)
class Standing:
    """A pool whose nodes are there whether pods ask for them or not."""

    pool: str
    cluster: str
    accelerator: str
    accelerators: int
    """Always."""
    hour: float | None
    """What they cost together, in the currency of the answers; None where they do not say."""
    month: float | None


def budgets(folder: Path, template: Template) -> tuple[tuple[Budget, ...], tuple[Standing, ...]]:
    """Estimate what the models of a rendered repository need and its pools cost, from its answers.

    Raises:
        UsageError: `report.not-rendered`.
        AnswersError: The answers do not fit this version of the template.
        TemplateError: The template cannot be rendered.
    """
    if not (folder / ANSWERS_FILE).is_file():
        raise UsageError(
            "report.not-rendered",
            f"there is no {ANSWERS_FILE}, so nobody knows which models there are",
            where=str(folder),
            fix="name a repository that groundplan or copier rendered",
        )
    given = checked(read(folder / ANSWERS_FILE), template)
    plan = copier_adapter.plan(template, given.values)
    known, hours = hardware(template), catalogue.read(template, "prices.yaml")["hours"]
    standing = (_standing(pool, hours) for pool in plan["pools"] if pool["minimum"])
    return tuple(_budget(model, known) for model in plan["models"]), tuple(standing)


def _standing(pool: Mapping[str, Any], hours: int) -> Standing:
    hour = pool["minimum"] * pool["hour_cents"] / 100 or None
    month = hour and hour * hours
    title = str(pool["title"])
    return Standing(pool["name"], pool["cluster"], title, pool["minimum"], hour, month)


def _budget(model: Mapping[str, Any], known: Hardware) -> Budget:
    pool = model["pool"]
    return Budget(
        model["name"],
        model["team"]["name"],
        pool["cluster"],
        pool["name"],
        pool["title"],
        model["gpus"],
        model["most"],
        model["cache"]["style"],
        model["cache"]["because"],
        Memory(**model["fits"]),
        tuple(_parts(model, known)),
        model.get("cold_start_s"),
    )


def _parts(model: Mapping[str, Any], known: Hardware) -> list[Part]:
    place = known.places[model["pool"]["place"]]
    sources = {
        **known.caches["sources"],
        "node": place["accelerator_node"]["source"],
        "weights": model["cache"].get("source", ""),
    }
    return [Part(name, model["start"][name], sources[name]) for name in PARTS]
