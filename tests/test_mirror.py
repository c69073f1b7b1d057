"""A platform without a public registry: everything is asked of the organisation's own."""

from __future__ import annotations

import json
import os
import re
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan import catalogue, copier_adapter
from groundplan.charts import merged
from groundplan.cli import main
from groundplan.errors import ExitCode
from groundplan.template import Template
from groundplan.tree import Tree
from tests.rendering import (
    CLUSTERS,
    ENGINES,
    EVERYTHING,
    READY,
    ROOT,
    TEAMS,
    TIERS,
    on_clusters,
    parsed,
    put,
)
from tests.test_pools import operated
from tests.test_serving import every_way

if TYPE_CHECKING:
    from collections.abc import Iterator

MIRROR = "registry.acme.example:5000/mirror"
FORGE = "https://git.acme.example"


@cache
def repository(engine: str, tier: str = "enterprise", mirror: str = MIRROR) -> Tree:
    """For clusters at all places; of the largest tier with all that can be chosen, whose registry
    asks for an account and has a certificate of the organisation's own."""
    teams = [{**team, "repository": f"{FORGE}/{team['name']}/deploy.git"} for team in TEAMS]
    answers: dict[str, Any] = {"engine": engine, "tier": tier, "registry_mirror": mirror}
    answers |= {"clusters": [CLUSTERS[place] for place in ("eks", "kind", "gke", "aks", "capi")]}
    answers |= {"teams": teams, "practices": READY, "repository": f"{FORGE}/ops/platform.git"}
    if tier == "enterprise":
        answers |= EVERYTHING
        answers |= {"registry_access": "account", "registry_authority": "own"} if mirror else {}
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), answers, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


def objects(tree: Tree) -> Iterator[tuple[str, Any]]:
    for path in tree.files:
        if path.endswith(".yaml"):
            yield from ((path, body) for body in parsed(tree, path) if isinstance(body, dict))


def sources(tree: Tree) -> dict[str, set[str]]:
    """Where charts, definitions and Flux itself come from, and all else that is pulled."""
    found: dict[str, set[str]] = {"chart": set(), "git": set(), "flux": set(), "other": set()}
    for path, body in objects(tree):
        for kind, address in (*_of_object(path, body), *_of_cluster(path, body)):
            if address:
                found[kind].add(re.sub("^oci://", "", address))
    return found


def _of_object(path: str, body: Any) -> Iterator[tuple[str, str]]:
    spec = body.get("spec") or {}
    match body.get("kind"):
        case "HelmRepository":
            yield "chart", spec["url"]
        case "OCIRepository" if "layerSelector" in spec:
            yield "chart", spec["url"].rpartition("/")[0]
        case "OCIRepository" | "GitRepository":
            yield "git" if path.endswith("crds.yaml") else "other", spec["url"]
        case "FluxInstance":
            distribution = spec["distribution"]
            yield from (("flux", distribution.get(key, "")) for key in ("registry", "artifact"))
            yield "other", spec["sync"]["url"]
        case "AppProject":
            yield from (("other", address) for address in spec.get("sourceRepos", ()))
        case "Application" | "ApplicationSet":
            found = re.findall(r'"repoURL": "([^"{]+)"', json.dumps(body))
            yield from (("other", address) for address in found)


