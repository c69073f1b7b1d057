"""The rendered pipelines' own commands about posture, on a repository with a proposed change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplan import copier_adapter
from groundplan.template import Template
from tests.releases import git
from tests.rendering import CLUSTERS, READY, ROOT, TEAMS

BASH = str(shutil.which("bash"))
ROLES = "tenants/payments/payments/extra.yaml"
WIDER = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: extra, namespace: payments}
rules: [{apiGroups: [""], resources: [endpoints], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: extra, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extra}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: payments}]
"""
ENDED = """\
apiVersion: posture.groundplan.dev/v1
kind: PostureException
metadata: {name: old}
spec:
  policies: [POD-004]
  scope: {namespaces: [payments], names: [agent]}
  owner: payments
  approver: security
  reason: The agent needs the host.
  ticket: SEC-1
  createdAt: "2025-01-01"
  expiresAt: "2025-01-20"
"""


def committed(folder: Path, **files: str) -> str:
    for path, text in files.items():
        (folder / path).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module", params=["github", "gitlab"])
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered repository, with a branch `main` that a change is proposed to."""
    answers = {"tier": "growing", "forge": request.param, "clusters": [CLUSTERS["kind"]]}
    answers |= {"teams": TEAMS, "practices": READY}
    folder: Path = tmp_path_factory.mktemp("platform")
    copier_adapter.render(Template(ROOT, "v0"), answers, folder)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    committed(folder)
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    return folder


def run(platform: Path, tmp_path: Path, *, proposed: bool) -> tuple[int, str]:
    """What the job says; what is proposed goes to `origin/main`."""
    programs = tmp_path / "programs"
    programs.mkdir(exist_ok=True)
    ours = Path(sys.executable).parent / "groundplan"
    for name, line in (("pipx", f'shift 2; exec "{ours}" "$@"'), ("pip", "")):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    summary = tmp_path / "summary.md"
    summary.write_text("")
    env = {**os.environ, "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env["GITHUB_STEP_SUMMARY"] = str(summary)
    github = platform / ".github/workflows/validate.yaml"
    if github.exists():
        job: Any = yaml.safe_load(github.read_text())["jobs"]["posture"]
        scripts = [step["run"] for step in job["steps"] if "run" in step]
    else:
        job = yaml.safe_load((platform / ".gitlab-ci.yml").read_text())["posture"]
        # GitLab runs the lines of a job in one shell.
        scripts = ["\n".join(job["script"])]
    env["BASE"] = "origin/main" if proposed else ""
    said = ""
    for script in scripts:
        words = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(words, cwd=platform, env=env, capture_output=True, check=False)
        said += done.stdout.decode() + done.stderr.decode()
        if done.returncode:
            return done.returncode, said
    return 0, said + summary.read_text()


@pytest.fixture
def change(platform: Path) -> Any:
    """A branch, which is thrown away."""
    git(platform, "checkout", "--quiet", "-B", "change", "origin/main")
    yield platform
    git(platform, "checkout", "--quiet", "--force", "main")


def widen(platform: Path) -> None:
    listed = platform / "tenants/payments/payments/kustomization.yaml"
    text = listed.read_text().replace("resources:\n", "resources:\n  - extra.yaml\n")
    committed(platform, **{ROLES: WIDER, str(listed.relative_to(platform)): text})


def test_what_was_rendered_passes(platform: Path, tmp_path: Path) -> None:
    code, said = run(platform, tmp_path, proposed=False)
    assert code == 0, said


def test_a_widening_is_shown_to_whoever_reviews(change: Path, tmp_path: Path) -> None:
    widen(change)
    code, said = run(change, tmp_path, proposed=True)
    assert code == 0, said
    assert "may now get endpoints in namespace payments" in said


def test_once_there_is_a_baseline_it_needs_an_approval(change: Path, tmp_path: Path) -> None:
    subprocess.run(
        [Path(sys.executable).parent / "groundplan", "posture", "drift", "--write-baseline"],
        cwd=change,
        check=True,
        capture_output=True,
    )
    before = git(change, "rev-parse", "origin/main")
    git(change, "update-ref", "refs/remotes/origin/main", committed(change))
    try:
        widen(change)
        code, said = run(change, tmp_path, proposed=True)
    finally:
        git(change, "update-ref", "refs/remotes/origin/main", before)
    assert code == 1
    assert "may now get endpoints in namespace payments" in said


def test_an_exception_that_has_ended_fails(change: Path, tmp_path: Path) -> None:
    committed(change, **{"posture/exceptions/old.yaml": ENDED})
    code, said = run(change, tmp_path, proposed=False)
    assert code == 5, said
