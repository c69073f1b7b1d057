"""A report for a terminal: findings by file, then what was and what was not looked at."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from groundplan.findings import Errored, Finding, Report, Severity, Skipped
from groundplan.report.summary import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator


def render(report: Report) -> str:
    """Write the report in plain text."""
    return "\n".join([*_findings(report), *_not_evaluated(report), *_summary(report)]) + "\n"


def _findings(report: Report) -> Iterator[str]:
    """Write the findings, grouped by file."""
    for path, findings in groupby(report.findings, key=lambda finding: finding.location.path):
        yield path
        for finding in findings:
            yield from _finding(finding)
        yield ""


def _finding(finding: Finding) -> Iterator[str]:
    """Write one finding and how to mend it."""
    line = str(finding.location.line) if finding.location.line else "-"
    message = " ".join(finding.message.split())
    yield f"  {line:>5}  {finding.severity!s:<6}  {finding.check_id}  {message}"
    owner = f" ({finding.fix_owner})" if finding.fix_owner else ""
    yield f"{'':17}-> {finding.remediation}{owner}"


def _not_evaluated(report: Report) -> Iterator[str]:
    """Write what nobody looked at, with reasons."""
    outcomes = [
        (result.check_id, outcome) for result in report.results for outcome in result.not_evaluated
    ]
    if outcomes:
        yield "Not evaluated:"
        yield from (f"  {check_id}  {_skipped(outcome)}" for check_id, outcome in outcomes)
        yield ""


def _skipped(outcome: Skipped | Errored) -> str:
    """Write one reason for not looking."""
    if isinstance(outcome, Errored):
        return f"{outcome.subject}: broke off: {outcome.reason}"
    count = f" ({outcome.count})" if outcome.count > 1 else ""
    return f"{outcome.subject}{count}: {outcome.reason}"


def _summary(report: Report) -> Iterator[str]:
    """Write the totals."""
    summary = summarise(report)
    if summary.objects is not None:
        yield (
            f"{_count(summary.objects.validated, 'object')} validated / "
            f"{summary.objects.not_evaluated} not evaluated"
        )
    yield f"{_checks(summary)}; {_totals(summary)}"


def _checks(summary: Summary) -> str:
    """Write how many checks had something to look at."""
    idle = f", {len(summary.idle)} had nothing to look at" if summary.idle else ""
    return f"{_count(summary.checks, 'check')} ran{idle}"


def _count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _totals(summary: Summary) -> str:
    """Write how many findings there are of each severity."""
    if not summary.findings:
        return "no findings"
    counts = [
        f"{summary.severities[severity]} {severity}"
        for severity in sorted(Severity, reverse=True)
        if summary.severities[severity]
    ]
    return f"{_count(summary.findings, 'finding')}: {', '.join(counts)}"
