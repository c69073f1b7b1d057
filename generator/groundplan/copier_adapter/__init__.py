"""The only package that imports copier: the same files as `copier copy`, several times as fast.

How, and why it is safe to reach into copier for that: `docs/decisions/0005-rendering.md`.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import copier
import plumbum

from groundplan.copier_adapter.failures import translated
from groundplan.errors import TemplateError
from groundplan.git import git
from groundplan.template import PARTS, UPSTREAM, UPSTREAM_URL, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from groundplan.copier_adapter.quick import Offer


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
        _quick().render(template, answers, destination, approve)
    else:
        approve(resolve(template, answers))
        render_as_published(template, answers, destination)


def familiar() -> bool:
    """Whether this copier has the inside that the quick way of rendering builds on."""
    try:
        quick = _quick()
    except TemplateError:
        return False
    return bool(quick.fits())


def render_as_published(template: Template, answers: Mapping[str, Any], destination: Path) -> None:
    """Render through copier's public API alone: `copier copy gh:… --vcs-ref vX.Y.Z`, offline.

    Git is told to fetch the template's address from a repository made of the installed files.
    Slower than `render`, the same result.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The template cannot be rendered.
    """
    with tempfile.TemporaryDirectory(prefix="groundplan-") as folder, translated():
        origin = published(template, Path(folder) / "template")
        with plumbum.local.env(**redirect(origin)), _cache(Path(folder) / "cache"):
            copier.run_copy(
                UPSTREAM,
                destination,
                data=dict(answers),
                defaults=True,
                quiet=True,
                vcs_ref=template.version,
            )


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    """Keep copier's clones apart from those that the user's own copier keeps.

    Copier reads this from the process's environment, of which plumbum has an early copy.
    """
    name = "COPIER_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def published(template: Template, folder: Path) -> Path:
    """A git repository with this one version of the template, tagged as upstream tags it."""
    folder.mkdir(parents=True)
    tree = (f"--git-dir={folder / '.git'}", f"--work-tree={template.root}")
    who = ("-c", "user.name=groundplan", "-c", "user.email=groundplan@localhost")
    git(folder, "init", "--quiet")
    git(template.root, *tree, "add", "--force", "--", *PARTS)
    git(folder, *tree, *who, "commit", "--quiet", "--no-gpg-sign", "-m", template.version)
    git(folder, *tree, "tag", "--no-sign", template.version)
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
    answered: Mapping[str, Any] = _quick().resolve(template, answers)
    return answered


def unasked(template: Template, answers: Mapping[str, Any]) -> frozenset[str]:
    """The questions that are not asked after these answers; a render would not record them.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The questions cannot be read or computed.
    """
    found: frozenset[str] = _quick().unasked(template, answers)
    return found


def plan(template: Template, answers: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the template plans for these answers, even when it will not render it for them.

    Raises:
        AnswersError: `answers.refused`, when a question before the plan says no.
        TemplateError: The questions cannot be read or computed.
    """
    computed: Mapping[str, Any] = _quick().plan(template, answers)
    return computed


def offer(template: Template, question: str, answers: Mapping[str, Any]) -> Offer | None:
    """The default of a question after these answers, or None when it is not asked then.

    Raises:
        TemplateError: The question cannot be computed.
    """
    offered: Offer | None = _quick().offer(template, question, answers)
    return offered


def _quick() -> ModuleType:
    try:
        from groundplan.copier_adapter import quick
    except ImportError as error:
        raise TemplateError(
            "template.unfamiliar-copier",
            f"copier {copier.__version__} has changed inside",
            fix="pip install 'copier==9.19.*'",
        ) from error
    return quick
