"""What tiers and components count on, and that nobody gets what they are not ready for."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundplan import cli, copier_adapter, template
from groundplan.answers import questions
from groundplan.catalogue import features, practices
from groundplan.errors import ExitCode
from groundplan.plan import Plan
from tests.rendering import CLUSTERS, READY, TIERS
from tests.test_blueprints import component_data, tier_data

if TYPE_CHECKING:
    from pathlib import Path

BLUEPRINT = template.locate()
PRACTICES = practices(BLUEPRINT)
LEVELS = ("provisional", "operational", "scalable", "optimizing")
ASPECTS = ("investment", "adoption", "interfaces", "operations", "measurement")


def wanted() -> list[tuple[str, dict[str, Any]]]:
    """Every prerequisite in the data, with who has it."""
    tiers = [(f"tier {name}", tier_data(name)) for name in TIERS]
    parts = [(f"component {name}", data) for name, data in component_data().items()]
    chosen = [(f"feature {feature['name']}", feature) for feature in features(BLUEPRINT)]
    everyone = tiers + parts + chosen
    return [(who, want) for who, data in everyone for want in data.get("prerequisites", ())]


def rank(practice: str, value: str | int) -> int:
    levels = list(PRACTICES[practice].levels)
    return levels.index(value) if isinstance(value, str) else value


def test_the_maturity_model_is_there_whole() -> None:
    for aspect in ASPECTS:
        assert tuple(PRACTICES[aspect].levels) == LEVELS
    assert {practice.aspect for practice in PRACTICES.values()} == set(ASPECTS)


@pytest.mark.parametrize("name", PRACTICES)
def test_a_practice_is_a_number_or_has_levels_that_say_what_they_mean(name: str) -> None:
    practice = PRACTICES[name]

    assert bool(practice.levels) != bool(practice.counts)
    assert practice.question.endswith("?")
    assert all(text.endswith(".") and text[0].isupper() for text in practice.levels.values())


@pytest.mark.parametrize(("who", "want"), wanted(), ids=lambda part: str(part)[:40])
def test_a_prerequisite_names_a_practice_and_how_much_of_it(who: str, want: dict[str, Any]) -> None:
    practice = PRACTICES[want["practice"]]

    assert set(want) == {"practice", "least", "why"}, who
    assert want["why"]
    assert not want["why"].endswith(".")
    assert rank(practice.name, want["least"]) > 0, "what everybody has is no prerequisite"


@pytest.mark.parametrize("name", component_data())
def test_a_component_counts_on_something_or_says_why_not(name: str) -> None:
    data = component_data()[name]
    why_not = data.get("no_prerequisites", "")

    assert bool(data.get("prerequisites")) is not bool(why_not)
    assert not why_not.endswith(".")


def test_a_feature_counts_on_something_and_is_a_question() -> None:
    asked = {question.name for question in questions(BLUEPRINT)}

    for feature in features(BLUEPRINT):
        assert feature["prerequisites"], feature["name"]
        assert feature["name"] in asked


@pytest.mark.parametrize(
    ("chosen", "practice", "who"),
    [
        ({"tier": "small", "backups": "velero"}, "restores", "component velero"),
        ({"tier": "growing"}, "gitops", "component external-dns"),
        ({"long_term_metrics": "thanos"}, "budget_owner", "component thanos"),
        ({"tier": "small", "promotion": "branch"}, "gitops", "feature promotion"),
        ({"tier": "small", "registry_mirror": "r.acme.example"}, "operations", "registry_mirror"),
        ({"engine": "flux", "signatures": "required"}, "security", "feature signatures"),
    ],
)
def test_a_choice_is_refused_where_what_it_counts_on_is_missing(
    chosen: dict[str, Any], practice: str, who: str, tmp_path: Path
) -> None:
    less = READY | {practice: PRACTICES[practice].least}
    clusters = [CLUSTERS["eks"]]
    answers = {"tier": "enterprise", "clusters": clusters, "practices": less, **chosen}
    file = tmp_path / "answers.yaml"
    file.write_text(json.dumps(answers))
    words = ["new", str(tmp_path / "platform"), "--answers", str(file)]

    done = CliRunner().invoke(cli.main, words, prog_name="groundplan")

    assert done.exit_code == ExitCode.USAGE
    lines = done.stderr.splitlines()
    assert all(f": practices.{practice}: " in line for line in lines)
    assert all(line.endswith("[answers.prerequisite-unmet]") for line in lines)
    assert any(who in line for line in lines)


def test_a_larger_tier_never_counts_on_less() -> None:
    least = [
        {want["practice"]: want["least"] for want in tier_data(tier)["prerequisites"]}
        for tier in TIERS
    ]
    for smaller, larger in itertools.pairwise(least):
        for practice, level in smaller.items():
            assert rank(practice, larger[practice]) >= rank(practice, level)


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_brings_what_its_components_count_on(tier: str) -> None:
    """Who is ready for a tier is ready for what it installs without being asked."""
    have = {want["practice"]: want["least"] for want in tier_data(tier)["prerequisites"]}

    plan = Plan.of(copier_adapter.plan(BLUEPRINT, {"tier": tier, "practices": have}))

    assert plan.prerequisites
    assert plan.unmet == ()


@pytest.mark.parametrize("practice", PRACTICES)
def test_less_of_a_practice_is_never_enough_where_more_was_not(practice: str) -> None:
    steps = list(PRACTICES[practice].levels) or [0, 1, 2, 3, 6, 100]
    unmet = []
    for step in steps:
        answers = {"tier": "enterprise", "practices": READY | {practice: step}}
        plan = Plan.of(copier_adapter.plan(BLUEPRINT, answers))
        assert {need.practice for need in plan.unmet} <= {practice}
        unmet.append(len(plan.unmet))

    assert unmet == sorted(unmet, reverse=True)
    assert unmet[-1] == 0


def test_a_tier_that_the_organisation_is_not_ready_for_is_refused_with_the_list(
    tmp_path: Path,
) -> None:
    words = ["new", str(tmp_path / "platform"), "--defaults", "--tier", "growing"]

    done = CliRunner().invoke(cli.main, words, prog_name="groundplan")

    assert done.exit_code == ExitCode.USAGE
    lines = done.stderr.splitlines()
    missing = [want["practice"] for want in tier_data("growing")["prerequisites"]]
    assert [line.split(": ")[0] for line in lines] == [
        f"practices.{practice}" for practice in missing if practice != "security"
    ]
    assert all(line.endswith("[answers.prerequisite-unmet]") for line in lines)
    assert list(tmp_path.iterdir()) == []
