"""A report as GitHub Actions workflow commands, which become annotations on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.findings import Errored, Finding, Report, Severity, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = {
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}


def render(report: Report) -> str:
    """Write one workflow command a line."""
    titles = {result.check_id: result.title for result in report.results}
    lines = [_finding(finding, titles[finding.check_id]) for finding in report.findings]
    return "".join(f"{line}\n" for line in [*lines, *_not_evaluated(report)])


def _finding(finding: Finding, title: str) -> str:
    """Write one finding."""
    command = COMMANDS[finding.severity]
    line = f",line={finding.location.line}" if finding.location.line else ""
    path = _property(finding.location.path)
    heading = _property(f"{finding.check_id} {title}")
    text = _data(f"{finding.message}\n{finding.remediation}")
    return f"::{command} file={path}{line},title={heading}::{text}"


def _not_evaluated(report: Report) -> Iterator[str]:
    """Write what nobody looked at."""
    for result in report.results:
        for outcome in result.not_evaluated:
            yield _reason(result.check_id, outcome)


def _reason(check_id: str, outcome: Skipped | Errored) -> str:
    """Write why something was not looked at."""
    command = "error" if isinstance(outcome, Errored) else "notice"
    count = f" ({outcome.count})" if isinstance(outcome, Skipped) and outcome.count > 1 else ""
    title = _property(f"{check_id} not evaluated")
    return f"::{command} title={title}::{_data(f'{outcome.subject}{count}: {outcome.reason}')}"


def _data(text: str) -> str:
    """Escape a message: a line break would end the command, and `%` starts an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property, where `:` and `,` are separators too."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
