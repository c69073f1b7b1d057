"""What is to be said of each exception of a repository on one day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from groundplan.posture.exceptions.model import (
    FAILING,
    MANY_OBJECTS,
    MANY_RENEWALS,
    MAX_DAYS,
    POLICY_KINDS,
    WARN_DAYS,
    Age,
    PostureException,
    State,
    policy_id,
)
from groundplan.posture.pod_security_checks import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from groundplan.repository import Repository


@dataclass(frozen=True, slots=True)
class Standing:
    """One exception with all that is to be said of it."""

    exception: PostureException
    states: tuple[State, ...]
    """At least one; `active` only where nothing else is to be said."""
    objects: int
    """How many objects it covers."""
    age: Age | None
    """None when git does not know it."""

    @property
    def failing(self) -> bool:
        """Whether it must be mended now."""
        return bool(FAILING & set(self.states))


def standings(
    repository: Repository,
    exceptions: Sequence[PostureException],
    ages: Mapping[str, Age],
    today: date,
) -> tuple[Standing, ...]:
    """Every exception with its states, in the order given."""
    severities = _severities(repository)
    found = []
    for exception in exceptions:
        covered = _covered(repository, exception)
        age = _age(exception, ages)
        said = tuple(
            dict.fromkeys(
                (
                    *_of_time(exception, age, severities, today),
                    *_of_people(exception),
                    *_of_reach(exception, exceptions, covered),
                )
            )
        )
        found.append(Standing(exception, said or (State.ACTIVE,), covered, age))
    return tuple(found)


def _of_time(
    exception: PostureException, age: Age | None, severities: Mapping[str, str], today: date
) -> Iterator[State]:
    if exception.suppresses:
        return
    limit = min(MAX_DAYS[severities.get(policy, "medium")] for policy in exception.policies)
    begun = exception.created or (age.first if age else today)
    if exception.expires is None or exception.expires > begun + timedelta(days=limit):
        yield State.ENDLESS
    if exception.expires is not None and exception.expires < today:
        yield State.EXPIRED
    elif exception.expires is not None and exception.expires <= today + timedelta(days=WARN_DAYS):
        yield State.EXPIRING
    if age is not None and age.renewals >= MANY_RENEWALS:
        yield State.RENEWED


def _of_people(exception: PostureException) -> Iterator[State]:
    if not exception.owner:
        yield State.UNOWNED
    elif exception.approver == exception.owner or not (
        exception.approver or exception.lacks_practice
    ):
        yield State.SELF_APPROVED


def _of_reach(
    exception: PostureException, others: Sequence[PostureException], covered: int
) -> Iterator[State]:
    if exception.suppresses:
        return
    if not exception.lacks_practice and not covered:
        yield State.INERT
    if not exception.lacks_practice and (covered > MANY_OBJECTS or not exception.scope.names):
        yield State.OVER_BROAD
    place = others.index(exception)
    for number, other in enumerate(others):
        inside = exception.scope.within(other.scope) and set(exception.policies) <= set(
            other.policies
        )
        # Of two that cover the same, the later one is in the shadow.
        same = inside and other.scope.within(exception.scope) and exception.keys == other.keys
        if number != place and inside and not (same and number > place):
            yield State.SHADOWED


def _covered(repository: Repository, exception: PostureException) -> int:
    return len(
        {
            (cluster.name, resource.id.key)
            for cluster in repository.clusters
            for unit in cluster.units
            for resource in unit.resources
            if exception.scope.has(cluster.name, resource.id)
        }
    )


def _age(exception: PostureException, ages: Mapping[str, Age]) -> Age | None:
    known = [ages[key] for key in exception.keys if key in ages]
    if not known:
        return None
    return Age(min(age.first for age in known), max(age.renewals for age in known))


def _severities(repository: Repository) -> Mapping[str, str]:
    """The severity of each policy that the repository applies, by id."""
    found = {}
    for resource in repository.resources:
        if resource.id.kind in POLICY_KINDS:
            labels = mapping(resource.body, "metadata", "labels")
            found[policy_id(resource.id.name)] = str(labels.get("groundplan.dev/severity"))
    return {policy: severity for policy, severity in found.items() if severity in MAX_DAYS}
