"""What a change may not do is said by the tier that BASE is of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundplan.cli import main
from groundplan.repository import ANSWERS_FILE
from tests.test_posture_diff import FILES, WEB, commit, git
from tests.test_posture_exceptions import written

if TYPE_CHECKING:
    from pathlib import Path

EXCEPTION = {"posture/exceptions/new.yaml": written(expiresAt="2026-12-20").decode()}
ALL = {
    "apps/kustomization.yaml": "resources: [namespace.yaml, web.yaml, project.yaml, more.yaml]\n"
}
ROLES = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: minter, namespace: shop}
rules:
  - {apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: minter, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: minter}
subjects: [{kind: User, name: ann}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: backup, namespace: shop}
"""
"""Ann may become any account of the namespace."""
STRONGER = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: backup, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: backup, namespace: shop}]
"""
PRIVILEGED = FILES[WEB].replace("readOnly", "privileged: true\n            readOnly")


def answers(tier: str) -> dict[str, str]:
    return {ANSWERS_FILE: f"tier: {tier}\n"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    return tmp_path


def diff(place: Path, form: str = "json", base: str = "HEAD~1") -> tuple[int, Any]:
    words = ("posture", "diff", base, "HEAD", "--path", str(place), "--format", form)
    done = CliRunner().invoke(main, words)
    return done.exit_code, json.loads(done.stdout) if form != "text" else done.stdout


def widened(body: Any) -> dict[str, bool]:
    """The policies that something is allowed against, and whether the tier lets it pass."""
    return {c["policy"]: c["noted"] for c in body["changes"] if c["verdict"] == "widened"}


@pytest.mark.parametrize(
    ("tier", "code"), [("small", 0), ("growing", 0), ("enterprise", 1), ("", 0)]
)
def test_a_new_exception_is_a_matter_of_exceptions(place: Path, tier: str, code: int) -> None:
    commit(place, {**FILES, **(answers(tier) if tier else {})})
    commit(place, EXCEPTION)

    found, body = diff(place)

    assert (found, widened(body)) == (code, {"EXC-005": not code})


@pytest.mark.parametrize(("tier", "code"), [("small", 1), ("growing", 1), ("enterprise", 1)])
def test_no_tier_lets_a_pod_become_privileged(place: Path, tier: str, code: int) -> None:
    commit(place, {**FILES, **answers(tier)})
    commit(place, {WEB: PRIVILEGED})

    found, body = diff(place)

    assert (found, widened(body)) == (code, {"POD-009": False})


@pytest.mark.parametrize(("tier", "noted"), [("small", True), ("growing", False)])
def test_what_somebody_can_become_is_noted_in_the_smallest_tier(
    place: Path, tier: str, *, noted: bool
) -> None:
    commit(place, {**FILES, **ALL, "apps/more.yaml": ROLES, **answers(tier)})
    commit(place, {"apps/more.yaml": ROLES + STRONGER})

    found, body = diff(place)

    # That the account itself may do more fails everywhere.
    assert found == 1
    assert widened(body) == {"RBAC-014": False, "RBAC-015": noted}


def test_a_change_cannot_choose_its_own_tier(place: Path) -> None:
    commit(place, {**FILES, **answers("enterprise")})
    commit(place, {**EXCEPTION, **answers("small")})

    found, body = diff(place)

    assert (found, widened(body)) == (1, {"EXC-005": False})


def test_what_is_noted_is_shown_in_every_format(place: Path) -> None:
    commit(place, {**FILES, **answers("growing")})
    commit(place, EXCEPTION)

    code, text = diff(place, "text")
    assert code == 0
    assert "    noted: this tier lets EXC-005 pass\n" in text
    _, log = diff(place, "sarif")
    assert [(r["ruleId"], r["level"]) for r in log["runs"][0]["results"]] == [("EXC-005", "note")]
    _, issues = diff(place, "gitlab")
    assert [issue["severity"] for issue in issues] == ["minor"]


def test_drift_follows_the_tier_too(place: Path) -> None:
    commit(place, {**FILES, **answers("growing")})
    drift = ("posture", "drift", str(place))
    CliRunner().invoke(main, [*drift, "--write-baseline"])
    commit(place, EXCEPTION)
    assert CliRunner().invoke(main, drift).exit_code == 0

    commit(place, answers("enterprise"))
    assert CliRunner().invoke(main, drift).exit_code == 1
    # Until it is merged, the tier is the one that was agreed to.
    assert CliRunner().invoke(main, [*drift, "--base", "HEAD~1"]).exit_code == 0


def test_an_incomparable_change_is_noted_where_a_wider_one_would_be(place: Path) -> None:
    account = """\
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: uploader
  namespace: shop
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::1:role/uploader"}
"""
    commit(place, {**FILES, **ALL, "apps/more.yaml": account, **answers("small")})
    commit(place, {"apps/more.yaml": account.replace("role/uploader", "role/reader")})
    code, body = diff(place)
    verdicts = {(c["policy"], c["verdict"], c["noted"]) for c in body["changes"]}
    assert (code, verdicts) == (0, {("ID-001", "incomparable", True)})
