"""The examples are what the template renders today, whole, and nothing is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from groundplan import answers, checks, copier_adapter, repository, template
from groundplan.cli.posture import command as posture
from groundplan.findings import Severity

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/answers.yaml"))


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_there_is_one_organisation_of_each_size_and_two_with_models() -> None:
    assert NAMES == [
        "enterprise-argocd",
        "growing-argocd",
        "inference-enterprise",
        "inference-small",
        "laptop",
        "startup-argocd",
        "startup-flux",
    ]


def test_no_example_is_a_git_repository() -> None:
    assert list(EXAMPLES.rglob(".git")) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_what_its_answers_render(name: str, tmp_path: Path) -> None:
    given = answers.read(EXAMPLES / name / "answers.yaml")
    copier_adapter.render(template.locate(), given.values, tmp_path / "fresh")
    fresh, kept = files(tmp_path / "fresh"), files(EXAMPLES / name / "repository")

    assert sorted(kept.keys() - fresh.keys()) == [], "no longer rendered"
    assert sorted(fresh.keys() - kept.keys()) == [], "not in the example"
    assert [path for path in sorted(fresh) if fresh[path] != kept[path]] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_keeps_every_policy(name: str) -> None:
    words = ["check", str(EXAMPLES / name / "repository"), "--format", "json"]
    result = CliRunner().invoke(posture, words, standalone_mode=False)
    assert result.exception is None, result.output
    assert json.loads(result.output)["findings"] == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_an_example(name: str) -> None:
    report = checks.run(repository.load(EXAMPLES / name / "repository"))
    assert report.at_least(Severity.LOW) == ()
