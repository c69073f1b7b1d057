"""A report as GitLab's Code Quality JSON, which merge requests show.

Format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from groundplan.findings import Finding, Report, Severity

SEVERITIES = {
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}


def render(report: Report) -> str:
    """Write one array of findings; equal fingerprints are numbered, as each must be unique."""
    seen: Counter[str] = Counter()
    found = []
    for finding in report.findings:
        seen[finding.fingerprint] += 1
        found.append(_finding(finding, seen[finding.fingerprint]))
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _finding(finding: Finding, ordinal: int) -> dict[str, Any]:
    owner = f" ({finding.fix_owner})" if finding.fix_owner else ""
    return {
        "description": f"{finding.message}. {finding.remediation}{owner}",
        "check_name": finding.check_id,
        "fingerprint": f"{finding.fingerprint}-{ordinal}",
        "severity": SEVERITIES[finding.severity],
        "location": {
            "path": finding.location.path,
            "lines": {"begin": max(finding.location.line, 1)},
        },
    }
