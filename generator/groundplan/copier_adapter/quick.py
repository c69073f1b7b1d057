"""Rendering with copier's own worker, without the work that it repeats for every file."""

from __future__ import annotations

import os
import types
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import copier
import yaml
from copier import _jinja_ext as copier_jinja
from copier import _main as copier_main
from copier import _settings as copier_settings
from copier import _template as copier_template
from copier import _user_data as copier_data

from groundplan.copier_adapter import compiled
from groundplan.copier_adapter.failures import translated
from groundplan.copier_adapter.remembered import remembered
from groundplan.template import UPSTREAM, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PLAN = "plan"
"""The question that the template answers from all that come before it."""

_REPLACED = {
    copier_main.Worker: (
        "_ask",
        "_render_context",
        "_sync_git_index_executable_bit",
        "answers_relpath",
        "jinja_env",
    ),
    copier_data.Question: ("cast_answer", "get_default"),
    copier_template.Template: ("_raw_config",),
}
"""What is overridden below; were one of them gone, overriding it would do nothing."""


def fits() -> bool:
    """Whether copier still has all that is replaced here."""
    known = vars(copier_main).get("Question") is copier_data.Question
    known = known and vars(copier_template).get("yaml") is yaml
    return known and all(hasattr(kind, name) for kind, names in _REPLACED.items() for name in names)


def render(
    template: Template,
    answers: Mapping[str, Any],
    destination: Path,
    approve: Callable[[Mapping[str, Any]], None],
) -> None:
    """Write the repository; `approve` sees all answers first."""
    with working(template, answers, destination) as worker:
        vars(worker)["approve"] = approve
        worker.run_copy()
    compiled.save()


def resolve(template: Template, answers: Mapping[str, Any]) -> Mapping[str, Any]:
    """All answers by question, defaults and computed ones included. Nothing is written.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The questions cannot be read or computed.
    """
    with working(template, answers, Path(os.devnull)) as worker:
        with copier.Phase.use(copier.Phase.PROMPT):
            worker._ask()
        return worker.answers.combined


def unasked(template: Template, answers: Mapping[str, Any]) -> frozenset[str]:
    """The questions that are not asked after these answers."""
    with working(template, answers, Path(os.devnull)) as worker:
        with copier.Phase.use(copier.Phase.PROMPT):
            worker._ask()
        return frozenset(worker.answers.hidden)


def plan(template: Template, answers: Mapping[str, Any]) -> Mapping[str, Any]:
    """What would be planned for these answers, also where a later question refuses it."""
    with working(template, answers, Path(os.devnull)) as worker:
        try:
            with copier.Phase.use(copier.Phase.PROMPT):
                worker._ask()
        except ValueError:
            if PLAN not in worker.answers.combined:
                raise
        computed: Mapping[str, Any] = worker.answers.combined[PLAN]
        return computed


@dataclass(frozen=True, slots=True)
class Offer:
    """What the template suggests as an answer."""

    default: Any


def offer(template: Template, question: str, answers: Mapping[str, Any]) -> Offer | None:
    """The default of a question after these answers, or None when it is not asked then.

    Raises:
        TemplateError: The question cannot be computed.
    """
    with working(template, answers, Path(os.devnull)) as worker:
        details = worker.template.questions_data[question]
        worker.answers = copier_data.AnswersMap(init=dict(answers))
        asked = _Question(
            var_name=question,
            answers=worker.answers,
            context=worker._render_context(),
            jinja_env=worker.jinja_env,
            settings=worker.settings,
            **details,
        )
        if not asked.get_when():
            return None
        return Offer(asked.parse_answer(asked.render_value(asked.default)))


