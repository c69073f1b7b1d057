"""How a file of a repository came about: the parts of the template that went into it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import meta

from groundplan.copier_adapter.quick import Renderer, working

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.template import Template


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
    with working(template, answers, Path(os.devnull), _Tracer) as worker:
        vars(worker)["wanted"] = path
        worker.run_copy()
        return vars(worker).get("made")


def variables(template: Template, texts: Iterable[str]) -> frozenset[str]:
    """The names that templates take from the answers, by reading their syntax."""
    with working(template, {}, Path(os.devnull)) as worker:
        parsed = (worker.jinja_env.parse(text) for text in texts)
        return frozenset().union(*(meta.find_undeclared_variables(tree) for tree in parsed))


class _Tracer(Renderer):
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
