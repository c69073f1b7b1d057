"""Flux repositories: entry points, builds, substitution, charts, order."""

from __future__ import annotations

import sys

import pytest

from tests.gitops_trees import (
    all_problems,
    config_map,
    faults,
    flux,
    git_source,
    gotk_sync,
    load,
    names,
    several,
    units,
)

RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: podinfo, namespace: podinfo}
spec:
  chartRef: {kind: OCIRepository, name: podinfo}
  values: {replicas: 1, ui: {color: blue}}
"""
OCI = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: podinfo, namespace: podinfo}
spec: {url: oci://ghcr.io/stefanprodan/charts/podinfo, ref: {semver: 6.x}}
"""
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: podinfo}\n"
DEPENDS = "dependsOn: [{name: infra-configs}]"


def monorepo() -> dict[str, str]:
    """Clusters, infrastructure in two steps, apps with a base and overlays."""
    files = {
        "apps/base/podinfo/kustomization.yaml": (
            "namespace: podinfo\nresources: [namespace.yaml, repository.yaml, release.yaml]\n"
        ),
        "apps/base/podinfo/namespace.yaml": NAMESPACE,
        "apps/base/podinfo/repository.yaml": OCI,
        "apps/base/podinfo/release.yaml": RELEASE,
        "infrastructure/controllers/cert-manager.yaml": several(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: cert-manager}\n",
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
            "metadata: {name: jetstack, namespace: cert-manager}\n"
            "spec: {url: 'https://charts.jetstack.io'}\n",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
            "metadata: {name: cert-manager, namespace: cert-manager}\n"
            "spec:\n  chart: {spec: {chart: cert-manager, version: 1.x,"
            " sourceRef: {kind: HelmRepository, name: jetstack}}}\n",
        ),
        "infrastructure/configs/issuers.yaml": (
            "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: ca}\nspec: {}\n"
        ),
    }
    for cluster, color in (("production", "green"), ("staging", "red")):
        patch = (
            "patches:\n- target: {kind: HelmRelease}\n  patch: |\n"
            "    apiVersion: helm.toolkit.fluxcd.io/v2\n    kind: HelmRelease\n"
            f"    metadata: {{name: podinfo}}\n    spec: {{values: {{ui: {{color: {color}}}}}}}\n"
        )
        files |= {
            f"apps/{cluster}/kustomization.yaml": "resources: [../base/podinfo]\n",
            f"clusters/{cluster}/flux-system/gotk-sync.yaml": gotk_sync(cluster),
            f"clusters/{cluster}/flux-system/kustomization.yaml": "resources: [gotk-sync.yaml]\n",
            f"clusters/{cluster}/apps.yaml": flux(
                "apps", f"./apps/{cluster}", f"{DEPENDS}\n{patch}"
            ),
            f"clusters/{cluster}/infrastructure.yaml": several(
                flux(
                    "infra-configs",
                    "./infrastructure/configs",
                    "dependsOn: [{name: infra-controllers}]",
                ),
                flux("infra-controllers", "./infrastructure/controllers"),
            ),
        }
    return files


def test_a_monorepo_has_one_cluster_for_each_entry_point() -> None:
    clusters = load(monorepo())
    assert {name: (c.engine.value, c.path) for name, c in clusters.items()} == {
        "production": ("flux", "clusters/production"),
        "staging": ("flux", "clusters/staging"),
    }
    assert [problem for cluster in clusters.values() for problem in all_problems(cluster)] == []


def test_units_come_after_what_they_depend_on() -> None:
    cluster = load(monorepo())["staging"]
    assert [unit.id.name for unit in cluster.units] == [
        "flux-system",
        "infra-controllers",
        "infra-configs",
        "apps",
    ]
    assert [identity.name for identity in units(cluster)["apps"].depends_on] == ["infra-configs"]


