"""`groundplan assess`: the tier that fits, what is missing for the next, and what it costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as some
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from groundplan import cli, costs, template
from groundplan.answers import Answers
from groundplan.assessment import assess
from groundplan.catalogue import practices, read
from groundplan.cli import wizard
from groundplan.costs import Need, quantity
from groundplan.errors import ExitCode
from tests.rendering import PLACES, READY, TIERS
from tests.test_blueprints import tier_data

if TYPE_CHECKING:
    from pathlib import Path

BLUEPRINT = template.locate()
SCALE = {"product_teams": 1, "clusters": 1, "regions": 1}


def needed(tier: str) -> dict[str, Any]:
    return {want["practice"]: want["least"] for want in tier_data(tier)["prerequisites"]}


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["assess", *words], prog_name="groundplan")


@pytest.mark.parametrize(
    ("have", "recommended", "following"),
    [
        ({}, "", "small"),
        (needed("small"), "small", "growing"),
        (needed("growing"), "small", "enterprise"),
        (needed("growing") | {"product_teams": 4}, "growing", "enterprise"),
        (READY | SCALE | {"product_teams": 5, "regions": 3}, "enterprise", ""),
        (READY | SCALE | {"product_teams": 5}, "growing", ""),
        (READY | SCALE, "small", "growing"),
        (needed("small") | {"product_teams": 40}, "small", "growing"),
    ],
)
def test_the_smallest_tier_that_is_large_enough_and_carried(
    have: dict[str, Any], recommended: str, following: str
) -> None:
    found = assess(BLUEPRINT, Answers({"practices": have}))

    assert (found.recommended, found.next) == (recommended, following)
    assert found.why
    if following:
        missing = {need.practice for need in found.tier(following).missing}
        assert missing
        assert missing <= needed(following).keys()
        assert all(need.closes for need in found.tier(following).missing)


def test_what_nobody_said_takes_the_defaults() -> None:
    found = assess(BLUEPRINT, Answers({}))

    assert found.recommended == "small"
    assert found.practices["on_call"] == "working_hours"


def test_a_tier_that_is_too_small_is_called_so() -> None:
    have = needed("small") | {"product_teams": 40}

    found = assess(BLUEPRINT, Answers({"practices": have}))

    assert [limit.practice for limit in found.tier("small").outgrown] == ["product_teams"]
    assert any("up to 3, and 40 teams" in sentence for sentence in found.why)


def test_the_report_says_who_could_close_what(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("practices: {gitops: reviewed, on_call: working_hours, security: contact}\n")

    done = run("--answers", str(file))

    assert done.exit_code == ExitCode.CLEAN
    assert done.stdout.startswith("Recommended tier: small\n")
    assert "  restores: once, now never\n" in done.stdout
    assert "Who can change it: whoever hires for engineering." in done.stdout
    assert "right order of magnitude" in done.stdout
    assert "2026-04" in done.stdout


def test_json_has_the_same(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("practices: {}\n")

    found = json.loads(run("--answers", str(file), "--format", "json").stdout)

    assert (found["recommended"], found["next"]) == ("", "small")
    assert [level["level"] for level in found["maturity"]] == ["provisional"] * 5
    assert [tier["name"] for tier in found["tiers"]] == list(TIERS)
    assert {cost["place"] for cost in found["tiers"][0]["costs"]} == set(PLACES)


def test_answers_that_cannot_be_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("practices: {on_cal: always}\n")

    done = run("--answers", str(file))

    assert done.exit_code == ExitCode.USAGE
    assert "did you mean on_call?" in done.stderr


def test_without_a_terminal_somebody_must_say_the_practices() -> None:
    done = run()

    assert done.exit_code == ExitCode.USAGE
    assert done.stderr.endswith("[assess.no-terminal]\n")


def test_a_person_is_asked_about_every_practice() -> None:
    known = practices(BLUEPRINT)
    down, enter = "\x1b[B", "\r"
    keys = (down + enter if practice.levels else "7" + enter for practice in known.values())
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text("".join(keys))
        pipe.close()
        found = wizard.ask_practices(known.values(), {})

    assert found.keys() == known.keys()
    assert (found["on_call"], found["investment"]) == ("working_hours", "operational")
    assert found["platform_people"] == 7
    assert assess(BLUEPRINT, Answers({"practices": found})).next == "growing"


# --- costs


def test_every_place_has_a_price_with_a_date_and_a_source() -> None:
    assert read(BLUEPRINT, "prices.yaml")["places"].keys() == set(PLACES)
    for price in costs.prices(BLUEPRINT):
        assert price.date[:2] == "20"
        assert price.source


def test_kind_costs_nothing_and_only_the_organisation_knows_its_own_machines() -> None:
    by_place = {price.place: price for price in costs.prices(BLUEPRINT)}
    need = Need(cpu=2, memory=4, storage=10, load_balancers=1)

    assert by_place["kind"].month(need) == 0
    assert by_place["capi"].month(need) is None
    assert by_place["eks"].month(need) == pytest.approx(
        730 * (2 * 0.04048 + 4 * 0.004445 + 0.0225 + 0.10) + 10 * 0.08
    )


def test_a_larger_tier_costs_more_where_something_is_paid() -> None:
    found = assess(BLUEPRINT, Answers({}))
    sums = {(tier.name, cost.place): cost.month for tier in found.tiers for cost in tier.costs}

    for place in ("eks", "gke", "aks"):
        months = [sums[tier, place] or 0 for tier in TIERS]
        assert months == sorted(set(months))
    assert {sums[tier, "capi"] for tier in TIERS} == {None}


@pytest.mark.parametrize(
    ("said", "number"),
    [("500m", 0.5), ("2", 2), (0, 0), ("1.5", 1.5), ("2Gi", 2 * 2**30), ("1856Mi", 1856 * 2**20)],
)
def test_quantities_are_those_of_kubernetes(said: Any, number: float) -> None:
    assert quantity(said) == pytest.approx(number)


@given(some.lists(some.floats(0, 1e6), min_size=2, max_size=2), some.floats(0, 1e6))
def test_more_is_never_cheaper(cpu: list[float], memory: float) -> None:
    less, more = sorted(cpu)
    for price in costs.prices(BLUEPRINT):
        cheap, dear = price.month(Need(less, memory)), price.month(Need(more, memory))
        assert cheap is None or dear is None or cheap <= dear


def test_practices_of_scale_are_numbers() -> None:
    assert all(practices(BLUEPRINT)[name].counts for name in SCALE)
