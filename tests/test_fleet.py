"""`groundplan fleet`: each repository by itself, and none holds up the others."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from groundplan import cli, releases
from groundplan.errors import ExitCode
from tests import releases as made
from tests.test_update import carry, commit, edit, files, render  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pathlib import Path

FLEET = """\
repositories:
  - path: plain
    ring: candidate
  - path: edited
  - path: current
    name: the newest
  - path: nowhere
"""


def fleet(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["fleet", *map(str, words)], prog_name="groundplan")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repositories of a fleet, to be copied."""
    folder = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(releases.VARIABLE, str(made.bundle()))
        commit(render("v1.0.0", folder / "plain"))
        edited = commit(render("v1.0.0", folder / "edited", tier="growing"))
        edit(edited, "extras/two.yaml", 'size: "1"', 'size: "1"\n  shape: square')
        commit(edited)
        commit(render("v2.0.0", folder / "current"))
    return folder


@pytest.fixture
def file(originals: Path, tmp_path: Path) -> Path:
    """A fleet of one that is behind, one with a conflict to come, one that is current, and none."""
    shutil.copytree(originals, tmp_path, symlinks=True, dirs_exist_ok=True)
    (tmp_path / "fleet.yaml").write_text(FLEET, "utf-8")
    return tmp_path / "fleet.yaml"


def test_status_says_how_each_stands(file: Path) -> None:
    done = fleet("status", file, "--format", "json")

    assert done.exit_code == ExitCode.USAGE
    found = {one["name"]: one for one in json.loads(done.stdout)["repositories"]}
    assert [one["state"] for one in found.values()] == ["behind", "behind", "current", "refused"]
    assert found["edited"]["tier"] == "growing"
    assert found["edited"]["drift"]["edited"] + found["edited"]["drift"]["both"] == 1
    assert found["nowhere"]["error"]["id"] == "fleet.no-such-folder"


def test_a_plan_writes_nothing(file: Path) -> None:
    before = files(file.parent)

    done = fleet("plan", file)

    assert "would be updated" in done.stdout
    assert files(file.parent) == before


def test_a_ring_is_updated_before_the_rest(file: Path) -> None:
    before = files(file.parent / "edited")

    done = fleet("update", file, "--ring", "candidate")

    assert done.exit_code == ExitCode.CLEAN, done.output
    assert "v1.0.0 -> v2.0.0" in done.stdout
    assert files(file.parent / "edited") == before
    assert (file.parent / "plain/extras/guide/start.md").is_file()


def test_one_that_is_refused_holds_up_nobody(file: Path) -> None:
    (file.parent / "plain" / "untracked").write_text("", "utf-8")

    done = fleet("update", file, "--format", "json")

    assert done.exit_code == ExitCode.USAGE
    found = {one["name"]: one for one in json.loads(done.stdout)["repositories"]}
    assert found["plain"]["error"]["id"] == "update.dirty"
    assert (found["edited"]["state"], found["edited"]["written"]) == ("conflicts", True)
    assert [c["path"] for c in found["edited"]["conflicts"]] == ["extras/first.yaml"]


def test_a_limit_leaves_the_rest_for_later(file: Path) -> None:
    done = fleet("update", file, "--limit", "1", "--format", "json")

    states = [one["state"] for one in json.loads(done.stdout)["repositories"]]
    assert states == ["updated", "behind", "current", "refused"]


def test_the_page_is_whole_and_harmless(file: Path) -> None:
    text = file.read_text("utf-8").replace("the newest", "<script>alert(1)</script>")
    file.write_text(text, "utf-8")

    said = fleet("status", file, "--format", "html").stdout

    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(said)
    assert "script" not in tags
    assert "link" not in tags
    assert tags.count("tr") == 5
    assert "&lt;script&gt;" in said


@pytest.mark.parametrize(
    ("text", "words", "error"),
    [
        (FLEET, ("--ring", "stable"), "fleet.no-such-ring"),
        ("repositories: plain\n", (), "fleet.invalid"),
        ("repositories: [{path: a, colour: red}]\n", (), "fleet.invalid"),
        ("repositories: [{path: a}, {path: a}]\n", (), "fleet.invalid"),
        ("repositories: [\n", (), "yaml.syntax"),
        (None, (), "fleet.unreadable"),
    ],
)
def test_a_fleet_file_that_is_none_is_refused(
    text: str | None, words: tuple[str, ...], error: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "fleet.yaml").write_text(text, "utf-8")

    done = fleet("status", tmp_path / "fleet.yaml", *words)

    assert done.exit_code == ExitCode.USAGE
    assert f"[{error}]" in done.stderr
