"""What has to be done by hand, or cannot be done, when an answer changes later: data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.errors import AnswersError, TemplateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.template import Template

FILE = "blueprints/transitions.yaml"


class Rule(StrEnum):
    """What a change of an answer means."""

    IMMUTABLE = "immutable"
    """It never changes; what it is about is replaced by something new instead."""
    UNSUPPORTED = "unsupported"
    MANUAL = "manual"
    """Possible, with steps that no repository can take."""


class Event(StrEnum):
    """What happened to an answer."""

    CHANGED = "changed"
    LOWERED = "lowered"
    REMOVED = "removed"
    """An item is gone from a list."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What one kind of change means."""

    question: str
    when: Event
    rule: Rule
    reason: str
    field: str = ""
    """Of the items of a list; empty when the answer itself is meant."""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the answers that means something."""

    transition: Transition
    subject: str
    """Such as `clusters production: pod_cidr`."""
    before: Any
    after: Any


def read(template: Template) -> tuple[Transition, ...]:
    """Every rule of a template.

    Raises:
        TemplateError: `template.invalid`.
    """
    file = template.root / FILE
    if not file.is_file():
        return ()
    try:
        return tuple(
            Transition(
                said["question"],
                Event(said.get("when", Event.CHANGED)),
                Rule(said["rule"]),
                said["reason"],
                said.get("field", ""),
                tuple(said.get("steps", ())),
            )
            for said in documents.load(file.read_bytes(), FILE) or ()
        )
    except (KeyError, ValueError) as error:
        raise TemplateError("template.invalid", f"{error}", where=FILE) from error


def changes(
    rules: tuple[Transition, ...], before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[Change, ...]:
    """The changes that a rule says something about."""
    return tuple(change for rule in rules for change in _changes(rule, before, after))


def refuse(found: tuple[Change, ...]) -> None:
    """Refuse changes that cannot be made.

    Raises:
        AnswersError: `answers.immutable` or `answers.unsupported-change`, one for each.
    """
    ids = {
        Rule.IMMUTABLE: "answers.immutable",
        Rule.UNSUPPORTED: "answers.unsupported-change",
    }
    errors = tuple(
        UsageError(
            ids[change.transition.rule],
            f"{change.before} cannot become {change.after}: {change.transition.reason}",
            where=change.subject,
            fix="; ".join(change.transition.steps),
        )
        for change in found
        if change.transition.rule in ids
    )
    if errors:
        raise AnswersError(errors)


def _changes(
    rule: Transition, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    old, new = before.get(rule.question), after.get(rule.question)
    if not (rule.field or rule.when is Event.REMOVED):
        if old is not None and new is not None and _happened(rule, old, new):
            yield Change(rule, rule.question, old, new)
        return
    items, others = _named(old), _named(new)
    for name, item in items.items():
        other = others.get(name)
        subject = f"{rule.question} {name}"
        if rule.when is Event.REMOVED:
            if other is None:
                yield Change(rule, subject, name, "nothing")
        elif other and _happened(rule, item.get(rule.field), other.get(rule.field)):
            place = f"{subject}: {rule.field}"
            yield Change(rule, place, item.get(rule.field), other.get(rule.field))


def _named(items: Any) -> dict[str, Mapping[str, Any]]:
    """The items of a list by name; of two with one name the first."""
    said = items if isinstance(items, list) else []
    named = [item for item in said if isinstance(item, Mapping) and "name" in item]
    return {str(item["name"]): item for item in reversed(named)}


def _happened(rule: Transition, old: Any, new: Any) -> bool:
    if rule.when is Event.LOWERED:
        return _parts(str(new)) < _parts(str(old))
    return bool(old != new)


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]