def _of_cluster(path: str, body: Any) -> Iterator[tuple[str, str]]:
    if re.fullmatch("clusters/[^/]+/cluster.yaml", path):
        for unit in (unit for layer in body.get("components", {}).values() for unit in layer):
            for kind in {"chart", "git"} & unit.keys():
                yield kind, unit[kind]["repository"]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_charts_and_definitions_are_in_the_mirror_below_their_usual_addresses(
    engine: str, tier: str
) -> None:
    usual, mirrored = sources(repository(engine, tier, "")), sources(repository(engine, tier))

    for kind in ("chart", "git"):
        addresses = {re.sub("^https://", "", one) for one in usual[kind]}
        assert mirrored[kind] == {f"{MIRROR}/{address}" for address in addresses}
        assert len(mirrored[kind]) > 2
    assert {body.get("kind") for _, body in objects(repository(engine, tier))}.isdisjoint(
        {"HelmRepository"}
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_pulled_but_from_the_mirror_and_the_own_forge(engine: str) -> None:
    places = set().union(*sources(repository(engine)).values())
    own = {place for place in places if place.startswith(f"{FORGE}/")}

    assert own
    assert {place for place in places - own if not place.startswith(f"{MIRROR}/")} == set()
    assert any("github.com" in place for place in sources(repository(engine, mirror=""))["git"])


def test_flux_brings_its_own_manifests_where_there_is_a_mirror() -> None:
    said = {
        mirror: {
            key: body["spec"]["distribution"].get(key)
            for path, body in objects(repository("flux", mirror=mirror))
            if body.get("kind") == "FluxInstance"
            for key in ("registry", "artifact")
        }
        for mirror in ("", MIRROR)
    }

    assert said[MIRROR] == {"registry": f"{MIRROR}/ghcr.io/fluxcd", "artifact": None}
    assert said[""]["artifact"] == "oci://ghcr.io/controlplaneio-fluxcd/flux-operator-manifests"


# --- a registry that asks who comes, with a certificate of the organisation's own


def test_every_source_of_flux_names_the_account_and_the_authority() -> None:
    seen = 0
    for tier in ("enterprise", "small"):
        for path, body in objects(repository("flux", tier)):
            if body.get("kind") == "OCIRepository":
                seen += 1
                refs = [body["spec"].get(key) for key in ("secretRef", "certSecretRef")]
                names = [{"name": "registry-mirror"}, {"name": "registry-mirror-ca"}]
                assert refs == (names if tier == "enterprise" else [None, None]), path
            if body.get("kind") == "FluxInstance":
                secret = body["spec"]["distribution"].get("imagePullSecret")
                assert secret == ("registry-mirror" if tier == "enterprise" else None)
    assert seen > 40


def made(engine: str) -> dict[str, Any]:
    """What the ExternalSecrets of the account make, by cluster and name."""
    return {
        f"{path.split('/')[1]}/{body['metadata']['name']}": body["spec"]
        for path, body in objects(repository(engine))
        if path.endswith("registry-access/account.yaml")
    }


def test_flux_has_the_account_on_every_cluster_with_a_secret_store() -> None:
    found = made("flux")

    assert {name: spec["dataFrom"][0]["extract"]["key"] for name, spec in found.items()} == {
        "production/registry-mirror": "platform/registry-mirror",
        "frankfurt/registry-mirror": "platform-registry-mirror",
        "amsterdam/registry-mirror": "platform-registry-mirror",
        "factory/registry-mirror": "platform/registry-mirror",
    }
    template = found["production/registry-mirror"]["target"]["template"]
    filled = re.sub(r"\{\{ \.(\w+) \| toJson \}\}", r'"\1"', template["data"][".dockerconfigjson"])
    account = {"username": "username", "password": "password"}
    assert json.loads(filled) == {"auths": {"registry.acme.example:5000": account}}


def test_argo_cd_has_the_account_for_every_address_that_it_asks() -> None:
    specs = made("argocd")
    templates = [spec["target"]["template"] for spec in specs.values()]

    assert specs.keys() == {
        "production/registry-mirror-charts",
        "production/registry-mirror-definitions",
    }
    labels = {t["metadata"]["labels"]["argocd.argoproj.io/secret-type"] for t in templates}
    assert labels == {"repo-creds"}
    found = {t["data"]["type"]: t["data"]["url"] for t in templates}
    assert found == {"helm": MIRROR, "oci": f"oci://{MIRROR}"}


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("flux", ("create secret oci registry-mirror --url=", "secret tls registry-mirror-ca")),
        ("argocd", ("registry-mirror-definitions", "cert add-tls registry.acme.example --from")),
    ],
)
def test_who_starts_a_cluster_reads_how_the_engine_gets_in(
    engine: str, words: tuple[str, ...]
) -> None:
    asked, open_to_all = (
        repository(engine, tier).files["docs/bootstrap.md"].decode()
        for tier in ("enterprise", "small")
    )
    for word in (*words, "helm registry login registry.acme.example:5000", "authorization = "):
        assert word in asked
        assert word not in open_to_all
    assert "Secret" not in {body.get("kind") for _, body in objects(repository(engine))}


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
def test_who_starts_a_cluster_reads_how_nodes_find_images(engine: str, tmp_path: Path) -> None:
    text = repository(engine).files["docs/bootstrap.md"].decode()

    assert '[host."https://registry.acme.example:5000/v2/mirror/<registry>"]' in text
    assert f"oci://{MIRROR}/" in text
    found = listed(repository(engine), tmp_path)[1]["found"]
    registries = {each["source"].partition("/")[0] for each in found if each["kind"] == "image"}
    assert len(registries) > 4
    for registry in registries:
        assert f"`{registry}`" in text
    assert "hosts.toml" not in repository(engine, mirror="").files["docs/bootstrap.md"].decode()


