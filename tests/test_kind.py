"""A real kind cluster with a real engine, where a container engine answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundplan.errors import ToolError
from groundplan.runners import docker

EXAMPLES = Path(__file__).parents[1] / "examples"
PREFIX = "groundplan-test"


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
@pytest.mark.parametrize("example", ["startup-argocd", "startup-flux"])
def test_an_engine_brings_an_example_up(engine, example):
    root = str(EXAMPLES / example / "repository")
    words = ("--on", "kind", "--name", f"{PREFIX}-{example}", "--kubernetes", "1.37")
    done = groundplan("verify", root, *words, "--timeout", "1500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert nodes() == []
