"""Which tier an organisation is ready for, and what is missing for the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import copier_adapter, places
from groundplan.answers import questions
from groundplan.catalogue import practices
from groundplan.costs import Need, prices
from groundplan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.answers import Answers
    from groundplan.catalogue import Practice, Prerequisite
    from groundplan.template import Template

OF_THE_REPOSITORY = frozenset(("tier", "clusters", "teams", "accepted_risks", "practices"))
"""Answers that do not count here: each tier is planned for an example of every place."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that the organisation has more of than a tier is meant for."""

    practice: str
    have: int
    most: int
    counts: str
    """What the numbers count."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the platform's own components ask of a cluster, and what that costs."""

    place: str
    title: str
    need: Need
    month: float | None
    """At list prices; None when only the organisation knows them."""
    currency: str
    date: str
    source: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tier as it looks for one organisation."""

    name: str
    title: str
    summary: str
    missing: tuple[Prerequisite, ...]
    """What it counts on and the organisation has not got: the most of each practice."""
    outgrown: tuple[Limit, ...]
    """Where the organisation is larger than the tier is meant for."""
    costs: tuple[Cost, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """How far an organisation is in one aspect of the maturity model."""

    aspect: str
    level: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What can be said about an organisation from its practices."""

    recommended: str
    """A tier; empty when the organisation is ready for none."""
    why: tuple[str, ...]
    """Sentences."""
    next: str
    """The smallest tier that it is not ready for; empty when it is ready for all."""
    maturity: tuple[Level, ...]
    tiers: tuple[Candidate, ...]
    """The smallest first."""
    practices: Mapping[str, Any]
    """As they were given."""

    def tier(self, name: str) -> Candidate:
        """The tier of this name, which must be one."""
        return next(tier for tier in self.tiers if tier.name == name)


def assess(template: Template, answers: Answers) -> Assessment:
    """Judge an organisation by its practices, and plan each tier with its other choices.

    The smallest tier that it has not outgrown is recommended, as long as it is ready for it.

    Raises:
        AnswersError: `answers.refused`, when the answers cannot be planned.
        TemplateError: The questions cannot be read or computed.
    """
    known = practices(template)
    said = answers.values.get("practices")
    offered = copier_adapter.offer(template, "practices", {})
    have = dict(said if said is not None else offered.default if offered else {})
    others = {key: said for key, said in answers.values.items() if key not in OF_THE_REPOSITORY}
    choices = next(question.choices for question in questions(template) if question.name == "tier")
    tiers = tuple(
        _candidate(template, {**others, "tier": name, "practices": have}, known)
        for _, name in choices
    )
    ready = [tier for tier in tiers if not tier.missing]
    fitting = [tier for tier in ready if not tier.outgrown]
    recommended = next(iter(fitting or ready[-1:]), None)
    return Assessment(
        recommended=recommended.name if recommended else "",
        why=tuple(_reasons(tiers, recommended)),
        next=next((tier.name for tier in tiers if tier.missing), ""),
        maturity=tuple(_maturity(known, have)),
        tiers=tiers,
        practices=have,
    )


def _candidate(
    template: Template, answers: Mapping[str, Any], known: Mapping[str, Practice]
) -> Candidate:
    """Plan a tier for a cluster at each place."""
    clusters = places.examples(places.read(template))
    plan = Plan.of(copier_adapter.plan(template, {**answers, "clusters": clusters}))
    most: dict[str, Prerequisite] = {}
    for need in plan.unmet:
        practice = known[need.practice]
        before = most.get(need.practice)
        if before is None or practice.rank(before.least) < practice.rank(need.least):
            most[need.practice] = need
    have = answers["practices"]
    return Candidate(
        name=plan.tier.name,
        title=plan.tier.title,
        summary=plan.tier.summary,
        missing=tuple(most.values()),
        outgrown=tuple(
            Limit(name, have[name], limit, known[name].counts)
            for name, limit in plan.tier.suits.items()
            if have.get(name, 0) > limit
        ),
        costs=tuple(_costs(template, plan)),
    )


def _costs(template: Template, plan: Plan) -> Iterator[Cost]:
    for price in prices(template):
        need = Need.of(plan.components, price.place)
        month = price.month(need)
        yield Cost(price.place, price.title, need, month, price.currency, price.date, price.source)


def _reasons(tiers: tuple[Candidate, ...], recommended: Candidate | None) -> Iterator[str]:
    """Why this tier and no other, in sentences."""
    if recommended is None:
        yield f"Not even tier {tiers[0].name} has what it counts on."
        return
    yield f"Tier {recommended.name} has all that it counts on."
    for limit in recommended.outgrown:
        yield (
            f"It is meant for up to {limit.most}, and {limit.have} {limit.counts}: "
            "what is missing for the next tier is worth closing."
        )
    for tier in tiers[: tiers.index(recommended)]:
        for limit in tier.outgrown:
            larger = f"{limit.have} {limit.counts}"
            yield f"Tier {tier.name} is meant for up to {limit.most}, and {larger}."
    for tier in tiers[tiers.index(recommended) + 1 :]:
        if tier.missing:
            things = "one thing" if len(tier.missing) == 1 else f"{len(tier.missing)} things"
            yield f"Tier {tier.name} counts on {things} that the organisation has not got."
        elif not recommended.outgrown:
            yield f"Tier {tier.name} would be possible, and more to run than is needed."


def _maturity(known: Mapping[str, Practice], have: Mapping[str, Any]) -> Iterator[Level]:
    """The aspects themselves are practices of their own name."""
    for name, practice in known.items():
        if name == practice.aspect:
            level = str(have.get(name, practice.least))
            yield Level(name, level, practice.levels[level])