def test_a_unit_applies_its_folder_with_the_cluster_s_patches() -> None:
    for name, color in (("production", "green"), ("staging", "red")):
        apps = units(load(monorepo())[name])["apps"]
        assert names(apps) == [
            "Namespace podinfo",
            "OCIRepository podinfo/podinfo",
            "HelmRelease podinfo/podinfo",
        ]
        assert apps.resources[2].body["spec"]["values"] == {"replicas": 1, "ui": {"color": color}}
        assert apps.resources[2].origin.path == "apps/base/podinfo/release.yaml"


def test_releases_name_chart_repository_and_version() -> None:
    found = units(load(monorepo())["staging"])
    (apps,) = found["apps"].releases
    assert (apps.chart, apps.repository, apps.version, apps.namespace) == (
        "podinfo",
        "oci://ghcr.io/stefanprodan/charts",
        "6.x",
        "podinfo",
    )
    (controllers,) = found["infra-controllers"].releases
    assert (controllers.chart, controllers.repository, controllers.version) == (
        "cert-manager",
        "https://charts.jetstack.io",
        "1.x",
    )


def test_an_artifact_generator_gives_kustomizations_folders_of_their_own() -> None:
    external = "sourceRef: {kind: ExternalArtifact, name: infrastructure}"
    clusters = load(
        {
            "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
            "clusters/one/artifacts.yaml": (
                "apiVersion: source.extensions.fluxcd.io/v1beta1\nkind: ArtifactGenerator\n"
                "metadata: {name: fleet, namespace: flux-system}\nspec:\n"
                "  sources: [{alias: repo, kind: GitRepository, name: flux-system}]\n"
                "  artifacts:\n  - name: infrastructure\n"
                "    copy: [{from: '@repo/infrastructure/**', to: '@artifact/'}]\n"
            ),
            "clusters/one/infrastructure.yaml": flux("controllers", "./controllers").replace(
                "sourceRef: {kind: GitRepository, name: flux-system}", external
            ),
            "infrastructure/controllers/c.yaml": config_map("c"),
        }
    )
    unit = units(clusters["one"])["controllers"]
    assert names(unit) == ["ConfigMap default/c"]
    assert unit.paths == ("infrastructure/controllers",)
    assert unit.resources[0].origin.path == "infrastructure/controllers/c.yaml"
    assert unit.problems == ()


def fleet() -> dict[str, str]:
    """A fleet repository: FluxInstances, runtime facts, tenants in other repositories."""
    files = {
        "tenants/infra/kustomization.yaml": "resources: [sync.yaml]\n",
        "tenants/infra/sync.yaml": several(
            git_source("infra", "https://github.com/acme/infra"),
            flux("infra", "./components/${ENVIRONMENT}").replace(
                "sourceRef: {kind: GitRepository, name: flux-system}",
                "sourceRef: {kind: GitRepository, name: infra}",
            ),
            config_map("facts", "flux-system", env="${ENVIRONMENT}", size="${SIZE:=small}"),
        ),
    }
    for cluster in ("prod-eu", "staging"):
        files |= {
            f"clusters/{cluster}/flux-system/flux-instance.yaml": (
                "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\n"
                "metadata: {name: flux, namespace: flux-system}\nspec:\n"
                "  sync: {kind: GitRepository, url: 'https://github.com/acme/fleet.git',"
                f" ref: refs/heads/main, path: clusters/{cluster}}}\n"
            ),
            f"clusters/{cluster}/flux-system/runtime-info.yaml": config_map(
                "flux-runtime-info", "flux-system", ENVIRONMENT=cluster
            ),
            f"clusters/{cluster}/tenants.yaml": flux(
                "tenants",
                "./tenants/infra",
                "postBuild: {substituteFrom: [{kind: ConfigMap, name: flux-runtime-info}]}",
            ),
        }
    return files


