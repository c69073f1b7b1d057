"""What an organisation has, and what it lacks: accepted in writing, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import (
    Fault,
    Many,
    Number,
    Record,
    Text,
    contact,
    shown,
    suggestion,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from groundplan.answers.fields import Kind, Wrong
    from groundplan.catalogue import Practice, Prerequisite


def one_line(value: str) -> Wrong | None:
    """A sentence that fits in a table."""
    if "\n" not in value.strip():
        return None
    return "answers.not-one-line", "the text has several lines", "write it in one"


def day(value: str) -> Wrong | None:
    """A date (ISO 8601)."""
    try:
        if date.fromisoformat(value).isoformat() == value:
            return None
    except ValueError:
        pass
    return "answers.not-a-date", f"{shown(value)} is no date", 'write it as in "2027-01-30"'


ACCEPTANCE = Record({"owner": Text(contact), "reason": Text(one_line), "expires": Text(day)})
"""What somebody says who accepts that something is missing."""


def fit_fields(practices: Mapping[str, Practice]) -> Mapping[str, Kind]:
    """What is known about the answers that say how far an organisation is: by question."""
    risk = Record({"what": Text(_named(practices)), **ACCEPTANCE.fields})
    levels = Record({name: _level(practice) for name, practice in practices.items()})
    return {"practices": levels, "accepted_risks": Many(risk)}


def _named(practices: Mapping[str, Practice]) -> Callable[[str], Wrong | None]:
    """Make the check that a text names a practice."""

    def check(value: str) -> Wrong | None:
        if value in practices:
            return None
        what = f"no practice is called {value}"
        return "answers.unknown-prerequisite", what, suggestion(value, practices)

    return check


def _level(practice: Practice) -> Kind:
    """How far a practice goes: one of its levels, or a number."""
    if not practice.levels:
        return Number(required=False)

    def check(value: str) -> Wrong | None:
        if value in practice.levels:
            return None
        what = f"{practice.name} has no level {value}"
        return "answers.unknown-level", what, suggestion(value, practice.levels)

    return Text(check, required=False, choices=tuple(practice.levels))


def unaccepted(
    answers: Mapping[str, Any], prerequisites: Iterable[Prerequisite]
) -> Iterator[Fault]:
    """Each prerequisite that is neither met nor accepted, and each acceptance of nothing.

    Who counts on the same thing is named in one fault.
    """
    missing = [need for need in prerequisites if not need.met]
    risks = _risks(answers)
    accepted = {risk.get("what") for _, risk in risks}
    alike: dict[tuple[str, str | int], list[Prerequisite]] = {}
    for need in missing:
        if need.practice not in accepted:
            alike.setdefault((need.practice, need.least), []).append(need)
    for (practice, least), needs in alike.items():
        who = " and ".join(dict.fromkeys(need.by for need in needs))
        need = needs[0]
        what = f"{who} counts on {least} ({need.sentence.rstrip('.')}), and it is {need.have}"
        fix = f"{need.closes} can change that, or somebody accepts it in accepted_risks"
        yield Fault(("practices", practice), "answers.prerequisite-unmet", what, fix)
    lacking = {need.practice for need in missing}
    for index, risk in risks:
        name = risk.get("what")
        if isinstance(name, str) and name not in lacking:
            what = f"nothing that is planned lacks {name}"
            path = ("accepted_risks", index, "what")
            yield Fault(path, "answers.risk-unneeded", what, "remove this risk")


def expired(answers: Mapping[str, Any], today: date) -> Iterator[Fault]:
    """Each acceptance whose last day is over."""
    for index, risk in _risks(answers):
        expires = risk.get("expires")
        try:
            over = date.fromisoformat(str(expires)) < today
        except ValueError:
            continue
        if over:
            what = f"this was accepted until {shown(expires)}"
            fix = "close the gap, or accept it anew with a later date"
            yield Fault(("accepted_risks", index, "expires"), "answers.risk-expired", what, fix)


def _risks(answers: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The accepted risks that are mappings, and where they are in the list."""
    risks = answers.get("accepted_risks")
    listed = risks if isinstance(risks, list) else []
    return [(index, risk) for index, risk in enumerate(listed) if isinstance(risk, Mapping)]
