"""Asks the template's questions on a terminal, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.answers import Answers, Question
    from groundplan.answers.fields import Fault, Kind, Record, Text
    from groundplan.catalogue import Practice, Prerequisite
    from groundplan.plan import Plan
    from groundplan.template import Template


def ask(template: Template, given: Mapping[str, Any]) -> Answers:
    """Ask whatever was not given; each answer is checked before the next question.

    Raises:
        KeyboardInterrupt: The person gave up.
    """
    from groundplan import answers as answering
    from groundplan import copier_adapter
    from groundplan.catalogue import practices

    known_practices = practices(template)
    found = dict(given)
    for question in answering.questions(template):
        if question.computed or question.name in found:
            continue
        offered = copier_adapter.offer(template, question.name, found)
        if offered is None:
            continue
        if question.name == "practices":
            counted = {need.practice for need in _plan(template, found).prerequisites}
            asked = [known_practices[name] for name in known_practices if name in counted]
            found["practices"] = ask_practices(asked, offered.default)
        elif question.name == "accepted_risks":
            found["accepted_risks"] = _accept(_plan(template, found).unmet)
        else:
            known = answering.fields_of(template, found)
            found[question.name] = _answer(question, offered.default, known, found)
    return answering.Answers(found)


def ask_practices(asked: Iterable[Practice], given: Mapping[str, Any]) -> dict[str, Any]:
    """Ask how far an organisation is in each of these, and keep what was given of others."""
    from groundplan.answers.fields import Number

    found = dict(given)
    for practice in asked:
        click.echo(f"\n{practice.question}", err=True)
        default = given.get(practice.name, practice.least)
        if practice.levels:
            labels = {sentence: level for level, sentence in practice.levels.items()}
            found[practice.name] = _choose(practice.title, labels, default)
        else:
            found[practice.name] = _fill(Number(), practice.title, default)
    return found


def _plan(template: Template, found: Mapping[str, Any]) -> Plan:
    from groundplan import copier_adapter
    from groundplan.plan import Plan

    return Plan.of(copier_adapter.plan(template, found))


def _accept(unmet: Iterable[Prerequisite]) -> list[dict[str, Any]]:
    """Ask who answers for what is missing; what nobody accepts will be refused."""
    import questionary

    from groundplan.answers.acceptance import ACCEPTANCE

    missing: dict[str, list[Prerequisite]] = {}
    for need in unmet:
        missing.setdefault(need.practice, []).append(need)
    accepted: list[dict[str, Any]] = []
    for practice, needs in missing.items():
        for need in needs:
            click.echo(f"\n{need.by} counts on this: {need.sentence}", err=True)
            click.echo(f"Not so here ({need.have}). {need.closes} can change that.", err=True)
        if questionary.confirm("Accept that in writing?", default=False).unsafe_ask():
            accepted.append({"what": practice, **_record(ACCEPTANCE, "risk", {}, {})})
    return accepted


def _answer(
    question: Question, default: Any, known: Mapping[str, Kind], found: Mapping[str, Any]
) -> Any:
    """Ask one question until its answer contradicts nothing."""
    while True:
        click.echo(f"\n{question.help}", err=True)
        if question.choices:
            value = _choose(question.name, dict(question.choices), default)
        elif question.name in known:
            value = _fill(known[question.name], question.name, default)
        else:
            value = _text(question.name, default or "")
        faults = list(_contradictions(question.name, {**found, question.name: value}))
        if not faults:
            return value
        for fault in faults:
            click.echo(f"{fault.what}; {fault.fix}", err=True)


def _contradictions(name: str, answers: Mapping[str, Any]) -> Iterator[Fault]:
    from groundplan.answers.combinations import impossible

    yield from (fault for fault in impossible(answers) if fault.path[0] == name)


def _fill(kind: Kind, name: str, default: Any) -> Any:
    """Ask for a value of this kind."""
    from groundplan.answers.fields import Many, Named, Number, Record, Text

    match kind:
        case Text():
            return _checked_text(kind, name, default or "")
        case Number():
            return _number(name, default or 0)
        case Record():
            return _record(kind, name, default or {}, {})
        case Many(item=Text() as item):
            return _words(item, name, default or [])
        case Many(item=Record() as item):
            return _records(item, name, default or [])
        case Named():
            return default or {}


def _records(kind: Record, name: str, default: list[Any]) -> list[Any]:
    """Ask for one mapping after the other, until there are enough."""
    items: list[Any] = []
    one = name.removesuffix("s")
    while _more(one, len(items), default):
        suggested = default[len(items)] if len(items) < len(default) else {}
        click.echo(f"{one} {len(items) + 1}", err=True)
        items.append(_record(kind, one, suggested, default[0] if default else {}))
    return items


def _more(one: str, count: int, default: list[Any]) -> bool:
    import questionary

    if count == 0 and default:
        return True
    another = "another" if count else "a"
    return bool(questionary.confirm(f"Describe {another} {one}?", default=False).unsafe_ask())


def _record(
    kind: Record, name: str, default: Mapping[str, Any], example: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask for the parts of a mapping that it must have, as the answers so far decide."""
    parts: dict[str, Any] = {}
    while key := next((k for k, f in kind.known(parts).items() if _due(k, f, parts)), ""):
        field = kind.known(parts)[key]
        suggested = default.get(key, "")
        if not suggested and key.endswith("_cidr"):
            suggested = example.get(key, "")
        parts[key] = _fill(field, f"{name} {key}", suggested)
    return parts


def _due(key: str, field: Kind, parts: Mapping[str, Any]) -> bool:
    return field.required and key not in parts


def _choose(name: str, choices: Mapping[str, Any], default: Any) -> Any:
    import questionary

    options = [questionary.Choice(label, value) for label, value in choices.items()]
    chosen = next((option for option in options if option.value == default), None)
    return questionary.select(name, options, default=chosen).unsafe_ask()


def _checked_text(kind: Text, name: str, default: str) -> str:
    import questionary

    if kind.choices:
        return str(_choose(name, dict(zip(kind.choices, kind.choices, strict=True)), default))

    def verdict(value: str) -> bool | str:
        wrong = kind.wrong(value)
        return f"{wrong[1]}; {wrong[2]}" if wrong else True

    return str(questionary.text(name, default=default, validate=verdict).unsafe_ask())


def _number(name: str, default: int) -> int:
    import questionary

    def verdict(value: str) -> bool | str:
        return value.isdecimal() or "write a whole number"

    return int(questionary.text(name, default=str(default), validate=verdict).unsafe_ask())


def _text(name: str, default: str) -> str:
    import questionary

    return str(questionary.text(name, default=default).unsafe_ask())


def _words(kind: Text, name: str, default: list[Any]) -> list[str]:
    import questionary

    def verdict(value: str) -> bool | str:
        for word in value.replace(",", " ").split() or [""]:
            if wrong := kind.wrong(word):
                return f"{wrong[1]}; {wrong[2]}"
        return True

    text = questionary.text(
        f"{name} (separate with spaces)", default=" ".join(default), validate=verdict
    ).unsafe_ask()
    return list(str(text).replace(",", " ").split())
