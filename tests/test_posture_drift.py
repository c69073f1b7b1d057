"""`groundplan posture drift` from outside: what was agreed to, by whom, where and until when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from groundplan.cli import main
from groundplan.errors import ExitCode
from tests.test_posture_diff import CLUSTER, FILES, WEB, commit, git

if TYPE_CHECKING:
    from pathlib import Path

BASELINE = "posture/baseline.json"
SECRET = "correct-horse-battery-staple"  # noqa: S105 - it must not be found in the baseline
PRIVILEGED = FILES[WEB].replace("readOnly", "privileged: true\n            readOnly")
EXTRA = f"""\
---
apiVersion: v1
kind: Secret
metadata: {{name: db, namespace: shop}}
stringData: {{password: {SECRET}}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "platform"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, {**FILES, WEB: FILES[WEB] + EXTRA})
    assert run(folder, "--write-baseline").exit_code == ExitCode.CLEAN
    commit(folder, {})
    return folder


def run(place: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["posture", "drift", str(place), *words])


def drift(place: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = run(place, "--format", "json", *words)
    assert done.stderr == ""
    return done.exit_code, json.loads(done.stdout)


def widened(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [change for change in said["changes"] if change["verdict"] == "widened"]


def approval(fingerprint: str, **more: str) -> str:
    words = {
        "fingerprint": fingerprint,
        "owner": "shop",
        "approver": "platform",
        "ticket": "OPS-1",
        "expires": '"2026-12-31"',
        **more,
    }
    return "".join(f"{name}: {value}\n" for name, value in words.items())


def test_what_is_in_the_baseline_is_no_drift(place: Path) -> None:
    code, said = drift(place)
    assert (code, said["changes"], said["incomparable"]) == (ExitCode.CLEAN, [], [])


def test_more_than_the_baseline_has_is_drift_with_an_owner(place: Path) -> None:
    (place / WEB).write_text(PRIVILEGED)
    code, said = drift(place)
    (found,) = widened(said)
    assert code == ExitCode.FINDINGS
    assert found["atom"] == "container web is privileged"
    assert (found["path"], found["fixOwner"]["name"]) == (WEB, "shop")
    for form in ("text", "markdown"):
        done = run(place, "--format", form)
        assert done.exit_code == ExitCode.FINDINGS
        assert "container web is privileged" in done.stdout
    assert found["fingerprint"] in run(place).stdout


def test_a_baseline_has_neither_files_nor_secrets_and_one_object_a_line(place: Path) -> None:
    text = (place / BASELINE).read_text()
    assert SECRET not in text
    assert WEB not in text
    lines = text.splitlines()[1:-1]
    assert lines == sorted(lines, key=lambda line: line.rstrip(","))
    assert all(json.loads(line.rstrip(",")) for line in lines)


def test_a_moved_file_is_silent(place: Path) -> None:
    before = (place / BASELINE).read_text()
    (place / WEB).rename(place / "apps/shop.yml")
    listed = place / "apps/kustomization.yaml"
    listed.write_text(listed.read_text().replace("web.yaml", "shop.yml"))
    assert drift(place)[0] == ExitCode.CLEAN
    assert run(place, "--write-baseline").exit_code == ExitCode.CLEAN
    assert (place / BASELINE).read_text() == before


def test_a_narrowing_shrinks_the_baseline_so_that_going_back_is_drift(place: Path) -> None:
    (place / WEB).write_text(PRIVILEGED)
    run(place, "--write-baseline")
    assert drift(place)[0] == ExitCode.CLEAN
    (place / WEB).write_text(FILES[WEB])
    code, said = drift(place)
    assert (code, [c["verdict"] for c in said["changes"]]) == (ExitCode.CLEAN, ["narrowed"])
    run(place, "--write-baseline")
    (place / WEB).write_text(PRIVILEGED)
    assert drift(place)[0] == ExitCode.FINDINGS


def test_an_approval_holds_until_its_day_and_where_it_says(place: Path) -> None:
    (place / WEB).write_text(PRIVILEGED)
    fingerprint = widened(drift(place)[1])[0]["fingerprint"]
    file = place / "posture/approvals/web.yaml"
    file.parent.mkdir()
    file.write_text(approval(fingerprint))
    code, said = drift(place, "--today", "2026-12-31")
    assert (code, said["approved"][0]["approver"]) == (ExitCode.CLEAN, "platform")
    code, said = drift(place, "--today", "2027-01-01")
    assert (code, len(said["unused"])) == (ExitCode.FINDINGS, 1)
    file.write_text(approval(fingerprint, clusters="[elsewhere]"))
    assert drift(place, "--today", "2026-12-31")[0] == ExitCode.FINDINGS
    file.write_text(approval(fingerprint, clusters="[prod]"))
    assert drift(place, "--today", "2026-12-31")[0] == ExitCode.CLEAN


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"approver": "shop"}, "shop cannot approve what they want themselves"),
        ({"expires": "never"}, "'never' is no date"),
        ({"ticket": '""'}, "ticket must be a text"),
        ({"approved": "platform"}, "unknown field approved; did you mean approver?"),
    ],
)
def test_what_is_written_wrongly_approves_nothing(
    place: Path, more: dict[str, str], message: str
) -> None:
    (place / WEB).write_text(PRIVILEGED)
    fingerprint = widened(drift(place)[1])[0]["fingerprint"]
    file = place / "posture/approvals/web.yaml"
    file.parent.mkdir()
    file.write_text(approval(fingerprint, **more))
    code, said = drift(place, "--today", "2026-12-01")
    assert (code, len(widened(said))) == (ExitCode.FINDINGS, 1)
    assert message in said["faults"][0]["message"]
    (place / WEB).write_text(FILES[WEB])
    assert drift(place)[0] == ExitCode.EXCEPTION