def test_a_fleet_gets_its_facts_from_each_cluster() -> None:
    clusters = load(fleet())
    assert sorted(clusters) == ["prod-eu", "staging"]
    tenants = units(clusters["prod-eu"])["tenants"]
    facts = next(r for r in tenants.resources if r.id.kind == "ConfigMap")
    assert facts.body["data"] == {"env": "prod-eu", "size": "small"}
    assert tenants.problems == ()


def test_what_lies_in_another_repository_is_not_evaluated() -> None:
    infra = units(load(fleet())["staging"])["infra"]
    assert infra.paths == ()
    assert infra.resources == ()
    assert faults(infra) == [("other-source", "/spec/sourceRef", False)]


def test_a_folder_without_kustomization_is_taken_with_everything_below() -> None:
    cluster = load(
        {
            "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
            "clusters/one/apps.yaml": flux("apps", "./apps"),
            "apps/b.yaml": config_map("b"),
            "apps/deep/deeper/c.yml": config_map("c"),
            "apps/own/kustomization.yaml": "namePrefix: own-\nresources: [d.yaml]\n",
            "apps/own/d.yaml": config_map("d"),
            "apps/own/unlisted.yaml": config_map("unlisted"),
            "apps/README.md": "no manifest",
        }
    )["one"]
    assert names(units(cluster)["apps"]) == [
        "ConfigMap default/b",
        "ConfigMap default/c",
        "ConfigMap default/own-d",
    ]


def one_app(extra: str, files: dict[str, str] | None = None) -> dict[str, str]:
    return {
        "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
        "clusters/one/apps.yaml": flux("apps", "./apps", extra),
        "apps/c.yaml": config_map("c", size="${SIZE}"),
        **(files or {}),
    }


def test_what_the_kustomization_adds_is_applied() -> None:
    extra = (
        "targetNamespace: team\nnamePrefix: a-\nnameSuffix: -z\n"
        "commonMetadata: {labels: {owner: platform}, annotations: {note: 'yes'}}\n"
        "components: [../parts/extra]\nimages: [{name: nginx, newTag: '2'}]"
    )
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: nginx}]}\n"
    files = {
        "parts/extra/kustomization.yaml": "kind: Component\nresources: [pod.yaml]\n",
        "parts/extra/pod.yaml": pod,
    }
    unit = units(load(one_app(extra, files))["one"])["apps"]
    assert names(unit) == ["ConfigMap team/a-c-z", "Pod team/a-p-z"]
    assert unit.resources[0].body["metadata"]["labels"] == {"owner": "platform"}
    assert unit.resources[1].body["spec"]["containers"] == [{"image": "nginx:2"}]
    assert unit.problems == ()


def test_a_missing_component_may_be_ignored() -> None:
    missing = "components: [../parts/none]"
    assert faults(units(load(one_app(missing))["one"])["apps"]) == [
        ("missing-path", "/spec/components/0", True)
    ]
    ignored = f"{missing}\nignoreMissingComponents: true"
    assert faults(units(load(one_app(ignored))["one"])["apps"]) == []


def test_a_patch_that_fits_nothing_is_the_kustomization_s_fault() -> None:
    extra = "patches:\n- patch: '{apiVersion: v1, kind: Pod, metadata: {name: none}}'\n"
    (problem,) = units(load(one_app(extra))["one"])["apps"].problems
    assert (problem.kind, problem.origin.path, problem.pointer) == (
        "kustomize",
        "clusters/one/apps.yaml",
        "/spec/patches/0",
    )


def test_values_of_variables_are_read_again_as_yaml() -> None:
    extra = "postBuild: {substitute: {SIZE: '3'}}"
    (resource,) = units(load(one_app(extra))["one"])["apps"].resources
    assert resource.body["data"] == {"size": 3}


def test_without_post_build_nothing_is_substituted() -> None:
    (resource,) = units(load(one_app(""))["one"])["apps"].resources
    assert resource.body["data"] == {"size": "${SIZE}"}


