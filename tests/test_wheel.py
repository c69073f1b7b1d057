"""The wheel, installed where nothing else is, without a network."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from groundplan import copier_adapter, template
from groundplan.releases import Releases, write_bundle
from tests import releases

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
OLD = "v0.0.1"
LEFT_OUT = shutil.ignore_patterns(
    ".*cache", ".git", ".nox", ".venv", "__pycache__", "build", "dist"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in ("build", "hatchling")),
        reason="build and hatchling are not installed",
    ),
]


def run(
    *words: str | Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    done = subprocess.run(
        [str(word) for word in words], env=env, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with a released version, so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("source") / "groundplan"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT, symlinks=True)
    releases.git(folder, "init", "--quiet", "--initial-branch=main")
    old = folder / "blueprints" / "repo" / "old.md"
    old.write_text("Gone in the next version.\n", "utf-8")
    releases.git(folder, "add", "--", *template.PARTS)
    releases.git(folder, "commit", "--quiet", "-m", OLD)
    releases.git(folder, "tag", OLD)
    old.unlink()
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built the way a release is: a source distribution first, the wheel from it."""
    folder = tmp_path_factory.mktemp("dist")
    words = ("-m", "build", "--no-isolation", "--outdir", folder)
    run(sys.executable, *words, cwd=source)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in an environment with nothing but its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    # Commands compile what they use, which is little of it.
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    done = subprocess.run([python, *words, wheel], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the dependencies could not be installed: {done.stderr[-300:]}")
    return folder / "bin" / "groundplan"


@pytest.fixture(scope="module")
def offline() -> list[str]:
    """Starts a command in a network namespace of its own, which has no network."""
    unshare = shutil.which("unshare")
    words = [str(unshare), "--map-root-user", "--net"]
    if not unshare or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("network namespaces are not to be had here")
    return words


def test_the_wheel_has_the_whole_template(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for part in template.PARTS:
        place = ROOT / part
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file():
                assert f"groundplan/_template/{path.relative_to(ROOT).as_posix()}" in names
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_examples_of_the_checks_stay_in_the_source(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "groundplan/checks/schema.py" in names
    assert not [name for name in names if name.startswith("groundplan/checks/examples")]


def test_update_needs_no_network(
    installed: Path, offline: list[str], source: Path, tmp_path: Path
) -> None:
    assert write_bundle(source, tmp_path / "bundle")
    old = Releases(template.locate(), tmp_path / "bundle").template(OLD)
    copier_adapter.render(old, {}, tmp_path / "platform")
    releases.git(tmp_path / "platform", "init", "--quiet", "--initial-branch=main")
    releases.git(tmp_path / "platform", "add", "--all", "--force")
    releases.git(tmp_path / "platform", "commit", "--quiet", "-m", "state")
    assert (tmp_path / "platform" / "old.md").is_file()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}

    run(*offline, installed, "update", "--path", "platform", env=env, cwd=tmp_path)

    answers = (tmp_path / "platform" / ".copier-answers.yml").read_text("utf-8")
    assert f"_commit: {template.locate().version}\n" in answers
    assert not (tmp_path / "platform" / "old.md").exists()


def test_new_check_and_explain_need_no_network(
    installed: Path,
    offline: list[str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}
    command = [*offline, str(installed)]

    made = run(*command, "new", "platform", "--defaults", env=env, cwd=tmp_path)
    words = ("check", "platform", "--format", "json")
    checked = json.loads(run(*command, *words, env=env, cwd=tmp_path))
    file = "platform/components/cert-manager/values.yaml"
    said = run(*command, "explain", file, "--format", "json", env=env, cwd=tmp_path)

    assert "Next:" in made
    assert checked["findings"] == []
    assert checked["summary"]["objects"]["validated"] > 0
    left = [one for check in checked["checks"] for one in check["notEvaluated"]]
    assert {one["outcome"] for one in left} <= {"skipped"}
    record_property("not evaluated", [f"{one['subject']}: {one['reason']}" for one in left])
    explained = json.loads(said)
    assert explained["subjects"] == ["component cert-manager"]
    assert not explained["edited"]
    copier_adapter.render(template.locate(), {}, tmp_path / "expected")
    expected = {path.relative_to(tmp_path / "expected") for path in files(tmp_path / "expected")}
    assert {path.relative_to(tmp_path / "platform") for path in files(tmp_path / "platform")} == (
        expected
    )
    for path in expected:
        assert (tmp_path / "platform" / path).read_bytes() == (
            tmp_path / "expected" / path
        ).read_bytes()


def files(root: Path) -> list[Path]:
    found = (path for path in root.rglob("*") if path.is_file())
    return [path for path in found if ".git" not in path.relative_to(root).parts]