class Renderer(copier_main.Worker):
    """Copier's worker without the work that it repeats for every file."""

    def _ask(self) -> None:
        """Answer the questions and show the result to whoever must agree."""
        inside = vars(copier_main)
        asked = inside["Question"]
        inside["Question"] = _Question
        approve = vars(self).get("approve", lambda _: None)
        try:
            super()._ask()
        except ValueError:
            # The template refuses an answer in its words; who must agree may have better ones.
            if PLAN in self.answers.combined:
                approve(self.answers.combined)
            raise
        finally:
            inside["Question"] = asked
        approve(self.answers.combined)

    @cached_property
    def jinja_env(self) -> Any:
        """Copier's environment, which compiles equal strings once."""
        environment: Any = super().jinja_env
        compiled.remember(environment)
        environment.auto_reload = False
        # Jinja's own memory of templates looks through all of them at each use.
        environment.cache = {}
        environment.from_string = _compile_once(environment)
        environment.filters["from_yaml"] = _from_yaml
        environment.filters["to_nice_yaml"] = remembered(environment.filters["to_nice_yaml"])
        return environment

    @property
    def answers_relpath(self) -> Path:
        """Where the answers file goes; asked for with every part of every path."""
        known = vars(self).get("_quick_answers_relpath")
        if known is None:
            # Copier blanks a part of the context while it answers, so not the shared one.
            with copier.Phase.use(copier.Phase.PROMPT):
                known = super().answers_relpath
            vars(self)["_quick_answers_relpath"] = known
        _forget_yield(self.jinja_env)
        return known

    def _render_context(self) -> Any:
        """What templates see; answers no longer change once rendering has begun."""
        if copier.Phase.current() is not copier.Phase.RENDER:
            return super()._render_context()
        context = vars(self).get("_quick_context")
        if context is None:
            context = super()._render_context()
            vars(self)["_quick_context"] = context
        return context

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        """Nothing: a new folder's files are in no index yet."""


class _Source(copier_template.Template):
    """Copier's template, whose questions are read with libyaml."""

    @cached_property
    def _raw_config(self) -> Any:
        """The questions; the class that reads them is one that copier derives from `yaml`'s."""
        inside = vars(copier_template)
        inside["yaml"] = _libyaml
        try:
            return super()._raw_config
        finally:
            inside["yaml"] = yaml


class _Question(copier_data.Question):
    """Copier's question, which computes its default once and reads YAML with libyaml."""

    @cached_property
    def _default(self) -> Any:
        return super().get_default()

    def get_default(self) -> Any:
        """The default; what it depends on was fixed when the question was made."""
        return self._default

    def cast_answer(self, answer: Any) -> Any:
        """The answer as a value of the question's type."""
        if isinstance(answer, str) and not self.multiselect and self.get_type_name() == "yaml":
            try:
                return _from_yaml(answer)
            except yaml.YAMLError as error:
                raise ValueError(f"{error}") from error
        return super().cast_answer(answer)


@remembered
def _from_yaml(text: Any) -> Any:
    """Read YAML as copier does, several times as fast where libyaml is there."""
    return yaml.load(text, _Loader) if isinstance(text, str) else text  # noqa: S506 - a safe one


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_libyaml = types.ModuleType("yaml")
vars(_libyaml).update(vars(yaml), SafeLoader=_Loader)


def _compile_once(environment: Any) -> Callable[..., Any]:
    """`from_string` with memory, and without work for text that has no tag in it."""
    compile_string = environment.from_string
    known: dict[str, Any] = {}
    marks = (
        environment.block_start_string,
        environment.variable_start_string,
        environment.comment_start_string,
        "\r",
    )
    unusual = (
        environment.line_statement_prefix
        or environment.line_comment_prefix
        or environment.newline_sequence != "\n"
        or not environment.keep_trailing_newline
    )

    def from_string(source: Any, *rest: Any, **options: Any) -> Any:
        if rest or options or not isinstance(source, str):
            return compile_string(source, *rest, **options)
        # Compiling anew would have cleared what the last `yield` tag left behind.
        _forget_yield(environment)
        if source not in known:
            plain = not unusual and not any(mark in source for mark in marks)
            known[source] = _Plain(source) if plain else compile_string(source)
        return known[source]

    return from_string


@dataclass(frozen=True, slots=True)
class _Plain:
    """A template that is its own result."""

    text: str

    def render(self, *_: Any, **__: Any) -> str:
        return self.text


def _forget_yield(environment: Any) -> None:
    left = copier_jinja.get_yield_context(environment)
    left.yield_name = left.yield_iterable = None


@contextmanager
def working(
    template: Template,
    answers: Mapping[str, Any],
    destination: Path,
    kind: type[Renderer] = Renderer,
) -> Iterator[Renderer]:
    """A worker on the installed template that believes it was fetched from upstream."""
    source = _Source(url=UPSTREAM, ref=template.version)
    vars(source).update(
        local_abspath=template.root.resolve(), commit=template.version, git_index_modes={}
    )
    with (
        translated(),
        kind(
            src_path=UPSTREAM,
            dst_path=destination,
            data=dict(answers),
            # A user's own copier settings must not decide about a platform.
            settings=copier_settings.SettingsModel(),
            vcs_ref=template.version,
            defaults=True,
            quiet=True,
            cleanup_on_error=False,
        ) as worker,
    ):
        vars(worker)["template"] = source
        yield worker