def test_a_change_cannot_approve_itself(place: Path) -> None:
    git(place, "switch", "--quiet", "--create", "change")
    (place / WEB).write_text(PRIVILEGED)
    (place / "CODEOWNERS").write_text("* @acme/shop\n")
    run(place, "--write-baseline")
    commit(place, {})
    assert drift(place)[0] == ExitCode.CLEAN
    code, said = drift(place, "--base", "main")
    assert code == ExitCode.FINDINGS
    assert "container web is privileged" in {change["atom"] for change in widened(said)}
    assert said["pending"] == ["CODEOWNERS", BASELINE]
    by_baseline = widened(said)[0]["fingerprint"]
    commit(place, {"posture/approvals/web.yaml": approval(by_baseline)})
    assert drift(place, "--base", "main", "--today", "2026-12-01")[0] == ExitCode.FINDINGS


def test_a_new_cluster_cannot_be_compared(place: Path) -> None:
    second = place / CLUSTER.replace("prod", "second")
    second.parent.mkdir()
    second.write_text(FILES[CLUSTER].replace("clusters/prod", "clusters/second"))
    code, said = drift(place)
    assert code == ExitCode.NOT_EVALUATED
    assert [gap["subject"] for gap in said["incomparable"]] == ["cluster second"]


@pytest.mark.parametrize(
    ("words", "content", "error"),
    [
        (("--baseline", "other.json"), None, "posture.no-baseline"),
        (("--baseline", "../other.json"), None, "posture.outside"),
        (("--baseline", "/etc/passwd", "--write-baseline"), None, "posture.outside"),
        (("--base", "no-such-branch"), None, "posture.no-such-revision"),
        (("--base", "main", "--write-baseline"), None, "posture.write-to-base"),
        ((), "{", "posture.baseline"),
        ((), '{"schema": "other", "entries": []}', "posture.baseline"),
        (
            (),
            '{"schema": "groundplan.dev/posture-baseline/v1", "entries": [1]}',
            "posture.baseline",
        ),
    ],
)
def test_bad_input_is_named(
    place: Path, words: tuple[str, ...], content: str | None, error: str
) -> None:
    if content is not None:
        (place / BASELINE).write_text(content)
    done = run(place, *words)
    assert done.exit_code == ExitCode.USAGE
    assert f"[{error}]" in done.stderr
