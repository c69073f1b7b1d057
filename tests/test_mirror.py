"""A platform without a public registry: everything is asked of the organisation's own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner

from groundplan import copier_adapter
from groundplan.cli import main
from groundplan.template import Template
from groundplan.tree import Tree
from tests.rendering import (
    CLUSTERS,
    ENGINES,
    EVERYTHING,
    PLACES,
    READY,
    ROOT,
    TEAMS,
    TIERS,
    on_clusters,
    one,
    parsed,
    put,
)

MIRROR = "registry.acme.example:5000/mirror"


@cache
def repository(engine: str, tier: str = "enterprise", mirror: str = MIRROR) -> Tree:
    answers: dict[str, Any] = {"engine": engine, "tier": tier, "registry_mirror": mirror}
    answers |= {"clusters": [CLUSTERS[place] for place in PLACES]}
    answers |= {"teams": TEAMS, "practices": READY}
    answers |= EVERYTHING if tier == "enterprise" else {}
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), answers, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


def chart_sources(tree: Tree) -> set[str]:
    """Where charts and the engine's own artifact come from, without the scheme."""
    found = set()
    for path in tree.files:
        if not path.endswith(".yaml"):
            continue
        for body in parsed(tree, path):
            if body.get("kind") == "HelmRepository":
                found.add(body["spec"]["url"])
            if body.get("kind") == "OCIRepository":
                found.add(body["spec"]["url"].rpartition("/")[0])
            if body.get("kind") == "FluxInstance":
                found |= {body["spec"]["distribution"][key] for key in ("registry", "artifact")}
            if re.fullmatch("clusters/[^/]+/cluster.yaml", path):
                units = (u for layer in body.get("components", {}).values() for u in layer)
                found |= {u["chart"]["repository"] for u in units if "chart" in u}
    return {source.removeprefix("oci://") for source in found}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_chart_is_in_the_mirror_below_its_usual_address(engine: str, tier: str) -> None:
    usual = {re.sub("^https://", "", s) for s in chart_sources(repository(engine, tier, ""))}
    mirrored = chart_sources(repository(engine, tier))

    assert mirrored == {f"{MIRROR}/{source}" for source in usual}
    assert len(mirrored) > 5
    kinds = {
        body.get("kind")
        for path in repository(engine, tier).files
        if path.endswith(".yaml")
        for body in parsed(repository(engine, tier), path)
    }
    assert "HelmRepository" not in kinds


def test_argo_cd_may_take_charts_from_the_mirror_only() -> None:
    project = one(repository("argocd"), "bootstrap/projects/platform.yaml")
    others = [s for s in project["spec"]["sourceRepos"] if not s.startswith(f"{MIRROR}/")]

    assert others
    assert all(re.match(r"https://github\.com/", source) for source in others), others


@pytest.mark.parametrize(("engine", "pods"), [("flux", "source"), ("argocd", "repo-server")])
def test_what_fetches_charts_reaches_the_mirrors_port(engine: str, pods: str) -> None:
    component = {"flux": "flux-operator", "argocd": "argo-cd"}[engine]
    path = f"components/{component}/network-policies.yaml"
    for tree, expected in ((repository(engine), True), (repository(engine, mirror=""), False)):
        [policy] = [p for p in parsed(tree, path) if p["metadata"]["name"] == f"{component}-{pods}"]
        ports = {p["port"] for rule in policy["spec"]["egress"] for p in rule.get("ports", ())}
        assert (5000 in ports) is expected


def test_both_engines_put_the_same_objects_on_every_cluster() -> None:
    flux, argocd = (on_clusters(repository(engine)) for engine in ENGINES)

    assert flux == argocd


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_found_in_it(engine: str, tmp_path: Path) -> None:
    put(repository(engine), tmp_path)
    checked = CliRunner().invoke(main, ["check", str(tmp_path)])

    assert checked.exit_code == 0, checked.output
    assert "no findings" in checked.output


@pytest.mark.parametrize("engine", ENGINES)
def test_who_starts_a_cluster_reads_how_nodes_find_images(engine: str) -> None:
    text = repository(engine).files["docs/bootstrap.md"].decode()

    assert '[host."https://registry.acme.example:5000/v2/mirror/<registry>"]' in text
    assert f"oci://{MIRROR}/" in text
    for registry in ("quay.io", "ghcr.io", "registry.k8s.io", "docker.io", "reg.kyverno.io"):
        assert f"`{registry}`" in text
    assert "hosts.toml" not in repository(engine, mirror="").files["docs/bootstrap.md"].decode()
