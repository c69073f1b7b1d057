"""A report as Markdown for a comment on a pull request: a table for each owner."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from groundplan.report.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.findings import Finding, Report

MARKER = "<!-- groundplan check -->"
"""Lets a bot find its own comment."""
LIMIT = 60_000
"""Characters; GitHub takes comments of 65,536."""


def render(report: Report) -> str:
    """Write the findings by owner, the gravest first, as far as a comment goes."""
    lines = [MARKER, f"**groundplan**: {_total(report)}", ""]
    size = sum(map(len, lines))
    for line in _tables(report):
        size += len(line) + 1
        if size > LIMIT:
            lines += ["", "The comment ends here; `groundplan check` has the rest."]
            break
        lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"


def _total(report: Report) -> str:
    summary = summarise(report)
    unseen = sum(len(result.not_evaluated) for result in report.results)
    left = f", {unseen} not evaluated" if unseen else ""
    return f"{summary.findings or 'no'} finding{'' if summary.findings == 1 else 's'}{left}"


def _tables(report: Report) -> Iterator[str]:
    ordered = sorted(report.findings, key=lambda f: (f.fix_owner, -f.severity))
    for owner, findings in groupby(ordered, key=lambda finding: finding.fix_owner):
        if owner:
            yield f"### For {owner}"
            yield ""
        yield "| severity | check | where | what |"
        yield "|---|---|---|---|"
        yield from (_row(finding) for finding in findings)
        yield ""


def _row(finding: Finding) -> str:
    message = " ".join(finding.message.split()).replace("|", "\\|")
    where = f"`{finding.location}`"
    return f"| {finding.severity} | {finding.check_id} | {where} | {message} |"
