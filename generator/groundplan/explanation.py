"""Why a file of a rendered repository is there, and what decides its content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import tracing
from groundplan.answers import Answers, checked, questions, read
from groundplan.errors import UsageError
from groundplan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundplan.catalogue import Component
    from groundplan.template import Template
    from groundplan.tracing import Made

ANSWERS_FILE = ".copier-answers.yml"


@dataclass(frozen=True, slots=True)
class Dependency:
    """An answer that decides about a file."""

    name: str
    value: Any
    read_in: tuple[str, ...]
    """The files of the template that read it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known about one file."""

    path: str
    """Relative to the repository, with `/`."""
    source: str
    """The file of the template that makes it; empty when the template does not make it."""
    read: tuple[str, ...]
    """Other files of the template that go into it."""
    subjects: tuple[str, ...]
    """What it is about, such as `component cert-manager` or `cluster production`."""
    because: str
    """Why the component is part of this platform; empty when it is about none."""
    owner: str
    answers: tuple[Dependency, ...]
    edited: bool
    """Whether it differs from what the template makes of the answers."""
    advice: str
    """What to change instead, or that it can be changed here."""


def explain(file: Path, template: Template) -> Explanation:
    """Explain one file of a rendered repository.

    Raises:
        UsageError: `explain.no-such-file`, `explain.not-a-file` or `explain.not-rendered`.
        AnswersError: The repository's answers do not fit this version of the template.
        TemplateError: The template cannot be rendered.
    """
    root, path = _place(file)
    given = checked(read(root / ANSWERS_FILE), template)
    made = tracing.trace(template, given.values, path)
    if made is None:
        return _own(path, given)
    plan = Plan.of(made.answers["plan"])
    subjects = dict(_subjects(made, plan))
    component = plan.component(subjects.get("component", ""))
    answers = tuple(_dependencies(made, component, template))
    return Explanation(
        path=path,
        source=made.source,
        read=made.read,
        subjects=tuple(f"{kind} {name}" for kind, name in subjects.items()),
        because=_because(plan, component, made, template) if component else "",
        owner=_owner(made, component),
        answers=answers,
        edited=file.read_bytes() != made.content,
        advice=_advice(path, answers),
    )


def _place(file: Path) -> tuple[Path, str]:
    """The repository that a file belongs to, and its path in there."""
    where, fix = str(file), "name a file of a repository that groundplan or copier rendered"
    if not file.exists():
        raise UsageError("explain.no-such-file", "there is no such file", where=where, fix=fix)
    if not file.is_file():
        raise UsageError("explain.not-a-file", "this is not a file", where=where, fix=fix)
    file = file.parent.resolve() / file.name
    for root in file.parents:
        if (root / ANSWERS_FILE).is_file():
            return root, file.relative_to(root).as_posix()
    what = f"no folder above it has {ANSWERS_FILE}"
    raise UsageError("explain.not-rendered", what, where=where, fix=fix)


def _own(path: str, given: Answers) -> Explanation:
    contacts = given.values.get("contacts")
    owner = str(contacts.get("platform", "")) if isinstance(contacts, dict) else ""
    advice = "The template does not make this file: change it here; updates leave it alone."
    return Explanation(path, "", (), (), "", owner, (), edited=False, advice=advice)


def _subjects(made: Made, plan: Plan) -> Iterator[tuple[str, str]]:
    """What the file's path loops over, in its own words."""
    for word, value in made.context.items():
        name = value.get("name", "") if isinstance(value, dict) else value
        kind = "component" if plan.component(str(name)) and isinstance(value, dict) else word
        yield kind, str(name)


def _because(plan: Plan, component: Component, made: Made, template: Template) -> str:
    """Why the component is planned, with the answers that its data makes a condition."""
    data = _text(template, _data(component)).splitlines()
    condition = [line for line in data if line.startswith("enabled:")]
    names = tracing.variables(template, condition)
    conditions = {name: made.answers[name] for name in sorted(names) if name in made.answers}
    return plan.because(component.name, conditions)


def _data(component: Component) -> str:
    return f"blueprints/components/{component.name}.yaml"


def _owner(made: Made, component: Component | None) -> str:
    """Who is asked about the file."""
    team = made.context.get("team")
    if isinstance(team, dict):
        return f"team {team['name']} ({team['contact']})"
    owner = component.owner if component else "platform"
    return f"{owner} ({made.answers['contacts'].get(owner, made.answers['contacts']['platform'])})"


def _dependencies(
    made: Made, component: Component | None, template: Template
) -> Iterator[Dependency]:
    """The answers that the file's templates read, its path and the component's data included."""
    texts = {name: _text(template, name) for name in (made.source, *made.read)}
    texts["its path"] = made.source
    if component:
        texts[_data(component)] = _text(template, _data(component))
    used = {place: tracing.variables(template, (text,)) for place, text in texts.items() if text}
    for question in questions(template):
        places = [place for place, names in used.items() if question.name in names]
        if component and question.name == "tier":
            places.append(f"blueprints/tiers/{made.answers['tier']}.yaml")
        if question.name in made.answers and _loops_over(made, made.answers[question.name]):
            places.append("its path")
        if places and not question.computed:
            value = made.answers.get(question.name)
            yield Dependency(question.name, value, tuple(dict.fromkeys(places)))


def _text(template: Template, name: str) -> str:
    """A template's source; files that are copied as they are have none."""
    rendered = name.endswith(".jinja") or not name.startswith("blueprints/repo/")
    return (template.root / name).read_text("utf-8") if rendered else ""


def _loops_over(made: Made, answer: Any) -> bool:
    """Whether the file is there once for each item of this answer, or for each of their places."""
    items = [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
    looped = [value for value in made.context.values() if isinstance(value, dict)]
    return any(
        key in value and value[key] == item.get(key)
        for value in looped
        for item in items
        for key in ("name", "place")
    )


def _advice(path: str, answers: tuple[Dependency, ...]) -> str:
    if path == ANSWERS_FILE:
        return (
            "Never change it by hand: copier update --vcs-ref :current: --data NAME=VALUE "
            "changes an answer and everything that follows from it."
        )
    advice = "Change it here; an update merges your lines with the template's."
    if answers:
        names = ", ".join(answer.name for answer in answers)
        advice += f" What comes from an answer ({names}) is better changed there."
    return advice
