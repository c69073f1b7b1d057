"""The only module that imports copier: the same files as `copier copy`, several times as fast.

How, and why it is safe to reach into copier for that: `docs/decisions/0005-rendering.md`.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import copier
import jinja2
import jinja2.meta
import plumbum
import yaml
from copier import _jinja_ext as copier_jinja
from copier import _main as copier_main
from copier import _settings as copier_settings
from copier import _template as copier_template
from copier import _user_data as copier_data
from copier.errors import CopierError, CopierWarning

from groundplan.errors import AnswersError, TemplateError, UsageError
from groundplan.process import Command
from groundplan.template import PARTS, UPSTREAM, UPSTREAM_URL, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_OVERRIDDEN = ("_render_context", "_sync_git_index_executable_bit", "answers_relpath", "jinja_env")
"""What `_Renderer` replaces; were one of them gone, its replacement would do nothing."""


def render(
    template: Template,
    answers: Mapping[str, Any],
    destination: Path,
    approve: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> None:
    """Write the repository that these answers describe, as `copier copy` would.

    Args:
        template: Which version to render.
        answers: By question; what is missing takes the template's default.
        destination: A folder that does not exist yet, or is empty.
        approve: Sees all answers, computed ones included, and may raise before anything is written.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The template cannot be rendered.
    """
    if familiar():
        with _worker(template, answers, destination) as worker:
            vars(worker)["approve"] = approve
            worker.run_copy()
    else:
        approve(resolve(template, answers))
        render_as_published(template, answers, destination)


def familiar() -> bool:
    """Whether this copier has the inside that the quick way of rendering builds on."""
    return all(hasattr(copier_main.Worker, name) for name in _OVERRIDDEN)


def render_as_published(template: Template, answers: Mapping[str, Any], destination: Path) -> None:
    """Render through copier's public API alone: `copier copy gh:… --vcs-ref vX.Y.Z`, offline.

    Git is told to fetch the template's address from a repository made of the installed files.
    Slower than `render`, the same result.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The template cannot be rendered.
    """
    with tempfile.TemporaryDirectory(prefix="groundplan-") as folder, _translated():
        origin = published(template, Path(folder) / "template")
        # plumbum copied the environment when it was imported; copier reads this one late.
        os.environ["COPIER_CACHE_DIR"] = str(Path(folder) / "cache")
        try:
            with plumbum.local.env(**redirect(origin)):
                copier.run_copy(
                    UPSTREAM,
                    destination,
                    data=dict(answers),
                    defaults=True,
                    quiet=True,
                    vcs_ref=template.version,
                )
        finally:
            del os.environ["COPIER_CACHE_DIR"]


def published(template: Template, folder: Path) -> Path:
    """A git repository with this one version of the template, tagged as upstream tags it."""
    folder.mkdir(parents=True)
    git = ("git", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false")
    who = ("-c", "user.name=groundplan", "-c", "user.email=groundplan@localhost")
    place = (f"--git-dir={folder / '.git'}", f"--work-tree={template.root}")
    Command((*git, "init", "--quiet", str(folder))).run()
    Command((*git, *place, "add", "--force", "--", *PARTS), cwd=template.root).run()
    Command((*git, *who, *place, "commit", "--quiet", "-m", template.version)).run()
    Command((*git, *place, "tag", "--no-sign", template.version)).run()
    return folder


def redirect(origin: Path) -> dict[str, str]:
    """Environment in which git fetches the template's address from a folder, and nothing else."""
    count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    return {
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"url.{origin}.insteadOf",
        f"GIT_CONFIG_VALUE_{count}": UPSTREAM_URL,
    }


def resolve(template: Template, answers: Mapping[str, Any]) -> Mapping[str, Any]:
    """All answers by question, defaults and computed ones included. Nothing is written.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The questions cannot be read or computed.
    """
    with _worker(template, answers, Path(os.devnull)) as worker:
        with copier.Phase.use(copier.Phase.PROMPT):
            worker._ask()
        return worker.answers.combined


def question_names(template: Template) -> tuple[str, ...]:
    """The questions in the order in which copier asks them."""
    with _worker(template, {}, Path(os.devnull)) as worker:
        return tuple(worker.template.questions_data)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the template suggests as an answer."""

    default: Any


def offer(template: Template, question: str, answers: Mapping[str, Any]) -> Offer | None:
    """The default of a question after these answers, or None when it is not asked then.

    Raises:
        TemplateError: The question cannot be computed.
    """
    with _worker(template, answers, Path(os.devnull)) as worker:
        details = worker.template.questions_data[question]
        worker.answers = copier_data.AnswersMap(init=dict(answers))
        asked = copier_data.Question(
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


@dataclass(frozen=True, slots=True)
class Made:
    """How one file of a repository came about."""

    source: str
    """The file of the template that it was rendered from, relative to the template's root."""
    read: tuple[str, ...]
    """Other files of the template that went into it."""
    context: Mapping[str, Any]
    """What its path loops over, by name: a component, a cluster, a team."""
    content: bytes
    answers: Mapping[str, Any]
    """All answers, computed ones included."""


