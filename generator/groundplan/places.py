"""Where a cluster can run, and what it must say there: the data file of each overlay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundplan.template import Template


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a cluster says about itself because of its place."""

    name: str
    pattern: str
    """A regular expression for the whole value, in the common part of Python's and Jinja's."""
    example: str
    required: bool
    """Whether every cluster at the place has to say it."""
    needed_for: Mapping[str, str]
    """Answers that together make an optional fact a required one, by question."""
    by_component: bool
    """Whether it is one value for each component instead of one value."""

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any]) -> Fact:
        """Read one entry of `facts`."""
        needed = said.get("needed_for") or {}
        optional = bool(needed) or "default" in said
        return cls(
            name,
            said["pattern"],
            said["example"],
            not optional,
            needed,
            bool(said.get("by_component")),
        )

    def needed(self, answers: Mapping[str, Any]) -> bool:
        """Whether a cluster has to say it, given the other answers."""
        asked = self.needed_for.items()
        return self.required or bool(
            asked and all(answers.get(question) == value for question, value in asked)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of environment for clusters, such as EKS."""

    name: str
    title: str
    facts: tuple[Fact, ...]

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any]) -> Place:
        """Read a place's data file."""
        facts = tuple(Fact.of(fact, entry) for fact, entry in said["facts"].items())
        return cls(name, said["title"], facts)


def read(template: Template) -> tuple[Place, ...]:
    """Every place of a template, by name.

    Raises:
        TemplateError: `template.invalid`.
    """
    found = []
    for name in template.places:
        file = f"overlays/{name}/place.yaml"
        said = documents.load((template.root / file).read_bytes(), file)
        if not isinstance(said, Mapping):
            raise TemplateError("template.invalid", "no place in here", where=file)
        found.append(Place.of(name, said))
    return tuple(found)


def examples(places: Iterable[Place]) -> list[dict[str, Any]]:
    """A cluster at each place, as an answer, with the place's own examples as its facts."""
    return [
        {
            "name": place.name,
            "place": place.name,
            "environment": "production",
            "pod_cidr": f"10.{number}.0.0/16",
            "service_cidr": f"10.{100 + number}.0.0/16",
            **{fact.name: fact.example for fact in place.facts if not fact.by_component},
        }
        for number, place in enumerate(places)
    ]
