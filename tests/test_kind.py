"""A real kind cluster with a real engine, where a container engine answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundplan.errors import ToolError
from groundplan.runners import docker
from tests.rendering import put, rendered
from tests.test_verify import eventually

EXAMPLES = Path(__file__).parents[1] / "examples"
PREFIX = "groundplan-test-kind"


def groundplan(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "groundplan", *words]
    given = {**os.environ, **env}
    return subprocess.run(argv, env=given, capture_output=True, text=True, check=False)


def nodes() -> list[str]:
    listed = docker.docker("ps", "--all", "--format", "{{.Names}}").text.split()
    return [name for name in listed if name.startswith(PREFIX)]


@pytest.fixture
def engine() -> None:
    try:
        docker.ensure_answers()
    except ToolError as error:
        pytest.skip(str(error))
    # A machine that was switched off during an earlier run may still have them.
    for node in nodes():
        docker.docker("rm", "--force", "--volumes", node)


def test_says_what_to_do_without_docker(tmp_path):
    nowhere = f"unix://{tmp_path}/docker.sock"
    root = str(EXAMPLES / "laptop" / "repository")
    done = groundplan("verify", root, "--on", "kind", DOCKER_HOST=nowhere)
    assert done.returncode == 4
    assert "[docker.down]" in done.stderr
    assert "`groundplan verify --on apiserver` needs none" in done.stderr


def test_says_what_to_do_without_a_client(tmp_path):
    root = str(EXAMPLES / "laptop" / "repository")
    done = groundplan("verify", root, "--on", "kind", PATH=str(tmp_path))
    assert done.returncode == 4
    assert "[docker.missing]" in done.stderr


@pytest.mark.kind
def test_the_cluster_and_its_keys_go_when_the_command_is_killed(engine, tmp_path):
    root = str(EXAMPLES / "laptop" / "repository")
    words = ["verify", root, "--on", "kind", "--name", f"{PREFIX}-killed", "--kubernetes", "1.37"]
    argv = [sys.executable, "-m", "groundplan", *words]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL, env=env) as process:
        eventually(lambda: nodes() or process.poll() is not None, 1500)
        assert list(tmp_path.glob("groundplan-*/create.log"))
        process.kill()
    eventually(lambda: not nodes(), 120)
    eventually(lambda: not list(tmp_path.glob("groundplan-*/create.log")), 60)


@pytest.mark.kind
def test_what_is_up_is_verified_where_it_is_and_goes_down(engine):
    root = str(EXAMPLES / "laptop" / "repository")
    name = f"{PREFIX}-up"
    try:
        done = groundplan("up", root, "--name", name, "--kubernetes", "1.37")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ENG001" in done.stdout
        # kubelet starts it again, and it is waited for.
        docker.docker("exec", f"{name}-control-plane", "pkill", "-KILL", "kube-apiserver")
        words = ("--on", "kind", "--name", name, "--kubernetes", "1.37")
        done = groundplan("verify", root, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert nodes() == [f"{name}-control-plane"]
    finally:
        ended = groundplan("down", "--name", name)
    assert ended.returncode == 0
    assert nodes() == []


@pytest.mark.kind
def test_argocd_brings_a_platform_up(engine, tmp_path):
    put(rendered("argocd", "small", ("kind",)), tmp_path)
    words = ("--on", "kind", "--name", f"{PREFIX}-argocd", "--kubernetes", "1.37")
    done = groundplan("verify", str(tmp_path), *words, "--timeout", "1500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert nodes() == []