def test_an_undefined_variable_is_a_fault_when_all_sources_are_known() -> None:
    unit = units(load(one_app("postBuild: {substitute: {OTHER: x}}"))["one"])["apps"]
    assert faults(unit) == [("missing-variable", "", True)]
    assert unit.resources[0].body["data"] == {"size": None}


def test_a_variable_from_elsewhere_leaves_the_object_unresolved() -> None:
    extra = "postBuild: {substituteFrom: [{kind: Secret, name: made-by-terraform}]}"
    unit = units(load(one_app(extra, {"apps/d.yaml": config_map("d")}))["one"])["apps"]
    assert faults(unit) == [("missing-variable", "/spec/postBuild/substituteFrom", False)]
    assert names(unit) == ["ConfigMap default/d"]
    assert [str(resource.id) for resource in unit.unresolved] == ["ConfigMap default/c"]


def test_an_optional_source_may_be_missing() -> None:
    extra = (
        "postBuild:\n  substitute: {SIZE: big}\n"
        "  substituteFrom: [{kind: Secret, name: none, optional: true}]"
    )
    unit = units(load(one_app(extra))["one"])["apps"]
    assert unit.problems == ()
    assert unit.resources[0].body["data"] == {"size": "big"}


def test_an_object_may_refuse_substitution() -> None:
    refusing = config_map("c", size="${SIZE}").replace(
        "namespace: default",
        "namespace: default, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}",
    )
    files = one_app("postBuild: {substitute: {SIZE: '3'}}", {"apps/c.yaml": refusing})
    (resource,) = units(load(files)["one"])["apps"].resources
    assert resource.body["data"] == {"size": "${SIZE}"}


def test_a_bad_expression_is_a_fault() -> None:
    files = one_app(
        "postBuild: {substitute: {SIZE: '3'}}", {"apps/c.yaml": config_map("c", size="${SIZE")}
    )
    assert faults(units(load(files)["one"])["apps"]) == [("substitution", "", True)]


def test_a_path_that_does_not_exist_is_a_fault() -> None:
    files = {
        "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
        "clusters/one/apps.yaml": flux("apps", "./nowhere"),
    }
    assert faults(units(load(files)["one"])["apps"]) == [("missing-path", "/spec/path", True)]


def test_members_of_a_cycle_come_last() -> None:
    files = one_app("dependsOn: [{name: other}]")
    files["clusters/one/a.yaml"] = flux("other", "./apps", "dependsOn: [{name: apps}]")
    files["clusters/one/z.yaml"] = flux("zebra", "./apps")
    cluster = load(files)["one"]
    assert [unit.id.name for unit in cluster.units] == ["flux-system", "zebra", "other", "apps"]


def test_a_suspended_kustomization_says_so() -> None:
    assert units(load(one_app("suspend: true"))["one"])["apps"].suspended is True


def test_a_resource_set_is_not_evaluated() -> None:
    resource_set = (
        "apiVersion: fluxcd.controlplane.io/v1\nkind: ResourceSet\n"
        "metadata: {name: apps, namespace: flux-system}\nspec: {}\n"
    )
    unit = units(load(one_app("", {"apps/set.yaml": resource_set}))["one"])["apps"]
    assert faults(unit) == [("resource-set", "/spec", False)]


def test_encrypted_values_are_empty_and_the_object_is_whole() -> None:
    encrypted = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\n"
        "data: {password: 'ENC[AES256_GCM,data:abc,type:str]'}\nsops: {version: 3.9.0}\n"
    )
    extra = "decryption: {provider: sops}"
    unit = units(load(one_app(extra, {"apps/s.yaml": encrypted}))["one"])["apps"]
    found = next(resource for resource in unit.resources if resource.id.kind == "Secret")
    assert found.body == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default"},
        "data": {"password": ""},
    }


