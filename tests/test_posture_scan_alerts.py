"""Alerts of the posture scan, as Prometheus evaluates them: which fire, and whom they reach."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.rendering import one, rendered

if TYPE_CHECKING:
    from pathlib import Path

SCANNED = {"posture_scan_timestamp_seconds": "0+60x300"}
"""A scan a moment ago, at every moment."""


def result(policy: str, how: str, owner: str = "", namespace: str = "posture-scan") -> str:
    said = f'policy="{policy}", result="{how}", namespace="{namespace}", fingerprint="{owner}1"'
    return f'posture_scan_result{{{said}, owner="{owner}"}}'


FOUND = {
    "alertname": "PostureFinding",
    "namespace": "payments",
    "owner": "payments",
    "policy": "RUN-003",
    "severity": "warning",
}
UNKNOWN = {"alertname": "PostureNotEvaluated", "severity": "warning"}
OVERDUE = {"alertname": "PostureScanOverdue", "severity": "warning"}
THEIRS = result("RUN-003", "fail", "payments", "payments")


@pytest.mark.parametrize(
    ("series", "firing"),
    [
        (SCANNED | {THEIRS: "1x300"}, [FOUND]),
        # What was merged a moment ago and is applied before the next scan.
        (SCANNED | {THEIRS: "_x150 1x29 _x300"}, []),
        (
            SCANNED | {THEIRS: "1x300", result("POD-009", "fail", "platform"): "1x300"},
            [
                FOUND,
                FOUND | {"namespace": "posture-scan", "owner": "platform", "policy": "POD-009"},
            ],
        ),
        (SCANNED | {result("NET-007", "pass"): "1x300"}, []),
        (SCANNED | {result("RBAC-014", "skip", "payments", "payments"): "1x300"}, []),
        (SCANNED | {result("RUN-004", "skip"): "1x300"}, [UNKNOWN]),
        (SCANNED | {result("DIFF-001", "warn"): "1x300"}, [UNKNOWN]),
        ({"posture_scan_timestamp_seconds": "0x300"}, [OVERDUE]),
        ({}, [OVERDUE]),
    ],
    ids=[
        "a team's finding",
        "one scan only",
        "two owners",
        "nothing found",
        "approved",
        "forbidden",
        "incomparable",
        "an old scan",
        "no scan",
    ],
)
def test_an_alert_fires_for_whoever_mends_it(
    series: dict[str, str], firing: list[dict[str, str]], tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; it is in Debian's package prometheus")
    rules = one(rendered("flux", "enterprise", ("kind",)), "components/posture-scan/alerts.yaml")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
    kept = "alertname, namespace, owner, policy, severity"
    asked: dict[str, Any] = {
        "expr": f'count by ({kept}) (ALERTS{{alertstate="firing"}})',
        "eval_time": "3h",
        "exp_samples": [{"labels": labels_of(one), "value": 1} for one in firing],
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": v} for name, v in series.items()],
        "promql_expr_test": [asked],
    }
    written = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(written))
    words = [promtool, "test", "rules", str(tmp_path / "test.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def labels_of(alert: dict[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{text}"' for name, text in alert.items()) + "}"
