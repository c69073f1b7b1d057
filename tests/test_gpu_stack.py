"""What hands out devices: one thing for each node."""

from __future__ import annotations

import pytest

from groundplan import checks
from groundplan.findings import Skipped
from tests.test_checks import EXAMPLES, repository

SYNC = "clusters/a/flux-system/gotk-sync.yaml"
APP = "clusters/a/app.yaml"
CLAIMS = """---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: claims, namespace: gpu-operator}
spec:
  interval: 1h
  driftDetection: {mode: enabled}
  chart:
    spec:
      chart: dra-driver-nvidia-gpu
      version: 0.4.1
      sourceRef: {kind: HelmRepository, name: nvidia}
  values:
"""
SELECTS = "    kubeletPlugin: {affinity: {nodeAffinity: {}}}\n"


@pytest.mark.parametrize(
    ("values", "found", "skipped"),
    [
        ("    resources: {gpus: {enabled: true}}\n", ["GPU025"], []),
        ("    resources: {gpus: {enabled: false}}\n", [], []),
        (SELECTS, [], ["several hand out devices, each on nodes that it selects"]),
    ],
)
def test_a_driver_for_claims_beside_a_device_plugin(
    values: str, found: list[str], skipped: list[str]
) -> None:
    read = {path: EXAMPLES.joinpath("GPU025/good", path).read_text("utf-8") for path in (SYNC, APP)}
    plugin = read[APP].replace("devicePlugin: {enabled: false}", "devicePlugin: {enabled: true}")
    operator = plugin[: plugin.index("---\napiVersion: apps/v1")]
    report = checks.run(repository(read | {APP: operator + CLAIMS + values}), only=["GPU025"])

    assert [one.check_id for one in report.findings] == found
    [result] = report.results
    assert [o.reason for o in result.outcomes if isinstance(o, Skipped)] == skipped