def release_with(values_from: str) -> dict[str, str]:
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        "metadata: {name: r, namespace: default}\nspec:\n"
        "  chart: {spec: {chart: c, sourceRef: {kind: HelmRepository, name: none}}}\n"
        f"  valuesFrom: {values_from}\n  values: {{b: 2}}\n"
    )
    kustomization = (
        "namespace: default\nresources: [release.yaml]\nconfigurations: [names.yaml]\n"
        "configMapGenerator: [{name: values, files: [values.yaml=defaults.yaml]}]\n"
    )
    references = (
        "nameReference:\n- kind: ConfigMap\n  version: v1\n"
        "  fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]\n"
    )
    return {
        "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
        "clusters/one/apps.yaml": flux("apps", "./apps"),
        "apps/kustomization.yaml": kustomization,
        "apps/names.yaml": references,
        "apps/defaults.yaml": "a: 1\nb: 1\n",
        "apps/release.yaml": release,
    }


def test_values_come_from_generated_config_maps_and_then_inline() -> None:
    files = release_with("[{kind: ConfigMap, name: values}]")
    (release,) = units(load(files)["one"])["apps"].releases
    assert [(v.body, v.origin.path, v.pointer) for v in release.values] == [
        ({"a": 1, "b": 1}, "apps/defaults.yaml", ""),
        ({"b": 2}, "apps/release.yaml", "/spec/values"),
    ]


def test_values_from_elsewhere_are_not_evaluated_unless_they_are_optional() -> None:
    files = release_with("[{kind: Secret, name: none}]")
    assert faults(units(load(files)["one"])["apps"]) == [("values", "/spec/valuesFrom/0", False)]
    files = release_with("[{kind: Secret, name: none, optional: true}]")
    assert faults(units(load(files)["one"])["apps"]) == []


def test_without_a_bootstrap_the_kustomizations_that_nobody_applies_are_the_roots() -> None:
    clusters = load(
        {
            "kubernetes/flux/cluster/ks.yaml": flux("cluster-apps", "./kubernetes/apps"),
            "kubernetes/apps/kustomization.yaml": "resources: [web/ks.yaml]\n",
            "kubernetes/apps/web/ks.yaml": flux("web", "./kubernetes/apps/web/app"),
            "kubernetes/apps/web/app/c.yaml": config_map("web"),
        }
    )
    assert list(clusters) == ["cluster"]
    assert [unit.id.name for unit in clusters["cluster"].units] == ["cluster-apps", "web"]


def test_a_remote_base_is_no_action() -> None:
    files = one_app(
        "", {"apps/kustomization.yaml": "resources: [c.yaml, 'https://example.com/x.yaml']\n"}
    )
    unit = units(load(files)["one"])["apps"]
    assert faults(unit) == [("remote-base", "/resources/1", False)]
    assert names(unit) == ["ConfigMap default/c"]


def test_plain_kustomizations_are_one_cluster() -> None:
    (cluster,) = load(
        {
            "base/kustomization.yaml": "resources: [c.yaml]\n",
            "base/c.yaml": config_map("c"),
            "part/kustomization.yaml": "kind: Component\nnamePrefix: x-\n",
            "overlays/prod/kustomization.yaml": (
                "resources: [../../base]\ncomponents: [../../part]\n"
            ),
            "overlays/test/kustomization.yaml": "resources: [../../base]\nnamePrefix: t-\n",
        }
    ).values()
    assert {unit.id.name: names(unit) for unit in cluster.units} == {
        "overlays/prod": ["ConfigMap default/x-c"],
        "overlays/test": ["ConfigMap default/t-c"],
    }


def test_a_tree_without_anything_to_apply_has_no_clusters() -> None:
    assert load({"README.md": "", "values.yaml": "a: 1\n"}) == {}


