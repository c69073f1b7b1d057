"""A platform without a public registry: everything is asked of the organisation's own."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan import catalogue, copier_adapter
from groundplan.cli import main
from groundplan.errors import ExitCode
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

if TYPE_CHECKING:
    from collections.abc import Iterator

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


# --- what is to be copied

PREFIXED = {"external-dns", "metrics-server"}
"""Charts that put a v before their appVersion."""
NOT_IN_VALUES = {
    "docker.io/envoyproxy/envoy": "the controller knows it, not its chart",
    "public.ecr.aws/karpenter/controller": "the release writes it, the source has an older one",
    "quay.io/prometheus/node-exporter": "a chart inside the chart, not at hand",
    "registry.k8s.io/kube-state-metrics/kube-state-metrics": "a chart inside the chart, not at hand",
}
"""Images whose tags are not in the values that the folder of charts has."""
INNER = {"docker.io/grafana/grafana": "grafana", "quay.io/kiwigrid/k8s-sidecar": "grafana"}
"""Images of a chart that another one has inside."""
COMPONENTS = catalogue.component_data(Template(ROOT, "v0"))
WITH_CHART = sorted(name for name, said in COMPONENTS.items() if "chart" in said)
WITHOUT_IMAGES = {"prometheus-operator-crds"}


def listed(tree: Tree, folder: Path) -> tuple[int, Any]:
    put(tree, folder)
    result = CliRunner().invoke(main, ["mirror", "list", str(folder), "--format", "json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_list_has_each_thing_once_with_source_and_target(
    engine: str, tier: str, tmp_path: Path
) -> None:
    code, said = listed(repository(engine, tier), tmp_path / "mirrored")
    plain, unmoved = listed(repository(engine, tier, ""), tmp_path / "plain")

    assert (code, plain) == (ExitCode.CLEAN, ExitCode.CLEAN), said["unknown"]
    assert said["complete"] is True
    things = [(thing["kind"], thing["source"], thing["version"]) for thing in said["found"]]
    assert things == sorted(set(things))
    assert things == [(t["kind"], t["source"], t["version"]) for t in unmoved["found"]]
    assert {thing["target"] for thing in unmoved["found"]} == {""}
    for thing in said["found"]:
        address = re.sub("^[a-z]+://", "", thing["source"])
        scheme = "" if thing["kind"] == "image" else "oci://"
        assert thing["target"] == ("" if thing["kind"] == "git" else f"{scheme}{MIRROR}/{address}")
        assert thing["by"]
        assert thing["version"] not in ("", "latest") or thing["kind"] == "artifact"


def test_what_operators_start_is_in_the_list(tmp_path: Path) -> None:
    _, said = listed(repository("flux"), tmp_path)
    images = {thing["source"] for thing in said["found"] if thing["kind"] == "image"}

    assert images >= {
        "docker.io/envoyproxy/envoy",
        "ghcr.io/fluxcd/source-controller",
        "quay.io/jetstack/cert-manager-acmesolver",
        "quay.io/prometheus/prometheus",
        "docker.io/velero/velero-plugin-for-aws",
    }


@pytest.mark.parametrize("example", sorted(f.parent.name for f in ROOT.glob("examples/*/answers.yaml")))
def test_the_list_of_every_example_is_complete(example: str) -> None:
    folder = ROOT / "examples" / example / "repository"
    result = CliRunner().invoke(main, ["mirror", "list", str(folder)])

    assert result.exit_code == ExitCode.CLEAN, result.stdout


@pytest.mark.parametrize("name", WITH_CHART)
def test_every_chart_has_images_with_tags(name: str) -> None:
    images = COMPONENTS[name].get("images", [])

    assert bool(images) is (name not in WITHOUT_IMAGES)
    assert [image for image in images if not re.search("[:@][^/]+$", image)] == []


@pytest.mark.parametrize("name", sorted(set(WITH_CHART) - WITHOUT_IMAGES))
def test_tags_are_those_that_the_chart_says(name: str) -> None:
    chart = COMPONENTS[name]["chart"]
    for image in COMPONENTS[name]["images"]:
        source, _, tag = image.partition(":")
        if source in NOT_IN_VALUES:
            continue
        about, values = upstream(chart["name"], str(chart["version"]))
        if source in INNER:
            [inner] = [d for d in about["dependencies"] if d["name"] == INNER[source]]
            about, values = upstream(inner["name"], inner["version"])
        chosen = {str(tag) for tag in tags(values, source) if tag}
        default = f"v{about['appVersion']}" if name in PREFIXED else str(about["appVersion"])
        assert tag in (chosen or {default}), image


def upstream(chart: str, version: str) -> tuple[Any, Any]:
    """What a chart says of itself, and its values, as its makers keep them."""
    folder = os.environ.get("GROUNDPLAN_UPSTREAM")
    if not folder:
        pytest.skip("no folder with charts is given (GROUNDPLAN_UPSTREAM)")
    for file in sorted(Path(folder).glob("*/chart/Chart.yaml")):
        about = yaml.safe_load(file.read_text())
        if about["name"] == chart:
            break
    else:
        pytest.skip(f"the folder has no chart {chart}")
    if about["version"].startswith("v0.0.0"):  # a release puts its own number there
        about |= {"version": version, "appVersion": version}
    if about["version"] != version:
        pytest.skip(f"the folder has {about['version']} of {chart}, not {version}")
    return about, yaml.safe_load(file.with_name("values.yaml").read_text())


def tags(values: Any, source: str) -> Iterator[Any]:
    """Every tag that stands beside an image's name."""
    if not isinstance(values, dict):
        return
    for key in ("repository", "name"):
        whole = f"{values.get('registry') or ''}/{values.get(key)}".lstrip("/")
        if "tag" in values and values.get(key) and whole == source:
            yield values["tag"]
    for value in values.values():
        yield from tags(value, source)
