"""The rendered workflow that proposes updates: its own commands, against a repository to push to.

`gh` is the one part that needs GitHub: a script in its place notes how it was called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import documents
from tests import releases
from tests.test_update import carry, commit, edit, render  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

WORKFLOW = ".github/workflows/update.yaml"
BRANCH = "groundplan/update"
BASH = str(shutil.which("bash"))


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """A repository at an old version, pushed."""
    releases.git(tmp_path, "init", "--quiet", "--bare", "origin")
    folder = commit(render("v1.0.0", tmp_path / "platform"))
    releases.git(folder, "remote", "add", "origin", str(tmp_path / "origin"))
    releases.git(folder, "push", "--quiet", "origin", "main")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Path], int]:
    """Runs the job's commands as GitHub does, one step after the other."""
    programs = tmp_path / "programs"
    programs.mkdir()
    _program(programs / "pipx", f'shift; exec "{Path(sys.executable).parent}/$@"')
    _program(programs / "gh", f'echo "$@" >> "{tmp_path}/asked"; [ "$2" = create ]')

    def job(folder: Path) -> int:
        said: Any = documents.load((folder / WORKFLOW).read_bytes())
        steps = [s["run"] for s in said["jobs"]["propose"]["steps"] if "run" in s]
        env = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
            "BRANCH": said["jobs"]["propose"]["env"]["BRANCH"],
        }
        for step in steps:
            words = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", step]
            done = subprocess.run(words, cwd=folder, env=env, capture_output=True, check=False)
            if done.returncode:
                return done.returncode
        return 0

    return job


def test_gitlabs_job_pushes_the_same(tmp_path: Path) -> None:
    releases.git(tmp_path, "init", "--quiet", "--bare", "origin")
    releases.git(tmp_path / "origin", "config", "receive.advertisePushOptions", "true")
    folder = commit(render("v1.0.0", tmp_path / "platform", forge="gitlab"))
    job: Any = documents.load((folder / ".gitlab-ci.yml").read_bytes())["update"]
    steps = [step.replace("/tmp/", f"{tmp_path}/") for step in job["script"]]  # noqa: S108
    assert steps[0] == "pip install --quiet groundplan"
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CI_SERVER_HOST": "gitlab.example",
        "BRANCH": job["variables"]["BRANCH"],
        "ADDRESS": str(tmp_path / "origin"),
    }

    for step in steps[1:]:
        subprocess.run([BASH, "-eo", "pipefail", "-c", step], cwd=folder, env=env, check=True)

    said = releases.git(tmp_path / "origin", "show", "--stat", "--format=%B", BRANCH)
    assert "v1.0.0 -> v2.0.0" in said
    assert "extras/first.yaml" in said


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


def test_an_update_becomes_a_pull_request(
    platform: Path, run: Callable[[Path], int], tmp_path: Path
) -> None:
    assert run(platform) == 0

    assert "extras/first.yaml" in releases.git(tmp_path / "origin", "ls-tree", "-r", BRANCH)
    asked = (tmp_path / "asked").read_text("utf-8").splitlines()
    assert [line.split()[1] for line in asked] == ["edit", "create"]
    assert "v1.0.0 -> v2.0.0" in (tmp_path / "update.md").read_text("utf-8")


def test_conflicts_are_proposed_too(
    platform: Path, run: Callable[[Path], int], tmp_path: Path
) -> None:
    edit(platform, "extras/two.yaml", 'size: "1"', 'size: "1"\n  shape: square')
    commit(platform)

    assert run(platform) == 0

    listed = releases.git(tmp_path / "origin", "show", f"{BRANCH}:.groundplan/conflicts.yaml")
    assert "template: round" in listed
    assert "| conflict | cause |" in (tmp_path / "update.md").read_text("utf-8")


def test_a_refusal_fails_the_job_and_proposes_nothing(
    platform: Path, run: Callable[[Path], int], tmp_path: Path
) -> None:
    (platform / "untracked").write_text("", "utf-8")

    assert run(platform) == 2
    assert not (tmp_path / "asked").exists()


def test_nothing_is_proposed_when_nothing_changes(
    tmp_path: Path, run: Callable[[Path], int]
) -> None:
    assert run(commit(render("v2.0.0", tmp_path / "platform"))) == 0
    assert not (tmp_path / "asked").exists()
