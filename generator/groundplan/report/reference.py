"""The reference page of all checks, in Markdown."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundplan.checks import Check

FAMILIES = {
    "CHT": "Charts and their values",
    "FLX": "What Flux's maintainers advise",
    "GIT": "The GitOps graph",
    "KUS": "Kustomize builds",
    "SCH": "Schemas",
    "TREE": "Files",
    "YAML": "YAML",
}
INTRODUCTION = """\
# Checks

Generated from the code of `groundplan check`. Ids are stable: a check may be added or retired, and
its id never means anything else.

Each check says of everything that it looks at *passed*, *failed*, *skipped* or *errored*. What is
skipped or errored is listed with its reason, and never counts as passed. `--fail-on` sets the
severity from which findings make the exit code 1; the default is `medium`.

Every check has a good and a bad example in `generator/groundplan/checks/examples`.
"""


def render(checks: Iterable[Check]) -> str:
    """Write the page."""
    return "\n".join([INTRODUCTION, *_sections(checks)])


def _sections(checks: Iterable[Check]) -> Iterator[str]:
    """Write a section for each family, and in it one for each check."""
    for family, members in groupby(checks, key=lambda check: check.id.rstrip("0123456789")):
        yield f"## {FAMILIES[family]}\n"
        for check in members:
            yield f"### {check.id}\n"
            yield f"{check.title}. Severity: {check.severity}.\n"
            yield f"{check.remediation}\n"
