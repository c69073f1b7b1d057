"""Prometheus itself says when the rules of a model fire, and when they do not."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.rendering import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RULES = ROOT / "examples/inference-small/repository/models/qwen3-8b/monitoring.yaml"
HERE = 'namespace="assistant", model_name="qwen3-8b"'
FINE = {
    f"vllm:num_requests_running{{{HERE}}}": "1x4800",
    f"vllm:num_requests_waiting{{{HERE}}}": "2x4800",
    f"vllm:kv_cache_usage_perc{{{HERE}}}": "0.5x4800",
    f"vllm:num_preemptions_total{{{HERE}}}": "0x4800",
    f'vllm:request_success_total{{{HERE}, finished_reason="stop"}}': "0+100x4800",
    f'vllm:request_success_total{{{HERE}, finished_reason="error"}}': "0+1x4800",
}
"""A minute apart, for more than three days."""
WRONG = {
    "ModelMetricsAbsent": ("vllm:num_requests_running", "", None),
    "ModelRequestsQueue": ("vllm:num_requests_waiting", "", "30x4800"),
    "ModelCacheFull": ("vllm:kv_cache_usage_perc", "", "0.99x4800"),
    "ModelPreempts": ("vllm:num_preemptions_total", "", "0+60x4800"),
    "ModelRequestsFail": ("vllm:request_success_total", "error", "0+20x4800"),
}


def prometheus(series: dict[str, str], at: str, expected: list[str], folder: Path) -> str:
    """Ask Prometheus whether just these labels are those of the alerts that fire."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; it is in Debian's package prometheus")
    [rules] = [r for r in yaml.safe_load_all(RULES.read_text()) if r["kind"] == "PrometheusRule"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": s, "values": v} for s, v in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname, window) (ALERTS{alertstate="firing"})',
                "eval_time": at,
                "exp_samples": [{"labels": labels, "value": 1} for labels in expected],
            }
        ],
    }
    written = {"rule_files": ["rules.yaml"], "evaluation_interval": "5m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(written))
    arguments = [promtool, "test", "rules", str(folder / "test.yaml")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    ("late", "windows"),
    [
        (50, ["1d", "1h", "3d", "6h"]),
        (10, ["1d", "3d", "6h"]),
        (4, ["1d", "3d"]),
        (2, ["3d"]),
        (0.5, []),
    ],
)
def test_the_objective_alerts_by_how_fast_its_budget_burns(
    late: float, windows: list[str], tmp_path: Path
) -> None:
    """Of a thousand requests each minute, so many percent have their first token too late."""
    in_time = round(1000 - 10 * late)
    ttft = "vllm:time_to_first_token_seconds"
    series = FINE | {
        f'{ttft}_bucket{{{HERE}, le="1.0"}}': f"0+{in_time}x4800",
        f"{ttft}_count{{{HERE}}}": "0+1000x4800",
    }
    expected = [f'{{alertname="ModelFirstTokenLate", window="{window}"}}' for window in windows]

    assert prometheus(series, "78h", expected, tmp_path) == ""


@pytest.mark.parametrize("alert", WRONG)
def test_each_alert_fires_for_what_it_is_about_and_for_nothing_else(
    alert: str, tmp_path: Path
) -> None:
    name, reason, values = WRONG[alert]
    bad = {s: v for s, v in FINE.items() if not (s.startswith(name) and reason in s)}
    if values is not None:
        [changed] = FINE.keys() - bad.keys()
        bad[changed] = values

    assert prometheus(FINE, "3h", [], tmp_path) == ""
    assert prometheus(bad, "3h", [f'{{alertname="{alert}"}}'], tmp_path) == ""


def test_there_is_a_case_for_every_alert() -> None:
    [rules] = [r for r in yaml.safe_load_all(RULES.read_text()) if r["kind"] == "PrometheusRule"]
    alerts = {r["alert"] for g in rules["spec"]["groups"] for r in g["rules"] if "alert" in r}

    assert alerts == {"ModelFirstTokenLate", *WRONG}
