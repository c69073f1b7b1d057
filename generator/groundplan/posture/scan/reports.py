"""Findings as an object of OpenReports, which dashboards and kube-state-metrics read.

Format: https://github.com/openreports/reports-api, `openreports.io/v1alpha1`. It has no field for
an owner; `properties` is where such things go.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from groundplan.errors import ToolError
from groundplan.findings import Errored, Failed, Passed, Severity, Skipped
from groundplan.runners.client import apply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from groundplan.findings import Finding, Outcome, Report, Result
    from groundplan.resources import ResourceId
    from groundplan.runners.client import Client

NAME = "posture-scan"
"""Of the only report that a scan writes."""
PATH = f"/apis/openreports.io/v1alpha1/clusterreports/{NAME}"
SOURCE = "groundplan"
MAX_RESULTS = 500
"""More than that fills etcd and is read by nobody."""
_MESSAGE = 1024
_ORDER = ("fail", "error", "warn", "skip", "pass")


def cluster_report(
    report: Report, cluster: str, namespaces: Mapping[str, str], now: datetime, revision: str = ""
) -> dict[str, Any]:
    """Lay out a report, the gravest results first.

    Args:
        report: What was found.
        cluster: Its name in the repository.
        namespaces: Who owns each; alerts about a namespace reach its owner.
        now: When it was found.
        revision: Of the repository; empty when it is not known.
    """
    when = {"seconds": int(now.timestamp()), "nanos": 0}
    results = [
        {"source": SOURCE, "timestamp": when} | result
        for one in report.results
        for result in _results(one, cluster, namespaces)
    ]
    results.sort(key=_gravity)
    counted = Counter(str(result["result"]) for result in results)
    annotations = {"groundplan.dev/scanned-at": now.isoformat(timespec="seconds")}
    if revision:
        annotations["groundplan.dev/revision"] = revision
    return {
        "apiVersion": "openreports.io/v1alpha1",
        "kind": "ClusterReport",
        "metadata": {
            "name": NAME,
            "labels": {"app.kubernetes.io/managed-by": SOURCE},
            "annotations": annotations,
        },
        "source": SOURCE,
        "configuration": {"limits": {"maxResults": MAX_RESULTS}},
        "summary": {name: counted[name] for name in _ORDER},
        "results": results[:MAX_RESULTS],
    }


def write(body: Mapping[str, Any], client: Client) -> None:
    """Put the report on the cluster, in the place of the one before.

    Raises:
        ToolError: `posture.report-refused`.
    """
    answer = client.send(apply(PATH, body, dry_run=False))
    if not answer.ok:
        raise ToolError(
            "posture.report-refused",
            answer.message,
            where=PATH,
            fix="install the definitions of OpenReports, and the role that the scan comes with",
        )


def _gravity(result: Mapping[str, Any]) -> tuple[int, int, str, str]:
    severities = [str(severity) for severity in sorted(Severity, reverse=True)]
    severity = severities.index(result.get("severity", "info"))
    return _ORDER.index(result["result"]), severity, result["policy"], result["message"]


def _results(
    result: Result, cluster: str, namespaces: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for outcome in result.outcomes:
        said = _said(outcome, result.title)
        properties = {"cluster": cluster, "namespace": NAME}
        if isinstance(outcome, Failed):
            properties |= _properties(outcome.finding, namespaces)
        elif isinstance(outcome, Skipped | Errored):
            properties["subject"] = outcome.subject
        yield {"policy": result.check_id} | said | {"properties": properties}


def _said(outcome: Outcome, title: str) -> dict[str, Any]:
    match outcome:
        case Failed(finding):
            grave = finding.severity >= Severity.HIGH
            said: dict[str, Any] = {
                "result": "fail" if grave else "warn",
                "severity": str(finding.severity),
                "message": f"{finding.message}. {finding.remediation}"[:_MESSAGE],
            }
            return said | ({"resources": [_object(finding.resource)]} if finding.resource else {})
        case Skipped(subject, reason):
            return {"result": "skip", "message": f"not evaluated: {subject}: {reason}"[:_MESSAGE]}
        case Errored(subject, reason):
            return {"result": "error", "message": f"{subject}: {reason}"[:_MESSAGE]}
        case Passed():
            return {"result": "pass", "message": title}


def _object(found: ResourceId) -> dict[str, str]:
    named = {
        "apiVersion": found.api_version,
        "kind": found.kind,
        "namespace": found.namespace,
        "name": found.name,
    }
    return {name: text for name, text in named.items() if text}


def _properties(finding: Finding, namespaces: Mapping[str, str]) -> dict[str, str]:
    """Say whose it is, and in which namespace whoever mends it is told."""
    own = finding.resource.namespace if finding.resource else ""
    theirs = [name for name, owner in namespaces.items() if owner == finding.fix_owner]
    return {
        "owner": finding.fix_owner,
        "affected": finding.affected_owner,
        "namespace": own if own in theirs else next(iter(theirs), NAME),
        "subject": str(finding.resource or finding.location.path),
        "fingerprint": finding.fingerprint,
        "where": str(finding.location),
    }