# --- what is to be copied

PREFIXED = {"dra-driver-nvidia-gpu", "external-dns", "metrics-server"}
"""Charts that put a v before their appVersion."""
NOT_IN_VALUES = {
    "docker.io/envoyproxy/envoy": "the controller knows it, not its chart",
    "public.ecr.aws/karpenter/controller": "the release writes it, the source has an older one",
    "quay.io/brancz/kube-rbac-proxy": "one value is its name and its tag",
    "quay.io/prometheus/node-exporter": "of a chart inside the chart",
    "registry.k8s.io/kube-state-metrics/kube-state-metrics": "of a chart inside the chart",
}
"""Images whose tags are not in the values that the folder of charts has."""
INNER = {"docker.io/grafana/grafana": "grafana", "quay.io/kiwigrid/k8s-sidecar": "grafana"}
"""Images of a chart that another one has inside."""
COMPONENTS = catalogue.component_data(Template(ROOT, "v0"))
WITH_CHART = sorted(name for name, said in COMPONENTS.items() if "chart" in said)
EXAMPLES = sorted(file.parent.name for file in ROOT.glob("examples/*/answers.yaml"))
WITHOUT_IMAGES = {"kserve-crds", "kserve-localmodel-crds", "prometheus-operator-crds"}


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
    # Where there is a mirror, Flux's own manifests are those that its operator has in it.
    pulled = [thing for thing in unmoved["found"] if thing["kind"] != "artifact"]
    assert things == [(thing["kind"], thing["source"], thing["version"]) for thing in pulled]
    assert {thing["target"] for thing in unmoved["found"]} == {""}
    for thing in said["found"]:
        address = re.sub("^[a-z]+://", "", thing["source"])
        scheme = "" if thing["kind"] == "image" else "oci://"
        assert thing["target"] == f"{scheme}{MIRROR}/{address}"
        assert thing["by"]
        assert thing["version"] not in ("", "latest")
        assert bool(thing["paths"]) is (thing["kind"] == "git")


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


@pytest.mark.parametrize("example", EXAMPLES)
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
def test_tags_are_those_that_the_chart_or_our_values_say(name: str) -> None:
    chart, own = COMPONENTS[name]["chart"], f"components/{name}/values.yaml"
    ways = (partial(repository, "flux"), partial(repository, "argocd"))
    more = (*ways, partial(every_way, "flux"), partial(every_way, "argocd"))
    more += (partial(operated, queued=True), partial(operated, queued=False))
    tree = next(tree for way in more if own in (tree := way()).files)
    for image in COMPONENTS[name]["images"]:
        source, _, tag = image.partition(":")
        if source in NOT_IN_VALUES:
            continue
        about, values = upstream(chart["name"], str(chart["version"]))
        if source in INNER:
            [inner] = [d for d in about["dependencies"] if d["name"] == INNER[source]]
            about, values = upstream(inner["name"], inner["version"])
        else:
            values = merged(values, parsed(tree, own)[0])
        chosen = {str(tag) for tag in tags(values, source) if tag}
        default = f"v{about['appVersion']}" if name in PREFIXED else str(about["appVersion"])
        assert tag in (chosen or {default}), image


def upstream(chart: str, version: str) -> tuple[Any, Any]:
    """What a chart says of itself, and its values, as its makers keep them."""
    folder = os.environ.get("GROUNDPLAN_UPSTREAM")
    if not folder:
        pytest.skip("no folder with charts is given (GROUNDPLAN_UPSTREAM)")
    if chart not in kept(folder):
        pytest.skip(f"the folder has no chart {chart}")
    file, about = kept(folder)[chart]
    if about["version"].startswith("v0.0.0"):  # a release puts its own number there
        about = about | {"version": version, "appVersion": version}
    if about["version"] != version:
        pytest.skip(f"the folder has {about['version']} of {chart}, not {version}")
    return about, loaded(file.with_name("values.yaml"))


@cache
def kept(folder: str) -> dict[str, tuple[Path, Any]]:
    """The file of each chart in a folder with what it says, by name; the first one of a name."""
    files = sorted(Path(folder).glob("*/chart/Chart.yaml"), reverse=True)
    return {about["name"]: (file, about) for file in files for about in [loaded(file)]}


def loaded(file: Path) -> Any:
    # PyYAML's own loader takes a second for the values of some charts.
    return yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)


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
