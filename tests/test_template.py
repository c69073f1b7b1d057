"""The template renders what a careful person would write, for every engine, tier and place."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import product
from pathlib import Path, PurePosixPath
from posixpath import normpath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks, copier_adapter, documents, repository
from groundplan.findings import Severity
from groundplan.gitops import load_clusters
from groundplan.template import Template
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
    render,
    render_plainly,
    rendered,
    without_origin,
)
from tests.test_pairwise import KNOWN

if TYPE_CHECKING:
    from groundplan.tree import Tree

MIXED = ("eks", "capi")
EVERY = tuple(product(ENGINES, TIERS, [*((place,) for place in PLACES), MIXED, PLACES]))
every = pytest.mark.parametrize(("engine", "tier", "places"), EVERY)
NOT_KUBERNETES = re.compile(
    r"(^|/)\.|^renovate\.json$|^catalog-info\.yaml$|^clusters/[^/]+/cluster\.yaml$"
    r"|^posture/exceptions/"  # reached once there is an exception
)


def yaml_files(tree: Tree) -> list[str]:
    return [path for path in tree.files if path.endswith((".yaml", ".yml"))]


def objects(tree: Tree, kind: str) -> list[Any]:
    found = [
        document
        for path in yaml_files(tree)
        if not path.startswith((".", ".github/"))
        for document in parsed(tree, path)
    ]
    return [document for document in found if document.get("kind") == kind]


def cluster_facts(tree: Tree) -> list[Any]:
    return [
        one(tree, path)
        for path in tree.files
        if re.fullmatch(r"clusters/[^/]+/cluster\.yaml", path)
    ]


# --- what every rendered file looks like


@every
def test_every_yaml_file_is_read_without_a_problem(
    engine: str, tier: str, places: tuple[str, ...]
) -> None:
    tree = rendered(engine, tier, places)

    assert all(parsed(tree, path) for path in yaml_files(tree))
    assert json.loads(tree.files["renovate.json"])


@every
def test_templates_leave_no_trace(engine: str, tier: str, places: tuple[str, ...]) -> None:
    tree = rendered(engine, tier, places)
    traces = re.compile(
        r"#\{|#%|#\||(?<!clusterIP: )\bNone\b|\bUndefined\b|[ \t]+$|\n\n\n|\A\n|\n\n\Z",
        re.MULTILINE,
    )
    texts = {path: content.decode() for path, content in tree.files.items()}

    # Copier writes the answers, and what people answer may have empty lines.
    found = {path for path, text in texts.items() if traces.search(text)}
    assert found <= {".copier-answers.yml"}
    assert {path for path, text in texts.items() if not text.endswith("\n")} == set()


@every
def test_no_check_finds_anything(
    engine: str, tier: str, places: tuple[str, ...], tmp_path: Path
) -> None:
    put(rendered(engine, tier, places), tmp_path)

    report = checks.run(repository.load(tmp_path))

    assert report.at_least(Severity.LOW) == ()
    left = {result.check_id for result in report.results if result.not_evaluated}
    assert left <= KNOWN.keys()


@every
def test_rendered_again_it_is_the_same(engine: str, tier: str, places: tuple[str, ...]) -> None:
    again = rendered.__wrapped__(engine, tier, places)

    assert again.files == rendered(engine, tier, places).files


@pytest.mark.parametrize("engine", ENGINES)
def test_plain_copier_gives_the_same_bytes(engine: str, tmp_path: Path) -> None:
    clusters = [CLUSTERS["eks"], CLUSTERS["kind"]]
    answers = {"engine": engine, "clusters": clusters, "teams": TEAMS, "practices": READY}
    plain = render_plainly(tmp_path, **answers)

    ours = rendered(engine, "small", ("eks", "kind"))
    assert without_origin(plain) == without_origin(ours)


@every
def test_every_yaml_file_is_reached_from_an_entry(
    engine: str, tier: str, places: tuple[str, ...]
) -> None:
    tree = rendered(engine, tier, places)
    reached: set[str] = set()
    for folder in entries(tree, engine):
        reach(tree, folder, reached)
    for facts in cluster_facts(tree):
        for unit in argocd_units(facts):
            values = [
                f"components/{unit['component']}/values.yaml",
                f"clusters/{facts['name']}/values/{unit['component']}.yaml",
            ]
            reached.update(path for path in values if path in tree.files and "chart" in unit)

    expected = {path for path in yaml_files(tree) if not NOT_KUBERNETES.search(path)}
    assert expected - reached == set()
    assert {f"{folder}/kustomization.yaml" for folder in entries(tree, engine)} <= set(tree.files)


def entries(tree: Tree, engine: str) -> list[str]:
    """Every folder that the engine applies."""
    if engine == "flux":
        synced = [instance["spec"]["sync"]["path"] for instance in objects(tree, "FluxInstance")]
        return synced + [
            unit["spec"]["path"].removeprefix("./")
            for unit in flux_units(tree)
            if unit["spec"]["sourceRef"]["name"] == "flux-system"
        ]
    units = [unit for facts in cluster_facts(tree) for unit in argocd_units(facts)]
    return ["bootstrap"] + [unit["folder"] for unit in units if "folder" in unit]


def reach(tree: Tree, folder: str, reached: set[str]) -> None:
    """Follow a kustomization; a resource that is not there fails the test."""
    path = f"{folder}/kustomization.yaml"
    reached.add(path)
    kustomization = one(tree, path)
    generated = [
        file
        for generator in kustomization.get("configMapGenerator", [])
        for file in generator["files"]
    ]
    parts = kustomization.get("components", [])
    for resource in kustomization.get("resources", []) + parts + generated:
        target = normpath(PurePosixPath(folder, resource))
        if f"{target}/kustomization.yaml" in tree.files:
            reach(tree, target, reached)
        else:
            assert target in tree.files
            reached.add(target)


# --- what both engines are told


def flux_units(tree: Tree) -> list[Any]:
    return [
        unit
        for unit in objects(tree, "Kustomization")
        if unit["apiVersion"].startswith("kustomize.toolkit.fluxcd.io/")
    ]


def argocd_units(facts: Any) -> list[Any]:
    return [unit for layer in facts.get("components", {}).values() for unit in layer]


@pytest.mark.parametrize(("tier", "place"), list(product(TIERS, PLACES)))
def test_both_engines_apply_the_same_folders_and_charts(tier: str, place: str) -> None:
    flux, argocd = rendered("flux", tier, (place,)), rendered("argocd", tier, (place,))
    charts = {
        release["metadata"]["name"]: flux_chart(flux, release)
        for release in objects(flux, "HelmRelease")
    }
    [facts] = cluster_facts(argocd)
    others = {
        unit["component"]: (
            unit["chart"]["name"],
            unit["chart"]["repository"],
            unit["chart"]["version"],
            unit["namespace"],
        )
        for unit in argocd_units(facts)
        if "chart" in unit
    }
    engines = {"flux-operator", "argo-cd", "argo-cd-crds"}
    assert {name: chart for name, chart in charts.items() if name not in engines} == {
        name: chart for name, chart in others.items() if name not in engines
    }
    flux_names = {unit["metadata"]["name"] for unit in flux_units(flux)}
    assert flux_names - engines == {unit["component"] for unit in argocd_units(facts)} - engines


@pytest.mark.parametrize(("tier", "place"), list(product(TIERS, PLACES)))
def test_both_engines_put_the_same_objects_on_a_cluster(tier: str, place: str) -> None:
    [flux] = on_clusters(rendered("flux", tier, (place,))).values()
    [argocd] = on_clusters(rendered("argocd", tier, (place,))).values()

    assert flux.keys() == argocd.keys()
    assert {key for key in flux if flux[key] != argocd[key]} == set()


def flux_chart(tree: Tree, release: Any) -> tuple[str, str, str, str]:
    name, spec = release["metadata"]["name"], release["spec"]
    source = next(
        document
        for document in parsed(tree, f"components/{name}/source.yaml")
        if document["metadata"]["name"] == name
    )
    if source["kind"] == "OCIRepository":
        repository, _, chart = source["spec"]["url"].removeprefix("oci://").rpartition("/")
        return chart, repository, source["spec"]["ref"]["tag"], spec["targetNamespace"]
    chart = spec["chart"]["spec"]
    return chart["chart"], source["spec"]["url"], chart["version"], spec["targetNamespace"]


@every
def test_namespaces_hold_their_level_at_the_answered_version(
    engine: str, tier: str, places: tuple[str, ...]
) -> None:
    namespaces = objects(rendered(engine, tier, places), "Namespace")

    pinned = {
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce-version"]
        for namespace in namespaces
    }
    assert pinned == {"v1.37"}
    names = {namespace["metadata"]["name"] for namespace in namespaces}
    assert {"payments", "payments-staging", "search"} <= names


# --- places


@pytest.mark.parametrize("place", [place for place in PLACES if place != "kind"])
def test_a_place_has_one_default_storage_class_and_one_that_keeps(place: str) -> None:
    classes = objects(rendered(places=(place,)), "StorageClass")
    default = "storageclass.kubernetes.io/is-default-class"

    kept = {c["reclaimPolicy"]: c["metadata"].get("annotations", {}).get(default) for c in classes}
    assert kept == {"Delete": "true", "Retain": None}
    assert {c["volumeBindingMode"] for c in classes} == {"WaitForFirstConsumer"}
    [snapshots] = objects(rendered(places=(place,)), "VolumeSnapshotClass")
    assert snapshots["driver"] == classes[0]["provisioner"]
    assert snapshots["deletionPolicy"] == "Retain"


@pytest.mark.parametrize("engine", ENGINES)
def test_each_cluster_of_a_mixed_repository_gets_what_its_own_place_has(engine: str) -> None:
    tree = rendered(engine, "small", MIXED)

    stores = {
        path.split("/")[1]: [*one(tree, path)["spec"]["provider"]]
        for path in tree.files
        if path.endswith("cluster-secret-store.yaml")
    }
    assert stores == {"production": ["aws"], "factory": ["vault"]}
    issuers = {
        path.split("/")[1]: [*one(tree, path)["spec"]]
        for path in tree.files
        if path.endswith("issuers.yaml")
    }
    assert issuers == {"production": ["acme"], "factory": ["vault"]}
    assert "clusters/factory/components/storage-classes/storage-classes.yaml" in tree.files
    assert "clusters/production/components/storage-classes/storage-classes.yaml" not in tree.files
    assert "overlays/eks/storage-classes.yaml" in tree.files


def test_a_service_account_names_its_cloud_identity_where_the_place_wants_that() -> None:
    def account(place: str) -> Any:
        name = CLUSTERS[place]["name"]
        tree = rendered("argocd", places=(place,))
        path = f"clusters/{name}/values/cert-manager.yaml"
        return one(tree, path)["serviceAccount"]["annotations"] if path in tree.files else None

    assert [account(place) for place in ("kind", "eks", "gke", "capi")] == [None] * 4
    assert account("aks") == {
        "azure.workload.identity/client-id": "11f5b1a2-7a65-4a76-a4a7-9c9b3e4b6e0d"
    }


@pytest.mark.parametrize("place", ["eks", "gke", "aks"])
def test_dns_records_are_kept_by_who_may_from_the_growing_tier_on(place: str) -> None:
    provider = {"eks": "aws", "gke": "google", "aks": "azure"}[place]
    name = CLUSTERS[place]["name"]
    tree = rendered("argocd", "growing", (place,))

    own = one(tree, f"clusters/{name}/values/external-dns.yaml")
    assert (own["provider"]["name"], own["txtOwnerId"]) == (provider, name)
    shared = one(tree, "components/external-dns/values.yaml")
    assert shared["sources"] == ["gateway-httproute", "gateway-grpcroute"]
    assert "`external-dns`" in tree.files["docs/bootstrap.md"].decode()
    assert not [path for path in rendered("argocd", places=(place,)).files if "dns/" in path]


@pytest.mark.parametrize("place", [place for place in PLACES if place != "kind"])
def test_backups_go_into_a_bucket_of_the_place_every_night(place: str) -> None:
    name = CLUSTERS[place]["name"]
    tree = rendered("argocd", "growing", (place,))

    [location] = one(tree, f"clusters/{name}/values/velero.yaml")["configuration"][
        "backupStorageLocation"
    ]
    provider = {"eks": "aws", "gke": "gcp", "aks": "azure", "capi": "aws"}[place]
    assert location["provider"] == provider
    assert location["bucket"] == ("backups" if place == "aks" else f"acme-{name}-backups")
    assert [*one(tree, "components/velero/values.yaml")["schedules"]] == ["nightly"]
    assert "docs/runbooks/restore.md" in tree.files


def test_velero_reads_and_restores_just_what_its_backup_names() -> None:
    tree = rendered("argocd", "growing")
    backup = one(tree, "components/velero/values.yaml")["schedules"]["nightly"]["template"]
    [role] = parsed(tree, "components/velero/roles.yaml")

    named = {*backup["includedNamespaceScopedResources"], *backup["includedClusterScopedResources"]}
    may_read = {
        f"{resource}.{group}".rstrip(".")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert named <= may_read
    assert "*" not in "".join(may_read)


def test_no_backups_leave_no_runbook_for_them() -> None:
    for tree in (rendered("flux", "small"), rendered("flux", "growing", ("kind",))):
        assert not [path for path in tree.files if "velero" in path or "restore" in path]


@pytest.mark.parametrize("place", ["eks", "aks"])
def test_a_node_pool_has_a_limit_and_machines_that_are_replaced(place: str) -> None:
    [pool] = objects(rendered("flux", "small", (place,)), "NodePool")

    assert pool["spec"]["limits"] == {"cpu": "32", "memory": "128Gi"}
    assert pool["spec"]["template"]["spec"]["expireAfter"] == "720h"


@pytest.mark.parametrize("engine", ENGINES)
def test_machines_are_declared_on_the_cluster_that_makes_them(engine: str, tmp_path: Path) -> None:
    factory = CLUSTERS["capi"]
    branch = factory | {"name": "branch", "management": "factory", "pod_cidr": "10.40.0.0/16"}
    tree = render(tmp_path, engine=engine, clusters=[CLUSTERS["eks"], factory, branch])

    [path] = [path for path in tree.files if path.endswith("machine-deployments.yaml")]
    assert path.startswith("clusters/factory/")
    machines = one(tree, path)
    assert machines["spec"]["clusterName"] == "branch"
    assert machines["spec"]["template"]["spec"]["version"] == "v1.37.0"


def test_with_irsa_every_account_that_has_a_role_names_it(tmp_path: Path) -> None:
    cluster = CLUSTERS["eks"] | {"identity": "irsa"}
    answers = {"engine": "argocd", "tier": "enterprise", "clusters": [cluster]} | EVERYTHING
    answers["practices"] = READY
    plan = copier_adapter.resolve(Template(ROOT, "v0"), answers)["plan"]
    with_roles = {c["name"] for c in plan["components"] if c.get("identity")}
    tree = render(tmp_path, **answers)

    named = b"eks.amazonaws.com/role-arn: arn:aws:iam::012345678901:role/production-"
    naming = {
        text.partition(named)[2].split()[0].decode()
        for text in tree.files.values()
        if named in text
    }
    assert naming == with_roles


def test_irsa_names_the_role_in_the_account_and_partition_of_the_cluster(tmp_path: Path) -> None:
    china = CLUSTERS["eks"] | {"identity": "irsa", "region": "cn-north-1"}
    tree = render(tmp_path, engine="argocd", clusters=[china])

    values = one(tree, "clusters/production/values/cert-manager.yaml")
    assert values["serviceAccount"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws-cn:iam::012345678901:role/production-cert-manager"
    }


def test_cluster_api_without_a_vault_signs_with_an_authority_of_its_own(tmp_path: Path) -> None:
    cluster = {key: value for key, value in CLUSTERS["capi"].items() if key != "vault"}
    recipient = "age1" + "q" * 58
    tree = render(tmp_path, clusters=[cluster], secrets="sops", sops_recipient=recipient)

    issuers = parsed(tree, "clusters/factory/components/cluster-issuers/issuers.yaml")
    assert [*issuers[-1]["spec"]] == ["ca"]
    assert not [path for path in tree.files if "secret-store" in path]


# --- Flux


@pytest.mark.parametrize(("tier", "place"), list(product(TIERS, PLACES)))
def test_flux_units_wait_for_units_that_exist_without_a_cycle(tier: str, place: str) -> None:
    waits = {
        unit["metadata"]["name"]: {other["name"] for other in unit["spec"].get("dependsOn", [])}
        for unit in flux_units(rendered("flux", tier, (place,)))
    }
    done: set[str] = set()
    while ready := {name for name, others in waits.items() if others <= done} - done:
        done |= ready

    assert done == waits.keys()


@pytest.mark.parametrize("tier", TIERS)
def test_flux_releases_follow_the_official_checklist(tier: str) -> None:
    tree = rendered("flux", tier, ("kind", "eks"))
    releases = [release["spec"] for release in objects(tree, "HelmRelease")]

    for spec in releases:
        assert spec["install"] == {"crds": "Create", "strategy": {"name": "RetryOnFailure"}}
        assert spec["upgrade"] == {"crds": "CreateReplace", "strategy": {"name": "RetryOnFailure"}}
        assert spec["driftDetection"] == {"mode": "enabled"}
        assert spec["storageNamespace"] == spec["targetNamespace"]
        assert spec["serviceAccountName"] == "helm-controller"
    assert {"oci"} & {
        source["spec"].get("type") for source in objects(tree, "HelmRepository")
    } == set()
    assert {unit["spec"]["serviceAccountName"] for unit in flux_units(tree)} == {
        "kustomize-controller"
    }
    for instance in objects(tree, "FluxInstance"):
        assert instance["spec"]["cluster"]["multitenant"] is True
        assert instance["spec"]["cluster"]["tenantDefaultServiceAccount"] == "reconciler"


def test_custom_resource_definitions_outlive_their_place_in_git() -> None:
    flux, argocd = rendered("flux"), rendered("argocd")
    units = [
        unit for unit in parsed(flux, "clusters/production/crds.yaml") if "prune" in unit["spec"]
    ]

    assert {"kustomize.toolkit.fluxcd.io/prune: disabled"} == {
        f"{name}: {value}"
        for unit in units
        for name, value in unit["spec"]["commonMetadata"]["annotations"].items()
    }
    layer = one(argocd, "bootstrap/layers/crds.yaml")
    assert "Prune=false" in layer["spec"]["template"]["spec"]["syncPolicy"]["syncOptions"]
    assert layer["spec"]["syncPolicy"] == {"preserveResourcesOnDeletion": True}


def test_sops_is_set_up_where_secrets_are_in_the_repository(tmp_path: Path) -> None:
    recipient = "age1" + "q" * 58
    tree = render(tmp_path, secrets="sops", sops_recipient=recipient)

    assert one(tree, ".sops.yaml")["creation_rules"][0]["age"] == recipient
    ours = [u["spec"] for u in flux_units(tree) if u["spec"]["sourceRef"]["name"] == "flux-system"]
    assert {spec["decryption"]["secretRef"]["name"] for spec in ours} == {"sops-age"}


# --- Argo CD


@pytest.mark.parametrize("tier", TIERS)
def test_argocd_layers_find_their_components_in_every_cluster(tier: str) -> None:
    tree = rendered("argocd", tier, ("eks", "kind"))
    layers = {layer["metadata"]["name"]: layer for layer in objects(tree, "ApplicationSet")}

    for facts in cluster_facts(tree):
        assert facts["components"].keys() == layers.keys()
    waves = [
        int(layers[name]["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for name in facts["components"]
    ]
    assert waves == sorted(set(waves))
    for name, layer in layers.items():
        _, units = layer["spec"]["generators"][0]["matrix"]["generators"]
        assert units == {"list": {"elementsYaml": "{{ .components.%s | toJson }}" % name}}  # noqa: UP031
        assert layer["spec"]["goTemplateOptions"] == ["missingkey=error"]


def test_argocd_runs_on_the_first_cluster_only() -> None:
    tree = rendered("argocd", "small", ("eks", "kind"))
    hosts = {
        facts["name"]: facts["destination"]
        for facts in cluster_facts(tree)
        if any(unit["component"] == "argo-cd" for unit in argocd_units(facts))
    }

    assert hosts == {"production": "in-cluster"}
    assert {facts["name"]: facts["destination"] for facts in cluster_facts(tree)} == {
        "production": "in-cluster",
        "laptop": "laptop",
    }


def test_a_team_may_deploy_to_its_own_namespaces_only() -> None:
    project = one(rendered("argocd"), "bootstrap/projects/payments.yaml")["spec"]

    assert project["destinations"] == [
        {"name": "*", "namespace": "payments"},
        {"name": "*", "namespace": "payments-staging"},
    ]
    assert project["destinationServiceAccounts"] == [
        {"server": "*", "namespace": "payments", "defaultServiceAccount": "reconciler"},
        {"server": "*", "namespace": "payments-staging", "defaultServiceAccount": "reconciler"},
    ]
    assert "clusterResourceWhitelist" not in project
    assert project["sourceRepos"] == ["https://github.com/acme/*"]


# --- teams

DELIVERING = {
    "name": "search",
    "namespaces": ["search", "search-batch"],
    "contact": "@acme/search",
    "clusters": ["laptop"],
    "repository": "https://github.com/acme/search.git",
    "path": "ops",
    "gpus": "4",
}


@cache
def delivering(engine: str) -> Tree:
    """Two clusters, the second of which has a team with a repository of its own."""
    clusters = [CLUSTERS["eks"], CLUSTERS["kind"]]
    with TemporaryDirectory() as folder:
        teams = [TEAMS[0], DELIVERING]
        return render(Path(folder, "rendered"), engine=engine, clusters=clusters, teams=teams)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_team_is_on_its_clusters_only(engine: str) -> None:
    tree = delivering(engine)
    parsed_files = {path: documents.parse(path, tree.files[path])[0] for path in yaml_files(tree)}
    namespaces = {
        cluster.name: {
            resource.id.name
            for unit in cluster.units
            for resource in unit.resources
            if resource.id.kind == "Namespace"
        }
        for cluster in load_clusters(tree, parsed_files)
    }

    assert {name: "payments" in found for name, found in namespaces.items()} == dict.fromkeys(
        namespaces, True
    )
    assert {name: "search" in found for name, found in namespaces.items()} == {
        name: "laptop" in name for name in namespaces
    }


def test_flux_brings_a_teams_sources_to_its_own_namespaces() -> None:
    tree = delivering("flux")
    found = parsed(tree, "clusters/laptop/teams/search/sources.yaml")
    units = {unit["metadata"]["name"]: unit["spec"] for unit in flux_units(tree)}

    assert not any(path.startswith("clusters/production/teams/") for path in tree.files)
    for source, unit in zip(found[::2], found[1::2], strict=True):
        namespace = source["metadata"]["namespace"]
        assert source["spec"]["url"] == DELIVERING["repository"]
        assert unit["metadata"]["namespace"] == unit["spec"]["targetNamespace"] == namespace
        assert unit["spec"]["serviceAccountName"] == "reconciler"
        assert unit["spec"]["path"] == f"./ops/development/{namespace}"
    assert units["sync-search"]["dependsOn"] == [{"name": "tenant-search"}]


def test_argocd_makes_an_application_for_each_namespace_of_a_team() -> None:
    tree = delivering("argocd")
    project = one(tree, "bootstrap/projects/search.yaml")["spec"]
    applications = one(tree, "bootstrap/teams/search.yaml")["spec"]
    clusters, namespaces = applications["generators"][0]["matrix"]["generators"]

    assert project["sourceRepos"] == [DELIVERING["repository"]]
    assert {place["name"] for place in project["destinations"]} == {"laptop"}
    assert clusters["list"]["elements"] == [
        {"cluster": "laptop", "destination": "laptop", "environment": "development"}
    ]
    assert [e["namespace"] for e in namespaces["list"]["elements"]] == DELIVERING["namespaces"]
    assert applications["template"]["spec"]["project"] == "search"
    assert not any(path.startswith("bootstrap/teams/payments") for path in tree.files)


def test_accelerators_are_closed_to_teams_that_ask_for_none() -> None:
    tree = delivering("flux")
    amounts = {
        namespace: {
            name: amount
            for quota in parsed(tree, f"tenants/{namespace}/quota.yaml")
            for name, amount in quota["spec"]["hard"].items()
            if "nvidia" in name
        }
        for namespace in ("payments/payments", "search/search")
    }
    both = ("requests.nvidia.com/gpu", "gpu.nvidia.com.deviceclass.resource.k8s.io/devices")

    assert amounts == {
        "payments/payments": dict.fromkeys(both, "0"),
        "search/search": dict.fromkeys(both, "4"),
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_a_team_may_have_twenty_namespaces(engine: str, tmp_path: Path) -> None:
    names = [f"shop-{number}" for number in range(20)]
    team = {"name": "shop", "namespaces": names, "contact": "@acme/shop"}
    tree = render(tmp_path, engine=engine, teams=[team])

    assert one(tree, "tenants/shop/kustomization.yaml")["resources"] == names
    assert {n["metadata"]["name"] for n in objects(tree, "Namespace")} >= set(names)


@pytest.mark.parametrize("engine", ENGINES)
def test_who_edits_a_namespace_edits_its_routes_and_monitors_but_runs_no_prometheus(
    engine: str,
) -> None:
    editing = [
        resource
        for role in objects(rendered(engine), "ClusterRole")
        if "rbac.authorization.k8s.io/aggregate-to-edit" in role["metadata"].get("labels", {})
        for rule in role["rules"]
        if "create" in rule["verbs"]
        for resource in rule["resources"]
    ]

    assert sorted(editing) == [
        "grpcroutes",
        "httproutes",
        "podmonitors",
        "prometheusrules",
        "servicemonitors",
    ]


def test_the_project_that_argocd_makes_by_itself_allows_nothing() -> None:
    project = one(rendered("argocd"), "bootstrap/projects/default.yaml")["spec"]

    assert project["sourceRepos"] == project["destinations"] == []


# --- what people need to know


def test_nobody_approves_the_bounds_of_their_own_team() -> None:
    owners = rendered("flux").files["CODEOWNERS"].decode().splitlines()

    lines = [line for line in owners if not line.startswith("#")]
    assert lines == ["* @acme/platform", "/components/policies/ security@acme.example"]


@pytest.mark.parametrize("engine", ENGINES)
def test_bootstrap_says_what_a_cluster_must_bring(engine: str) -> None:
    text = rendered(engine, places=("eks", "kind")).files["docs/bootstrap.md"].decode()

    for needed in ("enableNetworkPolicy", "route53:ChangeResourceRecordSets", "aws-ebs-csi-driver"):
        assert needed in text
    assert "containerPort: 30443, hostPort: 443" in text
    assert "`alertmanager-oncall`" in text