FACTS = (
    "apiVersion: v1\nkind: Secret\nmetadata: {{name: facts, namespace: flux-system}}\n"
    "stringData: {{SIZE: {size}, SHAPE: round}}\nsops: {{version: 3.11.0}}\n"
)
CIPHERTEXT = "'ENC[AES256_GCM,data:abc,iv:x,tag:y,type:str]'"


def with_secret(size: str, extra: str = "", inline: str = "") -> dict[str, str]:
    return {
        "clusters/one/flux-system/gotk-sync.yaml": several(
            git_source("flux-system", "ssh://git@github.com/acme/fleet"),
            flux("flux-system", "./clusters/one", extra),
        ),
        "clusters/one/facts.yaml": FACTS.format(size=size),
        "clusters/one/apps.yaml": flux(
            "apps",
            "./apps",
            f"postBuild: {{substituteFrom: [{{kind: Secret, name: facts}}]{inline}}}",
        ),
        "apps/c.yaml": config_map("c", size="${SIZE:=3}"),
        "apps/d.yaml": config_map("d", shape="${SHAPE}", text="$${SIZE}"),
    }


@pytest.mark.parametrize("extra", ["", "decryption: {provider: sops}"])
def test_an_encrypted_variable_leaves_the_object_unresolved(extra: str) -> None:
    unit = units(load(with_secret(CIPHERTEXT, extra))["one"])["apps"]
    assert [(p.kind, p.pointer, p.evaluated, p.message) for p in unit.problems] == [
        (
            "missing-variable",
            "/spec/postBuild/substituteFrom",
            False,
            "ConfigMap default/c uses SIZE, which is encrypted in this repository",
        )
    ]
    assert [str(resource.id) for resource in unit.unresolved] == ["ConfigMap default/c"]
    (other,) = unit.resources
    assert other.body["data"] == {"shape": "round", "text": "${SIZE}"}


def test_a_variable_of_the_kustomization_s_own_hides_an_encrypted_one() -> None:
    files = with_secret(CIPHERTEXT, inline=", substitute: {SIZE: '4'}")
    unit = units(load(files)["one"])["apps"]
    assert unit.problems == ()
    assert unit.resources[0].body["data"] == {"size": 4}


def test_what_sops_left_readable_is_a_value() -> None:
    unit = units(load(with_secret("'5'"))["one"])["apps"]
    assert unit.problems == ()
    assert unit.resources[0].body["data"] == {"size": 5}


def test_encrypted_values_of_a_chart_are_not_evaluated() -> None:
    files = release_with("[{kind: Secret, name: secret}]")
    files["apps/secret.yaml"] = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: secret}\n"
        f"stringData: {{values.yaml: {CIPHERTEXT}}}\nsops: {{version: 3.11.0}}\n"
    )
    files["apps/kustomization.yaml"] = "namespace: default\nresources: [release.yaml, secret.yaml]"
    files["clusters/one/apps.yaml"] = flux("apps", "./apps", "decryption: {provider: sops}")
    unit = units(load(files)["one"])["apps"]
    assert faults(unit) == [("values", "/spec/valuesFrom/0", False)]
    assert [values.body for values in unit.releases[0].values] == [{"b": 2}]


def chained(count: int) -> dict[str, str]:
    """Kustomizations that each wait for the next, and take variables that nobody defines."""
    extra = "postBuild: {{substituteFrom: [{{name: none}}]}}\ndependsOn: [{{name: unit-{}}}]"
    units = [flux(f"unit-{n}", "./apps", extra.format(n + 1)) for n in range(count)]
    return {
        "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
        "clusters/one/units.yaml": several(*units),
        "apps/c.yaml": config_map("c"),
    }


def calls(files: dict[str, str]) -> int:
    """How many Python functions reading a repository calls."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        load(files)
    finally:
        sys.setprofile(before)
    return counted


def test_the_work_grows_with_the_number_of_kustomizations() -> None:
    load(chained(200))  # fills what is kept between runs
    assert calls(chained(200)) < 2.2 * calls(chained(100))
