"""`groundplan explain`: why a file is there and what decides its content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from groundplan import cli, copier_adapter, template
from groundplan.errors import AnswersError, ExitCode, UsageError
from groundplan.explanation import Explanation, explain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLUEPRINT = template.locate()
CLUSTERS = [
    {
        "name": "local",
        "place": "kind",
        "environment": "development",
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/16",
    },
    {
        "name": "production",
        "place": "eks",
        "environment": "production",
        "region": "eu-west-1",
        "account": "123456789012",
        "pod_cidr": "10.10.0.0/16",
        "service_cidr": "172.20.0.0/16",
    },
]
TEAM = {"name": "search", "namespaces": ["search"], "contact": "search@acme.example"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered repository with a team and two clusters."""
    root = tmp_path_factory.mktemp("explain") / "platform"
    copier_adapter.render(BLUEPRINT, {"teams": [TEAM], "clusters": CLUSTERS}, root)
    return root


@pytest.fixture(scope="module")
def explained(platform: Path) -> Callable[[str], Explanation]:
    return lambda path: explain(platform / path, BLUEPRINT)


def answers(explanation: Explanation) -> dict[str, tuple[str, ...]]:
    return {answer.name: answer.read_in for answer in explanation.answers}


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["explain", *words], prog_name="groundplan")


def test_values_of_a_component(explained: Callable[[str], Explanation]) -> None:
    explanation = explained("components/cert-manager/values.yaml")

    assert explanation.subjects == ("component cert-manager",)
    assert explanation.because.startswith("tier small lists it")
    assert explanation.owner == "platform (@acme/platform)"
    assert explanation.source.startswith("blueprints/repo/components/")
    assert explanation.read == ("blueprints/components/cert-manager/values.yaml",)
    assert "blueprints/tiers/small.yaml" in answers(explanation)["tier"]
    assert not explanation.edited


def test_a_component_that_an_answer_asks_for(explained: Callable[[str], Explanation]) -> None:
    because = explained("components/external-secrets/values.yaml").because

    assert because.startswith("tier small lists it and secrets is eso")


def test_a_file_of_a_team_has_its_owner(explained: Callable[[str], Explanation]) -> None:
    explanation = explained("tenants/search/search/quota.yaml")

    assert "team search" in explanation.subjects
    assert explanation.owner == "team search (search@acme.example)"
    assert "its path" in answers(explanation)["teams"]
    assert explanation.because == ""


def test_a_file_of_a_cluster_depends_on_the_clusters(
    explained: Callable[[str], Explanation],
) -> None:
    explanation = explained("clusters/local/cluster.yaml")

    assert explanation.subjects == ("cluster local",)
    assert "its path" in answers(explanation)["clusters"]


def test_an_overlay_depends_on_the_places_of_clusters(
    explained: Callable[[str], Explanation],
) -> None:
    explanation = explained("overlays/eks/kustomization.yaml")

    assert "overlays/eks/kustomization.yaml" in explanation.read
    assert "its path" in answers(explanation)["clusters"]


def test_the_answers_file_is_never_changed_by_hand(
    explained: Callable[[str], Explanation],
) -> None:
    assert explained(".copier-answers.yml").advice.startswith("Never change it by hand")


def test_every_rendered_file_has_a_source_and_is_as_rendered(platform: Path) -> None:
    for path in sorted(platform.rglob("*"))[::7]:
        if path.is_file():
            explanation = explain(path, BLUEPRINT)

            assert (BLUEPRINT.root / explanation.source).is_file()
            assert all((BLUEPRINT.root / name).is_file() for name in explanation.read)
            assert not explanation.edited, path


def test_an_edited_file_is_told_apart(platform: Path) -> None:
    path = platform / "components" / "metrics-server" / "values.yaml"
    path.write_text(path.read_text() + "# ours\n")

    assert explain(path, BLUEPRINT).edited


def test_a_file_of_ones_own(platform: Path) -> None:
    (platform / "docs").mkdir(exist_ok=True)
    (platform / "docs" / "ours.md").write_text("ours")

    explanation = explain(platform / "docs" / "ours.md", BLUEPRINT)

    assert explanation.source == ""
    assert explanation.advice.startswith("The template does not make this file")


def test_text_names_everything(platform: Path) -> None:
    result = invoke(str(platform / "components" / "cert-manager" / "values.yaml"))

    assert (result.exit_code, result.stderr) == (ExitCode.CLEAN, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["components/cert-manager/values.yaml"]
    labels = {line[0] for line in lines[1:]}
    assert {"about", "because", "owner", "template", "state", "answer", "change"} <= labels


def test_json_has_the_same(platform: Path) -> None:
    result = invoke(str(platform / "clusters" / "local" / "cluster.yaml"), "--format", "json")

    said = json.loads(result.stdout)
    assert said["path"] == "clusters/local/cluster.yaml"
    assert said["subjects"] == ["cluster local"]
    assert {"name", "value", "read_in"} == set(said["answers"][0])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("platform/nothing.yaml", "explain.no-such-file"),
        ("platform", "explain.not-a-file"),
        ("elsewhere.yaml", "explain.not-rendered"),
    ],
)
def test_what_cannot_be_explained(path: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / ".copier-answers.yml").write_text("{}\n")
    (tmp_path / "elsewhere.yaml").write_text("")

    with pytest.raises(UsageError) as caught:
        explain(tmp_path / path, BLUEPRINT)

    assert caught.value.id == expected


def test_a_repository_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".copier-answers.yml").write_text("_commit: v999.0.0\n")
    (tmp_path / "file").write_text("")

    with pytest.raises(AnswersError) as caught:
        explain(tmp_path / "file", BLUEPRINT)

    assert [problem.id for problem in caught.value.problems] == ["answers.newer-version"]
