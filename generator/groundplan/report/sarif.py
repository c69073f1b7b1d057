"""A report as SARIF 2.1.0, which code scanning reads."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from urllib.parse import quote

from groundplan import __version__
from groundplan.checks import registry
from groundplan.findings import Errored, Finding, Report, Result, Severity, Skipped

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HOME = "https://github.com/groundplan/groundplan"
REFERENCE = f"{HOME}/blob/main/docs/reference"
FINGERPRINT = "groundplan/v1"
LEVELS = {
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}


def render(report: Report) -> str:
    """Write the report as one SARIF log with one run."""
    rules = [_rule(result) for result in report.results]
    indices = {rule["id"]: index for index, rule in enumerate(rules)}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "groundplan",
                        "version": __version__,
                        "informationUri": HOME,
                        "rules": rules,
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(report, indices)],
                "results": _results(report, indices),
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(result: Result) -> dict[str, Any]:
    """Describe a check."""
    rule: dict[str, Any] = {
        "id": result.check_id,
        "shortDescription": {"text": result.title},
        "helpUri": f"{REFERENCE}/policies.md",
    }
    for check in registry():
        if check.id == result.check_id:
            rule["helpUri"] = f"{REFERENCE}/checks.md#{result.check_id.lower()}"
            rule["help"] = {"text": check.remediation, "markdown": check.remediation}
            rule["defaultConfiguration"] = {"level": LEVELS[check.severity]}
    return rule


def _invocation(report: Report, indices: dict[str, int]) -> dict[str, Any]:
    """Say what was not looked at: a run with nothing to show is not a clean run."""
    notifications = [
        {
            "level": "error" if isinstance(outcome, Errored) else "note",
            "message": {"text": _reason(outcome)},
            "associatedRule": {"id": result.check_id, "index": indices[result.check_id]},
        }
        for result in report.results
        for outcome in result.not_evaluated
    ]
    broken = any(notification["level"] == "error" for notification in notifications)
    return {"executionSuccessful": not broken, "toolExecutionNotifications": notifications}


def _reason(outcome: Skipped | Errored) -> str:
    """Write why something was not looked at."""
    count = f" ({outcome.count})" if isinstance(outcome, Skipped) and outcome.count > 1 else ""
    return f"Not evaluated: {outcome.subject}{count}: {outcome.reason}"


def _results(report: Report, indices: dict[str, int]) -> list[dict[str, Any]]:
    """Lay out the findings; equal fingerprints are numbered so that none hides another."""
    seen: Counter[str] = Counter()
    results = []
    for finding in report.findings:
        seen[finding.fingerprint] += 1
        results.append(_result(finding, indices[finding.check_id], seen[finding.fingerprint]))
    return results


def _result(finding: Finding, index: int, ordinal: int) -> dict[str, Any]:
    """Lay out one finding."""
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(finding.location.path), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": max(finding.location.line, 1)},
        }
    }
    if finding.resource:
        location["logicalLocations"] = [
            {"fullyQualifiedName": str(finding.resource), "kind": "object"}
        ]
    return {
        "ruleId": finding.check_id,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}\n{finding.remediation}"},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: f"{finding.fingerprint}:{ordinal}"},
        "properties": {
            "severity": str(finding.severity),
            "pointer": finding.location.pointer,
            **_owners(finding),
        },
    }


def _owners(finding: Finding) -> dict[str, str]:
    """Name who mends it and whom it affects, where that is known."""
    named = {"fixOwner": finding.fix_owner, "affectedOwner": finding.affected_owner}
    return {key: name for key, name in named.items() if name}
