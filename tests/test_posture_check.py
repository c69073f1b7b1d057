"""The posture of one revision: every built-in policy, on repositories that are ours or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan.cli.posture import command
from groundplan.report import Format
from tests.gitops_trees import gotk_sync
from tests.rendering import BLUEPRINTS, ENGINES, PLACES, TIERS, rendered
from tests.test_posture_exceptions import WEB, written

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.tree import Tree

pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")

POLICIES = sorted((BLUEPRINTS / "policies").glob("*.yaml"))
FOREIGN = {
    "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
    "clusters/one/web.yaml": WEB.replace("NAME", "web"),
    "clusters/one/namespace.yaml": """apiVersion: v1
kind: Namespace
metadata:
  name: web
  labels: {groundplan.dev/owner: team-web, pod-security.kubernetes.io/enforce: baseline}
""",
}


def put(folder: Path, files: Any) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def check(folder: Path, *words: str) -> tuple[int, Any]:
    asked = ["check", str(folder), "--format", "json", "--today", "2026-11-27", *words]
    result = CliRunner().invoke(command, asked, standalone_mode=False)
    assert result.exception is None, result.output
    return result.return_value, json.loads(result.output)


def found(said: Any) -> set[tuple[str, str]]:
    return {(finding["check"], finding["severity"]) for finding in said["findings"]}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tier", TIERS)
def test_what_we_render_keeps_our_own_policies(engine: str, tier: str, tmp_path: Path) -> None:
    tree: Tree = rendered(engine, tier, PLACES)
    code, said = check(put(tmp_path, tree.files))

    assert said["findings"] == []
    assert code == 0
    judged = {one["id"] for one in said["checks"]}
    rows = [yaml.safe_load(path.read_text()) for path in POLICIES]
    of_one = [row for row in rows if row.get("judge") != "diff" and row["mode"][tier] != "off"]
    assert judged == {row["id"] for row in of_one}


def test_a_repository_of_others_is_judged_too(tmp_path: Path) -> None:
    code, said = check(put(tmp_path, FOREIGN), "--tier", "enterprise")

    assert code == 1
    assert {("POD-004", "high"), ("POD-005", "high"), ("POD-007", "low")} <= found(said)
    [host] = [finding for finding in said["findings"] if finding["check"] == "POD-004"]
    assert (host["path"], host["line"]) == ("clusters/one/web.yaml", 6)
    assert host["fixOwner"] == "team-web"


def test_a_tier_decides_how_grave_a_finding_is(tmp_path: Path) -> None:
    put(tmp_path, FOREIGN)

    assert ("POD-005", "low") in found(check(tmp_path, "--tier", "small")[1])
    assert ("POD-003", "low") not in found(check(tmp_path, "--tier", "small")[1])
    assert ("POD-003", "low") in found(check(tmp_path, "--tier", "growing")[1])


def test_an_exception_that_holds_is_named_and_counts_as_not_evaluated(tmp_path: Path) -> None:
    put(tmp_path, {**FOREIGN, "posture/exceptions/web.yaml": written(policies=["POD-004"])})
    _, said = check(tmp_path)

    assert not [finding for finding in said["findings"] if finding["check"] == "POD-004"]
    [policy] = [one for one in said["checks"] if one["id"] == "POD-004"]
    assert [one["reason"] for one in policy["notEvaluated"]] == [
        "exception web of team-web until 2026-12-20"
    ]


@pytest.mark.parametrize(
    ("changes", "policy"),
    [({"owner": None}, "EXC-001"), ({"expiresAt": "2026-11-26"}, "EXC-002")],
)
def test_an_exception_that_does_not_hold_covers_nothing(
    changes: dict[str, Any], policy: str, tmp_path: Path
) -> None:
    put(
        tmp_path,
        {**FOREIGN, "posture/exceptions/web.yaml": written(**{"policies": ["POD-004"], **changes})},
    )
    code, said = check(tmp_path)

    assert code == 5
    assert {("POD-004", "high"), (policy, "high")} <= found(said)


EXCEPTIONS = [path for path in POLICIES if "\njudge: exceptions" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", EXCEPTIONS, ids=lambda path: path.stem)
def test_a_policy_about_exceptions_tells_its_examples_apart(path: Path, tmp_path: Path) -> None:
    row = yaml.safe_load(path.read_text("utf-8"))
    for quality, example in row["examples"].items():
        files = {**FOREIGN, "posture/exceptions/web.yaml": yaml.safe_dump(example)}
        _, said = check(put(tmp_path / quality, files), "--today", row["today"])
        assert (row["id"] in {finding["check"] for finding in said["findings"]}) is (
            quality == "bad"
        )


def test_what_a_check_finds_is_said_in_the_name_of_its_policy(tmp_path: Path) -> None:
    files = {**FOREIGN, "clusters/one/secret.yaml": PLAIN}
    _, said = check(put(tmp_path, files))
    [secret] = [finding for finding in said["findings"] if finding["check"] == "SEC-001"]

    assert (secret["severity"], secret["fixOwner"]) == ("high", "team-web")
    assert (secret["path"], secret["line"]) == ("clusters/one/secret.yaml", 4)
    put(tmp_path, {"posture/exceptions/web.yaml": written(policies=["SEC-001"])})
    _, said = check(tmp_path)
    assert "SEC-001" not in {finding["check"] for finding in said["findings"]}


PLAIN = """apiVersion: v1
kind: Secret
metadata: {name: web, namespace: web}
stringData: {password: swordfish}
"""


def test_an_owner_sees_only_what_is_theirs(tmp_path: Path) -> None:
    put(tmp_path, FOREIGN)

    assert {f["fixOwner"] for f in check(tmp_path, "--owner", "team-web")[1]["findings"]} == {
        "team-web"
    }
    assert check(tmp_path, "--owner", "nobody-here")[1]["findings"] == []


@pytest.mark.parametrize("form", Format)
def test_every_format_can_be_asked_for(form: Format, tmp_path: Path) -> None:
    words = ["check", str(put(tmp_path, FOREIGN)), "--format", form.value]
    result = CliRunner().invoke(command, words, standalone_mode=False)

    assert result.exception is None
    assert "POD-004" in result.output
