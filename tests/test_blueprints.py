"""The template's own files keep to the rules that make them readable."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan import documents
from tests.rendering import BLUEPRINTS, ROOT, TIERS

if TYPE_CHECKING:
    from pathlib import Path

OPENING_TAG = re.compile(r"#% *(?!end|else|elif)\w+")


def template_files() -> list[Path]:
    """What is rendered and what those files include; data and macros are not templates."""
    wrappers = [path for path in (BLUEPRINTS / "repo").rglob("*") if path.is_file()]
    included = [
        path
        for path in (BLUEPRINTS / "lib").rglob("*")
        if path.is_file() and path.suffix != ".jinja" and path.name != "engine.yaml"
    ]
    return wrappers + included


@cache
def component_data() -> dict[str, Any]:
    """The data file of each component, with null for what depends on answers."""
    found = {}
    for path in sorted((BLUEPRINTS / "components").glob("*.yaml")):
        text = re.sub(r"#\{.*?\}#", "null", path.read_text())
        found[path.stem] = documents.load(text)
    return found


@cache
def tier_data(tier: str) -> Any:
    return documents.load((BLUEPRINTS / "tiers" / f"{tier}.yaml").read_text())


def test_template_files_decide_little() -> None:
    busy = {
        str(path.relative_to(BLUEPRINTS)): len(tags)
        for path in template_files()
        if len(tags := OPENING_TAG.findall(path.read_text())) > 8
    }

    assert busy == {}


def test_no_template_names_a_component() -> None:
    # "gateway" and "policies" are words of their own; the others can only mean the component.
    names = [name for name in component_data() if "-" in name]
    word = re.compile(rf"(?<![\w-])({'|'.join(names)})(?![\w-])")
    naming = {
        str(path.relative_to(BLUEPRINTS)): word.findall(f"{path}\n{path.read_text()}")
        for path in template_files()
        if path.name != "team-flows.yaml"
    }

    assert {path: found for path, found in naming.items() if found} == {}


def test_rendering_runs_no_code_of_ours() -> None:
    settings = set(re.findall(r"^_(\w+):", (ROOT / "copier.yml").read_text(), re.MULTILINE))

    assert settings & {"tasks", "migrations", "jinja_extensions", "external_data"} == set()
    included = re.findall(r"^!include (\S+)$", (ROOT / "copier.yml").read_text(), re.MULTILINE)
    files = sorted((BLUEPRINTS / "questions").glob("*.yaml"))
    assert included == [str(path.relative_to(ROOT)) for path in files]


def test_each_question_says_in_one_sentence_what_it_changes() -> None:
    for path in sorted((BLUEPRINTS / "questions").glob("*.yaml")):
        for question in yaml.safe_load(path.read_text()).values():
            if question.get("when") is not False:
                assert question["help"][0].isupper()
                assert question["help"].endswith(".")
                assert ". " not in question["help"]
                assert re.search("[;,] ", question["help"])


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_names_components_in_the_order_of_their_needs(tier: str) -> None:
    known = component_data()
    layers = [layer["name"] for layer in yaml.safe_load((BLUEPRINTS / "layers.yaml").read_text())]
    names = tier_data(tier)["components"]

    assert set(names) <= known.keys()
    assert len(set(names)) == len(names)
    ranks = [layers.index(known[name]["layer"]) for name in names]
    assert ranks == sorted(ranks)
    for name in names:
        before = set(names[: names.index(name)])
        assert set(known[name].get("needs") or ()) <= before


def test_every_component_has_a_tier() -> None:
    named = {name for tier in TIERS for name in tier_data(tier)["components"]}

    assert set(component_data()) == named
    assert {path.stem for path in (BLUEPRINTS / "tiers").glob("*.yaml")} == set(TIERS)
