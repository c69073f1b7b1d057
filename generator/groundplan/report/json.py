"""A report as JSON, for programs. `schema` names the version: fields are added, never changed."""

from __future__ import annotations

import json
from typing import Any

from groundplan import __version__
from groundplan.findings import Errored, Finding, Report, Result, Skipped
from groundplan.report.summary import summarise

SCHEMA = "groundplan.dev/report/v1"


def render(report: Report) -> str:
    """Write the report as one JSON object."""
    return json.dumps(_report(report), indent=2, ensure_ascii=False) + "\n"


def _report(report: Report) -> dict[str, Any]:
    """Lay out the whole report."""
    summary = summarise(report)
    return {
        "schema": SCHEMA,
        "tool": {"name": "groundplan", "version": __version__},
        "subject": report.subject,
        "summary": {
            "checks": summary.checks,
            "findings": summary.findings,
            "severities": {str(s): n for s, n in sorted(summary.severities.items())},
            "objects": (
                {
                    "validated": summary.objects.validated,
                    "notEvaluated": summary.objects.not_evaluated,
                }
                if summary.objects
                else None
            ),
            "errored": summary.errored,
        },
        "findings": [_finding(finding) for finding in report.findings],
        "checks": [_result(result) for result in report.results],
    }


def _result(result: Result) -> dict[str, Any]:
    """Lay out what one check said, besides its findings."""
    return {
        "id": result.check_id,
        "title": result.title,
        "evaluated": result.evaluated,
        "findings": len(result.findings),
        "notEvaluated": [_not_evaluated(outcome) for outcome in result.not_evaluated],
    }


def _not_evaluated(outcome: Skipped | Errored) -> dict[str, Any]:
    """Lay out why something was not looked at."""
    return {
        "outcome": "skipped" if isinstance(outcome, Skipped) else "errored",
        "subject": outcome.subject,
        "reason": outcome.reason,
        "count": outcome.count if isinstance(outcome, Skipped) else 1,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    """Lay out one finding."""
    resource = finding.resource
    return {
        "check": finding.check_id,
        "severity": str(finding.severity),
        "message": finding.message,
        "path": finding.location.path,
        "line": finding.location.line,
        "pointer": finding.location.pointer,
        "remediation": finding.remediation,
        "resource": (
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "namespace": resource.namespace,
                "name": resource.name,
            }
            if resource
            else None
        ),
        "fixOwner": finding.fix_owner or None,
        "affectedOwner": finding.affected_owner or None,
        "fingerprint": finding.fingerprint,
    }
