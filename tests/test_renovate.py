"""Renovate sees every version that a repository pins, with either engine and on either forge."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import copier_adapter
from groundplan.template import Template
from groundplan.tree import Tree
from tests.rendering import CLUSTERS, ENGINES, EVERYTHING, PLACES, READY, ROOT, TEAMS, TIERS, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIN = re.compile(
    r"(?<![\w./])v?\d+\.\d+\.\d+(?![\w]|\.\d)"
    r"|(?<=@)(?:[0-9a-f]{40}|sha256:[0-9a-f]{64})"
)
"""What pins: a release of three numbers, a commit or a digest."""

OF_OTHERS = {
    ".copier-answers.yml": "the template's own version, which Renovate's copier manager sees",
}
"""Files whose versions are not Renovate's, and whose they are."""

CASES = [
    *(({"engine": engine, "tier": tier}, PLACES) for engine in ENGINES for tier in TIERS),
    ({"engine": "flux", "tier": "enterprise", "forge": "gitlab", "promotion": "branch"}, ("eks",)),
    (
        {
            "engine": "flux",
            "tier": "enterprise",
            "promotion": "oci",
            "artifact": "oci://ghcr.io/acme/platform",
        },
        ("eks",),
    ),
    ({"engine": "argocd", "tier": "enterprise", "forge": "gitlab"}, ("eks",)),
    *(
        ({"engine": engine, "tier": "small", "registry_mirror": "registry.acme.example"}, ("eks",))
        for engine in ENGINES
    ),
]
each = pytest.mark.parametrize("case", range(len(CASES)))


@cache
def repository(case: int) -> Tree:
    chosen, places = CASES[case]
    answers: dict[str, Any] = {**chosen, "practices": READY, "teams": TEAMS}
    answers["clusters"] = [CLUSTERS[place] for place in places]
    answers |= EVERYTHING if chosen["tier"] == "enterprise" else {}
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), answers, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


# --- what Renovate's own managers take from a file, as its documentation says


def actions(text: str) -> Iterator[str]:
    yield from re.findall(r"uses: \S+@(\S+)", text)
    yield from re.findall(r"uses: \S+@\S+ # (\S+)", text)


def hooks(text: str) -> Iterator[str]:
    yield from re.findall(r"rev: (\S+)", text)


def images(text: str) -> Iterator[str]:
    yield from re.findall(r"\bimage:\n\s+repository: \S+\n\s+tag: (\S+)", text)
    for reference in re.findall(r"\bimage: [\"']?([^\s\"']+)", text):
        yield from reference.partition("@")[0].rpartition(":")[2:]
        yield reference.partition("@")[2]


def manifests(text: str) -> Iterator[str]:
    if "apiVersion:" in text and "kind:" in text:
        yield from images(text)


BUILT_IN: dict[str, tuple[str | None, Callable[[str], Iterator[str]]]] = {
    "github-actions": (r"(^|/)\.github/(workflows|actions)/.+\.ya?ml$", actions),
    "pre-commit": (r"(^|/)\.pre-commit-config\.ya?ml$", hooks),
    "gitlabci": (r"\.gitlab-ci\.ya?ml$", images),
    "helm-values": (r"(^|/)values\.ya?ml$", images),
    # These two look at no file until they are told which.
    "kubernetes": (None, manifests),
    "flux": (None, lambda _: iter(())),
}


def flux(tree: Tree, path: str) -> Iterator[str]:
    """Charts and tags of the kinds that the manager knows."""
    for body in parsed(tree, path):
        spec = body.get("spec") or {}
        match body.get("kind"):
            case "HelmRelease":
                yield str(((spec.get("chart") or {}).get("spec") or {}).get("version"))
            case "OCIRepository" | "GitRepository":
                yield str((spec.get("ref") or {}).get("tag"))


def wanted(patterns: list[str], path: str) -> bool:
    return any(re.search(pattern.strip("/"), path) for pattern in patterns)


def seen(tree: Tree) -> set[tuple[str, str]]:
    """Each file with each version that Renovate would look up."""
    config = json.loads(tree.files["renovate.json"])
    found = set()
    for path, content in tree.files.items():
        text = content.decode()
        for manager, (pattern, take) in BUILT_IN.items():
            patterns = config.get(manager, {}).get("managerFilePatterns", [])
            if wanted(patterns + ([pattern] if pattern else []), path):
                versions = flux(tree, path) if manager == "flux" else take(text)
                found |= {(path, version) for version in versions}
        for custom in config["customManagers"]:
            if wanted(custom["managerFilePatterns"], path):
                for match in custom["matchStrings"]:
                    expression = re.compile(match.replace("(?<", "(?P<"))
                    found |= {(path, m["currentValue"]) for m in expression.finditer(text)}
    return found


@each
def test_every_pin_is_seen(case: int) -> None:
    tree = repository(case)
    pins = {
        (path, pin)
        for path, content in tree.files.items()
        if path not in OF_OTHERS
        for pin in PIN.findall(content.decode())
    }

    assert len(pins) > 5
    assert sorted(pins - seen(tree)) == []


@each
def test_every_pattern_has_files_and_every_expression_a_match(case: int) -> None:
    tree = repository(case)
    config = json.loads(tree.files["renovate.json"])
    texts = {path: content.decode() for path, content in tree.files.items()}

    told = [config[name]["managerFilePatterns"] for name in BUILT_IN if name in config]
    for patterns in told:
        assert any(wanted(patterns, path) for path in texts)
    for custom in config["customManagers"]:
        for match in custom["matchStrings"]:
            expression = re.compile(match.replace("(?<", "(?P<"))
            assert any(
                expression.search(text)
                for path, text in texts.items()
                if wanted(custom["managerFilePatterns"], path)
            ), custom["description"]


@each
def test_images_in_manifests_get_digests_and_those_in_values_do_not(case: int) -> None:
    rules = json.loads(repository(case).files["renovate.json"])["packageRules"]
    [pinned] = [rule["matchManagers"] for rule in rules if rule.get("pinDigests")]

    assert "kubernetes" in pinned
    assert "helm-values" not in pinned


@each
def test_every_rule_names_something_that_is_pinned(case: int) -> None:
    config = json.loads(repository(case).files["renovate.json"])

    assert config["packageRules"]
    for rule in config["packageRules"]:
        assert rule["description"]
        assert {"matchPackageNames", "matchDatasources", "matchDepNames"} & rule.keys()


def test_the_template_is_looked_up_where_git_finds_it() -> None:
    tree = repository(0)
    [rule] = [
        rule
        for rule in json.loads(tree.files["renovate.json"])["packageRules"]
        if "copier" in rule.get("matchManagers", ())
    ]

    [answers] = parsed(tree, ".copier-answers.yml")

    assert rule["matchDepNames"] == [answers["_src_path"]]
    assert rule["overridePackageName"] == answers["_src_path"].replace("gh:", "https://github.com/")
