"""Reports as text for people and programs: one pure function per format."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from groundplan.report import github, gitlab, json, junit, markdown, sarif, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundplan.findings import Report


class Format(StrEnum):
    """What `--format` takes."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    GITLAB = "gitlab"
    MARKDOWN = "markdown"


RENDERERS: dict[Format, Callable[[Report], str]] = {
    Format.TEXT: text.render,
    Format.JSON: json.render,
    Format.SARIF: sarif.render,
    Format.JUNIT: junit.render,
    Format.GITHUB: github.render,
    Format.GITLAB: gitlab.render,
    Format.MARKDOWN: markdown.render,
}


def render(report: Report, format: Format) -> str:
    """Write a report in one of the formats, ending in a newline."""
    return RENDERERS[format](report)
