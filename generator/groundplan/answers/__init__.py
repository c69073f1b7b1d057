"""What an organisation answered: read strictly, and checked before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundplan import documents, places
from groundplan.answers.acceptance import expired, fit_fields, unaccepted
from groundplan.answers.combinations import SYSTEM_NAMESPACES, impossible
from groundplan.answers.fields import (
    Fault,
    Kind,
    faults,
    pointed,
    shown,
    suggestion,
    unknown_key,
    wrong_type,
)
from groundplan.answers.known import known_fields
from groundplan.answers.serving import hardware, serving_fields, unserved
from groundplan.catalogue import practices
from groundplan.errors import AnswersError, TemplateError, UsageError
from groundplan.template import UPSTREAM, Template, version_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from pathlib import Path

    from groundplan.answers.fields import Kind
    from groundplan.catalogue import Prerequisite

COMMIT = "_commit"
SOURCE = "_src_path"


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the template, as its question file says it."""

    name: str
    type: str
    """`str`, `bool`, `int`, `float` or `yaml`."""
    help: str
    default: Any
    """May be a Jinja expression on earlier answers."""
    choices: tuple[tuple[str, Any], ...]
    """Label and value of each; empty when any value will do."""
    when: Any
    """False when the answer is computed, never asked."""

    @property
    def computed(self) -> bool:
        """Whether the template answers this itself."""
        return self.when is False


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers as given, by question, without the template's defaults."""

    values: Mapping[str, Any]
    path: str = ""
    """The file that they were read from, as the user named it."""
    text: bytes = field(default=b"", repr=False)
    commit: str = ""
    """The version of the template that wrote them; empty when a person did."""

    def changed(self, values: Mapping[str, Any]) -> Answers:
        """The same answers with some replaced."""
        return Answers({**self.values, **values}, self.path, self.text, self.commit)


def questions(template: Template) -> tuple[Question, ...]:
    """Every question of a template, in the order in which they are asked.

    Raises:
        TemplateError: `template.invalid`.
    """
    found: dict[str, Question] = {}
    for file in sorted((template.root / "blueprints" / "questions").glob("*.yaml")):
        content = documents.load(file.read_bytes(), file.name)
        if not isinstance(content, Mapping):
            raise TemplateError("template.invalid", "no questions in here", where=file.name)
        found |= {name: _question(name, said) for name, said in content.items()}
    return tuple(found.values())


