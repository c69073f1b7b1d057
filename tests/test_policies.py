"""Each admission policy has a mode at every tier, an owner, and examples that it tells apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.rendering import BLUEPRINTS, ENGINES, TIERS, parsed, rendered

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted((BLUEPRINTS / "policies").glob("*.yaml"))
MODES = {"off": [], "warn": ["Warn"], "audit": ["Warn", "Audit"], "deny": ["Deny", "Audit"]}
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def data(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


@each
def test_a_policy_says_what_it_is_and_whose(path: Path) -> None:
    policy = data(path)

    assert policy["id"] == path.stem.upper()
    assert policy["severity"] in {"low", "medium", "high", "critical"}
    assert policy["owner"] in {"platform", "team"}
    assert policy["applies_to"] in {"everywhere", "all", "teams"}
    assert policy["why"].endswith(".")
    assert policy["mappings"].keys() == {"pss", "nsa", "cis", "owasp"}
    assert policy["examples"].keys() == {"good", "bad"}


@each
def test_a_larger_tier_is_never_laxer(path: Path) -> None:
    mode = data(path)["mode"]

    assert mode.keys() == set(TIERS)
    ranks = [list(MODES).index(mode[tier]) for tier in TIERS]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_policy_is_rendered_in_the_mode_of_its_tier(engine: str, tier: str) -> None:
    tree = rendered(engine, tier, ("kind",))
    folder = "components/policies/"
    skipped = {folder + "README.md", folder + "kustomization.yaml"}
    files = {path for path in tree.files if path.startswith(folder)} - skipped

    expected = [path for path in FILES if data(path)["mode"][tier] != "off"]
    expected = [path for path in expected if data(path).get("engine", engine) == engine]
    assert files == {folder + path.name for path in expected}
    for path in expected:
        policy, binding = parsed(tree, folder + path.name)
        said = data(path)
        assert binding["spec"]["policyName"] == policy["metadata"]["name"]
        assert binding["spec"]["validationActions"] == MODES[said["mode"][tier]]
        assert policy["spec"]["failurePolicy"] == "Fail"
        for validation, declared in zip(
            policy["spec"]["validations"], said["validations"], strict=True
        ):
            assert validation["expression"] == declared["expression"].strip()
            assert validation["message"].startswith(said["id"] + ": ")