def trace(template: Template, answers: Mapping[str, Any], path: str) -> Made | None:
    """How a file of the repository is made, or None when the template does not make it.

    Args:
        template: As it rendered the repository.
        answers: As the repository records them.
        path: Relative to the repository, with `/`.

    Raises:
        AnswersError: The answers do not fit this version of the template.
        TemplateError: The template cannot be rendered.
    """
    with _worker(template, answers, Path(os.devnull), _Tracer) as worker:
        vars(worker)["wanted"] = path
        worker.run_copy()
        return vars(worker).get("made")


def variables(template: Template, texts: Iterable[str]) -> frozenset[str]:
    """The names that templates take from the answers, by reading their syntax."""
    with _worker(template, {}, Path(os.devnull)) as worker:
        parsed = (worker.jinja_env.parse(text) for text in texts)
        return frozenset().union(*(jinja2.meta.find_undeclared_variables(tree) for tree in parsed))


class _Renderer(copier_main.Worker):
    """Copier's worker without the work that it repeats for every file."""

    def _ask(self) -> None:
        """Answer the questions and show the result to whoever must agree."""
        super()._ask()
        vars(self).get("approve", lambda _: None)(self.answers.combined)

    @cached_property
    def jinja_env(self) -> Any:
        """Copier's environment, which compiles equal strings once."""
        environment: Any = super().jinja_env
        environment.from_string = _compile_once(environment)
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


class _Tracer(_Renderer):
    """Renders one file, to nowhere, and remembers what went into it."""

    def _render_folder(self, dst_relpath: Path) -> None:
        """Nothing."""

    def _render_file(
        self, src_relpath: Path, dst_relpath: Path, extra_context: dict[str, Any] | None = None
    ) -> None:
        if dst_relpath.as_posix() != vars(self)["wanted"]:
            return
        read: dict[str, None] = {}
        get_template = self.jinja_env.get_template

        def recorded(name: Any, *rest: Any, **options: Any) -> Any:
            read[name] = None
            return get_template(name, *rest, **options)

        self.jinja_env.get_template = recorded
        super()._render_file(src_relpath, dst_relpath, extra_context)
        source = src_relpath.as_posix()
        read.pop(source, None)
        vars(self)["made"] = Made(
            source,
            tuple(read),
            extra_context or {},
            vars(self).pop("content", b""),
            self.answers.combined,
        )

    def _render_allowed(
        self,
        dst_relpath: Path,  # noqa: ARG002
        is_dir: bool = False,  # noqa: ARG002
        is_symlink: bool = False,  # noqa: ARG002
        expected_contents: bytes | Path = b"",
        expected_mode: int | None = None,  # noqa: ARG002
    ) -> bool:
        """Write nothing, but keep what would have been written."""
        vars(self)["content"] = expected_contents
        return False


def _compile_once(environment: Any) -> Callable[..., Any]:
    """`from_string` with memory."""
    compile_string = environment.from_string
    compiled: dict[str, Any] = {}

    def from_string(source: Any, *rest: Any, **options: Any) -> Any:
        if rest or options or not isinstance(source, str):
            return compile_string(source, *rest, **options)
        if source not in compiled:
            compiled[source] = compile_string(source)
        # Compiling anew would have cleared what the last `yield` tag left behind.
        _forget_yield(environment)
        return compiled[source]

    return from_string


def _forget_yield(environment: Any) -> None:
    left = copier_jinja.get_yield_context(environment)
    left.yield_name = left.yield_iterable = None


@contextmanager
def _worker(
    template: Template,
    answers: Mapping[str, Any],
    destination: Path,
    kind: type[_Renderer] = _Renderer,
) -> Iterator[_Renderer]:
    """A worker on the installed template that believes it was fetched from upstream."""
    source = copier_template.Template(url=UPSTREAM, ref=template.version)
    vars(source).update(
        local_abspath=template.root.resolve(), commit=template.version, git_index_modes={}
    )
    with (
        _translated(),
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


@contextmanager
def _translated() -> Iterator[None]:
    """Copier's warnings are for authors of templates; its errors have four families."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CopierWarning)
        try:
            yield
        except jinja2.TemplateError as error:
            place = f"{getattr(error, 'name', None) or ''}:{getattr(error, 'lineno', '')}"
            raise TemplateError(
                "template.render", f"{error}", where=place.strip(":"), fix=_REPORT
            ) from error
        except (CopierError, yaml.YAMLError) as error:
            raise TemplateError("template.invalid", f"{error}", fix=_REPORT) from error
        except plumbum.ProcessExecutionError as error:
            said = f"{error.stderr}".strip() or f"git ended with {error.retcode}"
            raise TemplateError(
                "template.git", said.splitlines()[-1], fix="check that git works here"
            ) from error
        except ValueError as error:
            # Only a bare ValueError is about an answer; its subclasses are about the template.
            if type(error) is not ValueError:
                raise TemplateError("template.invalid", f"{error}", fix=_REPORT) from error
            raise AnswersError((_refused(f"{error}"),)) from error


_REPORT = "this is a fault of the template; please report it"

_ABOUT = re.compile(r"(?:question|Question|choice for) [\"']([^\"']+)[\"'](?:: )?")


def _refused(message: str) -> UsageError:
    """What a question's own validator said, in our words."""
    about = _ABOUT.search(message)
    where = about[1] if about else ""
    what = message[about.end() :].strip() if about else message
    return UsageError("answers.refused", what or message, where=where, fix="change this answer")