def read(path: Path) -> Answers:
    """Read a file of answers, by a person or from a rendered repository.

    Raises:
        UsageError: `answers.unreadable`.
        AnswersError: `yaml.…` or `answers.not-a-mapping`.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise UsageError(
            "answers.unreadable", reason, where=str(path), fix="name a file of answers"
        ) from error
    try:
        values = documents.load(text, str(path))
    except documents.YamlError as error:
        fix = "answers are one YAML mapping with every key once"
        mended = UsageError(error.id, error.what, where=error.where, fix=fix)
        raise AnswersError((mended,)) from error
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        what = f"{shown(values)} is not a mapping of answers"
        fix = "write one `question: answer` on each line"
        raise AnswersError((UsageError("answers.not-a-mapping", what, where=str(path), fix=fix),))
    return Answers({str(key): value for key, value in values.items()}, str(path), text)


def checked(
    answers: Answers,
    template: Template,
    reserved: Mapping[str, str] = SYSTEM_NAMESPACES,
    prerequisites: Iterable[Prerequisite] | None = None,
    today: date | None = None,
) -> Answers:
    """The answers that can be rendered: without copier's own keys, free of contradictions.

    Args:
        answers: As read.
        template: What is going to be rendered.
        reserved: Namespaces that no team can have, and who has them.
        prerequisites: What the plan counts on, once it is known.
        today: When risks are accepted anew, and must not have expired.

    Raises:
        AnswersError: One error for each fault, all of them at once.
    """
    asked = {question.name: question for question in questions(template)}
    told = _with_defaults(answers.values, asked.values())
    fields = fields_of(template, told)
    found = [
        *_origin(answers.values, template),
        *_each(answers.values, asked, fields),
        *impossible(told, reserved),
        *unserved(told, hardware(template)),
    ]
    if prerequisites is not None:
        found += unaccepted(answers.values, prerequisites)
    if today is not None:
        found += expired(answers.values, today)
    if found:
        raise AnswersError(tuple(_error(fault, answers) for fault in found))
    values = {key: value for key, value in answers.values.items() if key in asked}
    return Answers(values, answers.path, answers.text, str(answers.values.get(COMMIT, "")))


def fields_of(template: Template, told: Mapping[str, Any]) -> Mapping[str, Kind]:
    """What is known about answers beyond their question, after what was told: by question."""
    return {
        **known_fields(places.read(template), told),
        **serving_fields(hardware(template)),
        **fit_fields(practices(template)),
    }


def _question(name: str, said: Any) -> Question:
    said = said if isinstance(said, Mapping) else {"default": said}
    choices = said.get("choices") or ()
    if isinstance(choices, Mapping):
        choices = tuple(choices.items())
    else:
        choices = tuple((str(choice), choice) for choice in choices)
    return Question(
        name=name,
        type=said.get("type", "str"),
        help=said.get("help", ""),
        default=said.get("default"),
        choices=choices,
        when=said.get("when", True),
    )


def _with_defaults(values: Mapping[str, Any], asked: Iterable[Question]) -> dict[str, Any]:
    """The answers and the defaults that are choices; other defaults contradict nothing."""
    defaults = {question.name: question.default for question in asked if question.choices}
    return {**defaults, **values}


def _origin(values: Mapping[str, Any], template: Template) -> Iterator[Fault]:
    """Whether answers that copier wrote are for this template, at most this version."""
    source, commit = values.get(SOURCE, UPSTREAM), values.get(COMMIT, template.version)
    if source != UPSTREAM:
        what = f"these answers are for the template {shown(source)}"
        fix = f"leave {SOURCE} out if they are meant for {UPSTREAM}"
        yield Fault((SOURCE,), "answers.other-template", what, fix)
        return
    written, own = version_numbers(str(commit)), version_numbers(template.version)
    if written is None:
        what = f"{shown(commit)} is no version of the template"
        yield Fault((COMMIT,), "answers.unknown-version", what, f"leave {COMMIT} out")
    elif own is not None and written > own:
        what = f"these answers are for {commit}, and this installation carries {template.version}"
        yield Fault((COMMIT,), "answers.newer-version", what, "upgrade groundplan")


def _each(
    values: Mapping[str, Any], asked: Mapping[str, Question], fields: Mapping[str, Kind]
) -> Iterator[Fault]:
    """What is wrong with each answer by itself."""
    for key, value in values.items():
        question = asked.get(key)
        if key in (COMMIT, SOURCE):
            continue
        if question is None:
            yield unknown_key((key,), (name for name, q in asked.items() if not q.computed))
        elif question.computed:
            what = "this is computed from the other answers"
            yield Fault((key,), "answers.computed-key", what, f"leave {key} out")
        elif question.choices:
            yield from _choice(question, value)
        elif key in fields:
            yield from faults(fields[key], value, (key,))
            if key == "clusters" and value == []:
                what = "a platform without a cluster has nothing to run on"
                yield Fault((key,), "answers.no-clusters", what, "describe one cluster")
        elif question.type in _TYPES and not isinstance(value, _TYPES[question.type][0]):
            yield wrong_type((key,), value, _TYPES[question.type][1])


_TYPES: Mapping[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "bool": (bool, "true or false"),
    "int": (int, "a number"),
    "float": (float, "a number"),
}


def _choice(question: Question, value: Any) -> Iterator[Fault]:
    choices = [choice for _, choice in question.choices]
    path = (question.name,)
    if not isinstance(value, str):
        yield wrong_type(path, value, "a text")
    elif value not in choices and question.name == "kubernetes":
        what = f"Kubernetes {value} is not supported"
        fix = f"use one of {', '.join(choices)}"
        yield Fault(path, "answers.kubernetes-unsupported", what, fix)
    elif value not in choices:
        what = f"{shown(value)} is not one of the choices"
        yield Fault(path, "answers.not-a-choice", what, suggestion(value, choices))


def _error(fault: Fault, answers: Answers) -> UsageError:
    """A fault as the user reads it, with the line when the answers came from a file."""
    place = pointed(fault.path)
    if answers.path:
        pointer = "".join(
            "/" + str(part).replace("~", "~0").replace("/", "~1") for part in fault.path
        )
        line = documents.locate(answers.text, 0, pointer)
        place = f"{answers.path}:{line}: {place}"
    return UsageError(fault.id, fault.what, where=place, fix=fault.fix)
