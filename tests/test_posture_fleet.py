"""`groundplan posture fleet` from outside: two repositories, one of them with faults."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from groundplan.cli import main
from groundplan.errors import ExitCode
from tests.test_posture_diff import FILES, WEB, commit, git

if TYPE_CHECKING:
    from pathlib import Path

EXCEPTION = """\
apiVersion: posture.groundplan.dev/v1
kind: PostureException
metadata: {name: "<b>legacy</b>"}
spec:
  policies: [POD-004]
  scope: {namespaces: [shop], kinds: [Deployment], names: [web]}
  owner: 'team "shop"'
  approver: platform
  reason: moves next month
  ticket: OPS-1
  createdAt: "2026-01-01"
  expiresAt: "2026-01-31"
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["posture", "fleet", *words, "--today", "2026-02-15"])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("fleet")
    for name in ("=calm", "loose"):
        folder = home / name
        folder.mkdir()
        git(folder, "init", "--quiet")
        commit(folder, FILES)
        CliRunner().invoke(main, ["posture", "drift", str(folder), "--write-baseline"])
    loose = FILES[WEB].replace("readOnly", "privileged: true\n            readOnly")
    commit(home / "loose", {WEB: loose, "posture/exceptions/legacy.yaml": EXCEPTION})
    listed = "".join(f"  - path: '{name}'\n" for name in ("=calm", "loose", "missing"))
    (home / "fleet.yaml").write_text(f"repositories:\n{listed}")
    return home


def test_every_cluster_has_a_row_and_a_missing_repository_says_so(fleet: Path) -> None:
    done = run(str(fleet / "fleet.yaml"), "--format", "json")
    rows = {(row["repository"], row["cluster"]): row for row in json.loads(done.stdout)["clusters"]}
    # The Application in the repository makes Argo CD's own cluster a second one.
    clusters = [(name, where) for name in ("=calm", "loose") for where in ("prod", "in-cluster")]
    assert list(rows) == [*clusters, ("missing", "")]
    calm, loose, missing = rows["=calm", "prod"], rows["loose", "prod"], rows["missing", ""]
    assert (calm["cluster"], calm["drift"], calm["exceptions"]) == ("prod", 0, 0)
    assert loose["drift"] >= 1
    assert (loose["exceptions"], loose["expired"]) == (1, 1)
    assert loose["high"] > calm["high"]
    assert {f["fixOwner"] for f in loose["findings"]} >= {"shop"}
    assert (missing["high"], missing["coverage %"]) == (None, None)
    assert "[check.no-such-path]" in missing["error"]
    assert done.exit_code == ExitCode.USAGE


def test_the_worst_cluster_decides(fleet: Path) -> None:
    assert run(str(fleet / "loose"), str(fleet / "=calm")).exit_code == ExitCode.FINDINGS


def test_a_table_and_a_spreadsheet_have_the_same_cells(fleet: Path) -> None:
    places = str(fleet / "=calm"), str(fleet / "loose")
    rows = list(csv.DictReader(io.StringIO(run(*places, "--format", "csv").stdout)))
    assert [row["repository"] for row in rows] == ["'=calm", "'=calm", "loose", "loose"]
    head, *lines = run(*places).stdout.splitlines()
    assert head.split()[:2] == ["repository", "cluster"]
    assert len(lines) == len(rows)


def test_a_page_needs_nothing_from_elsewhere(fleet: Path) -> None:
    page = run(str(fleet / "fleet.yaml"), "--format", "html").stdout
    assert "<td>loose</td>" in page
    assert not re.search(r"<script|https?://|src=|@import", page)


LINE = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? -?\d+')


def test_metrics_are_what_prometheus_reads(fleet: Path) -> None:
    said = run(str(fleet / "fleet.yaml"), "--format", "prometheus").stdout
    samples = [line for line in said.splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples)
    expired = r'cluster="prod",state="expired",owner="team \"shop\""} 1'
    assert any(line.endswith(expired) for line in samples)
    assert any('severity="drift",dimension="pod-security"' in line for line in samples)
    scans = [line for line in samples if line.startswith("posture_scan_timestamp_seconds")]
    assert len(scans) == 4
    names = set(re.findall(r"^# TYPE (\w+)", said, re.MULTILINE))
    assert names == {
        "posture_exception_age_days",
        "posture_exceptions",
        "posture_findings",
        "posture_incomparable",
        "posture_scan_timestamp_seconds",
    }
