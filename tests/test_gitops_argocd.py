"""Argo CD repositories: app-of-apps, ApplicationSets, sources, clusters, order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gitops_trees import all_problems, config_map, faults, load, names, several, units

if TYPE_CHECKING:
    from groundplan.gitops.model import Cluster

URL = "https://github.com/acme/platform.git"
BARE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bare}\n"


def application(name: str, source: str, *, destination: str = "", wave: str = "") -> str:
    place = destination or "{server: 'https://kubernetes.default.svc', namespace: web}"
    annotations = f", annotations: {{argocd.argoproj.io/sync-wave: '{wave}'}}" if wave else ""
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {name}, namespace: argocd{annotations}}}\n"
        f"spec:\n  project: default\n  destination: {place}\n  {source}\n"
    )


def path_source(path: str, extra: str = "") -> str:
    return f"source: {{repoURL: '{URL}', path: {path}{extra}}}"


def applicationset(generators: str, template: str, extra: str = "") -> str:
    def indented(text: str, width: int) -> str:
        return "".join(f"{' ' * width}{line}\n" for line in text.splitlines())

    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\n"
        "metadata: {name: set, namespace: argocd}\nspec:\n"
        f"{indented(extra, 2)}  generators:\n{indented(generators, 4)}"
        f"  template:\n{indented(template, 4)}"
    )


def only(files: dict[str, str]) -> Cluster:
    (cluster,) = load(files).values()
    return cluster


def app_of_apps() -> dict[str, str]:
    return {
        "bootstrap/root.yaml": application("root", path_source("apps")),
        "apps/web.yaml": application("web", path_source("manifests/web"), wave="2"),
        "apps/base.yaml": application("base", path_source("manifests/base"), wave="-1"),
        "manifests/web/c.yaml": config_map("web", "web"),
        "manifests/base/c.yaml": several(
            config_map("base", "web"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n"
        ),
    }


def test_an_app_of_apps_is_followed_in_the_order_of_waves() -> None:
    cluster = only(app_of_apps())
    assert (cluster.name, cluster.engine.value, cluster.path) == (
        "in-cluster",
        "argocd",
        "bootstrap",
    )
    assert [(unit.id.name, unit.wave) for unit in cluster.units] == [
        ("root", 0),
        ("base", -1),
        ("web", 2),
    ]
    assert names(cluster.units[1]) == ["Namespace web", "ConfigMap web/base"]
    assert all_problems(cluster) == []


def test_a_folder_is_applied_without_what_lies_deeper() -> None:
    files = {
        "app.yaml": application("a", path_source("m")),
        "m/one.yaml": config_map("one"),
        "m/deep/two.yaml": config_map("two"),
    }
    assert names(only(files).units[0]) == ["ConfigMap default/one"]


def test_a_folder_may_be_searched_and_files_left_out() -> None:
    options = ", directory: {recurse: true, exclude: '{values,secret*}.yaml'}"
    files = {
        "app.yaml": application("a", path_source("m", options)),
        "m/one.yaml": config_map("one"),
        "m/values.yaml": "a: 1\n",
        "m/secret-x.yaml": config_map("secret"),
        "m/deep/two.yaml": config_map("two"),
    }
    unit = only(files).units[0]
    assert names(unit) == ["ConfigMap default/one", "ConfigMap default/two"]
    assert unit.problems == ()


def test_a_file_that_is_no_object_is_a_fault_where_all_files_are_applied() -> None:
    files = {"app.yaml": application("a", path_source("m")), "m/values.yaml": "a: 1\n"}
    assert faults(only(files).units[0]) == [("not-an-object", "", True)]


def test_jsonnet_and_plugins_are_not_run() -> None:
    files = {"app.yaml": application("a", path_source("m")), "m/x.jsonnet": "{}"}
    assert faults(only(files).units[0]) == [("plugin", "/spec/source", False)]
    files = {"app.yaml": application("a", path_source("m", ", plugin: {name: x}")), "m/x": ""}
    assert faults(only(files).units[0]) == [("plugin", "/spec/source/plugin", False)]


def test_the_destination_s_namespace_is_for_objects_that_have_namespaces() -> None:
    scoped = "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: ca}\n"
    files = {
        "app.yaml": application("a", path_source("m")),
        "m/all.yaml": several(BARE, scoped, config_map("said", "other")),
    }
    assert names(only(files).units[0]) == [
        "ConfigMap other/said",
        "ConfigMap web/bare",
        "ClusterIssuer ca",
    ]


def test_kustomize_options_of_the_application_are_applied() -> None:
    options = (
        ", kustomize: {namePrefix: p-, images: ['nginx:2', 'old=new/one:3'],"
        " commonLabels: {team: a}, replicas: [{name: d, count: 4}],"
        " patches: [{target: {kind: ConfigMap}, patch: '[{op: add, path: /data, value: {k: v}}]'}]}"
    )
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: web}\n"
        "spec:\n  selector: {matchLabels: {app: d}}\n"
        "  template: {spec: {containers: [{name: a, image: nginx}, {name: b, image: 'old:1'}]}}\n"
    )
    files = {
        "app.yaml": application("a", path_source("m", options)),
        "m/kustomization.yaml": "resources: [c.yaml, d.yaml]\n",
        "m/c.yaml": BARE,
        "m/d.yaml": deployment,
    }
    unit = only(files).units[0]
    assert names(unit) == ["ConfigMap web/p-bare", "Deployment web/p-d"]
    assert unit.resources[0].body["data"] == {"k": "v"}
    spec = unit.resources[1].body["spec"]
    assert (spec["replicas"], spec["selector"]) == (4, {"matchLabels": {"app": "d", "team": "a"}})
    assert [c["image"] for c in spec["template"]["spec"]["containers"]] == ["nginx:2", "new/one:3"]


def test_files_above_a_kustomization_are_refused_unless_the_repository_allows_them() -> None:
    files = {
        "app.yaml": application("a", path_source("m")),
        "m/kustomization.yaml": "resources: [../c.yaml]\n",
        "c.yaml": BARE,
    }
    assert faults(only(files).units[0]) == [("outside-root", "/resources/0", True)]
    files["argocd-cm.yaml"] = config_map(
        "argocd-cm",
        "argocd",
        **{"kustomize.buildOptions": "--load-restrictor LoadRestrictionsNone"},
    )
    assert faults(only(files).units[0]) == []


def test_a_missing_path_is_a_fault_and_another_repository_is_not_evaluated() -> None:
    files = {
        "app.yaml": application("a", path_source("m")),
        "b.yaml": application("b", path_source("nowhere")),
        "c.yaml": application("c", "source: {repoURL: 'https://example.com/x.git', path: y}"),
        "m/c.yaml": config_map("c"),
    }
    found = units(only(files))
    assert faults(found["b"]) == [("missing-path", "/spec/source/path", True)]
    assert faults(found["c"]) == [("other-source", "/spec/source", False)]


CHART = """\
sources:
  - repoURL: ghcr.io/acme/charts
    chart: web
    targetRevision: 1.2.3
    helm:
      ignoreMissingValueFiles: true
      valueFiles: [$values/web/values.yaml, $values/nowhere.yaml]
      values: "b: 2"
      valuesObject: {c: 3}
      parameters: [{name: d.e, value: "4"}]
  - {repoURL: 'https://github.com/acme/platform.git', ref: values, path: web/extra}
"""


def test_a_chart_takes_its_values_from_this_repository_in_order() -> None:
    files = {
        "app.yaml": application("a", CHART.replace("\n", "\n  ")),
        "web/values.yaml": "a: 1\n",
        "web/extra/c.yaml": config_map("extra"),
    }
    unit = only(files).units[0]
    (release,) = unit.releases
    assert (release.chart, release.repository, release.version, release.namespace) == (
        "web",
        "oci://ghcr.io/acme/charts",
        "1.2.3",
        "web",
    )
    assert [(v.body, v.origin.path, v.pointer) for v in release.values] == [
        ({"a": 1}, "web/values.yaml", ""),
        ({"b": 2}, "app.yaml", "/spec/sources/0/helm/values"),
        ({"c": 3}, "app.yaml", "/spec/sources/0/helm/valuesObject"),
        ({"d": {"e": "4"}}, "app.yaml", "/spec/sources/0/helm/parameters/0"),
    ]
    assert names(unit) == ["ConfigMap default/extra"]
    assert unit.problems == ()


def test_a_missing_values_file_is_a_fault_unless_it_may_be_missing() -> None:
    files = {
        "app.yaml": application(
            "a", CHART.replace("ignoreMissingValueFiles: true\n      ", "").replace("\n", "\n  ")
        ),
        "web/values.yaml": "a: 1\n",
        "web/extra/c.yaml": config_map("extra"),
    }
    assert faults(only(files).units[0]) == [
        ("missing-path", "/spec/sources/0/helm/valueFiles/1", True)
    ]


def test_a_chart_in_the_repository_is_a_release() -> None:
    files = {
        "app.yaml": application("a", path_source("chart", ", helm: {valueFiles: [x.yaml]}")),
        "chart/Chart.yaml": "name: own\nversion: 0.1.0\n",
        "chart/x.yaml": "k: v\n",
    }
    (release,) = only(files).units[0].releases
    assert (release.chart, [v.origin.path for v in release.values]) == ("own", ["chart/x.yaml"])


LAYER = """\
goTemplate: true
goTemplateOptions: [missingkey=error]
templatePatch: |
  spec:
    sources:
      {{- if hasKey . "chart" }}
      - {repoURL: '{{ .chart.repository }}', chart: '{{ .chart.name }}', targetRevision: '1'}
      {{- end }}
      {{- if hasKey . "folder" }}
      - {repoURL: 'https://github.com/acme/platform.git', path: '{{ .folder }}'}
      {{- end }}
"""
MATRIX = """\
- matrix:
    generators:
      - git:
          repoURL: https://github.com/acme/platform.git
          revision: main
          files: [{path: clusters/*/cluster.yaml}]
      - list: {elementsYaml: "{{ .components.infra | toJson }}"}
"""
NAMED = """\
metadata: {name: "{{ .name }}-{{ .component }}"}
spec:
  project: default
  destination: {name: "{{ .destination }}", namespace: web}
"""


def layered(**facts: str) -> dict[str, str]:
    files = {
        "bootstrap/root.yaml": application("root", path_source("bootstrap/layers")),
        "bootstrap/layers/infra.yaml": applicationset(MATRIX, NAMED, LAYER),
        "components/a/kustomization.yaml": "resources: [c.yaml]\n",
        "components/a/c.yaml": BARE,
    }
    for cluster, destination in facts.items():
        files[f"clusters/{cluster}/cluster.yaml"] = (
            f"name: {cluster}\ndestination: {destination}\ncomponents:\n  infra:\n"
            "  - {component: a, folder: components/a}\n"
            "  - {component: b, chart: {name: b, repository: 'https://charts.example.com'}}\n"
        )
    return files


def test_a_matrix_makes_an_application_for_each_component_of_each_cluster() -> None:
    clusters = load(layered(hub="in-cluster", spoke="spoke-prod"))
    assert {name: [unit.id.name for unit in c.units] for name, c in clusters.items()} == {
        "hub": ["root", "hub-a", "hub-b"],
        "spoke": ["spoke-a", "spoke-b"],
    }
    assert (clusters["spoke"].path, clusters["hub"].path) == ("clusters/spoke", "clusters/hub")
    assert names(units(clusters["spoke"])["spoke-a"]) == ["ConfigMap web/bare"]
    (release,) = units(clusters["spoke"])["spoke-b"].releases
    assert (release.chart, release.repository) == ("b", "https://charts.example.com")
    assert [problem for cluster in clusters.values() for problem in all_problems(cluster)] == []


def test_a_missing_key_is_a_fault_of_the_template() -> None:
    files = layered(hub="in-cluster")
    files["bootstrap/layers/infra.yaml"] = applicationset(
        MATRIX, NAMED.replace(".component", ".componet"), LAYER
    )
    assert faults(units(only(files))["set"]) == [("template", "/spec/template", True)] * 2


def test_a_function_that_is_not_known_here_is_not_evaluated() -> None:
    files = layered(hub="in-cluster")
    files["bootstrap/layers/infra.yaml"] = applicationset(
        MATRIX, NAMED.replace("{{ .name }}", "{{ randAlpha 5 }}"), LAYER
    )
    assert faults(units(only(files))["set"]) == [("template", "/spec/template", False)] * 2


GENERATORS = {
    "list": (
        "- list: {elements: [{name: a, values: {size: '1'}}, {name: b, values: {size: '2'}}]}\n",
        "metadata: {name: '{{name}}-{{values.size}}'}",
        ["a-1", "b-2"],
    ),
    "directories": (
        "- git:\n    repoURL: https://github.com/acme/platform.git\n"
        "    directories: [{path: apps/*}, {path: apps/skipped, exclude: true}]\n",
        "metadata: {name: '{{path.basename}}-{{path[0]}}'}",
        ["one-apps", "two_x-apps"],
    ),
    "files": (
        "- git: {repoURL: 'https://github.com/acme/platform.git',"
        " files: [{path: 'env/*/config.yaml'}]}\n",
        "metadata: {name: '{{cluster.name}}-{{path.basename}}-{{path.filename}}'}",
        ["east-prod-config.yaml", "west-test-config.yaml"],
    ),
    "merge": (
        "- merge:\n    mergeKeys: [name]\n    generators:\n"
        "    - list: {elements: [{name: a, size: '1'}, {name: b, size: '1'}]}\n"
        "    - list: {elements: [{name: b, size: '9'}, {name: c, size: '9'}]}\n",
        "metadata: {name: '{{name}}-{{size}}'}",
        ["a-1", "b-9"],
    ),
    "matrix": (
        "- matrix:\n    generators:\n    - list: {elements: [{one: a}, {one: b}]}\n"
        "    - list: {elements: [{two: '{{one}}1'}]}\n",
        "metadata: {name: '{{one}}-{{two}}'}",
        ["a-a1", "b-b1"],
    ),
    "selector": (
        "- list: {elements: [{name: a, env: prod}, {name: b, env: test}]}\n"
        "  selector: {matchLabels: {env: prod}}\n",
        "metadata: {name: '{{name}}'}",
        ["a"],
    ),
    "unknown-tags": (
        "- list: {elements: [{name: a}]}\n",
        "metadata: {name: '{{name}}{{other}}'}",
        ["a{{other}}"],
    ),
}
TAIL = f"\nspec: {{destination: {{name: in-cluster}}, source: {{repoURL: '{URL}', path: m}}}}"


@pytest.mark.parametrize("case", GENERATORS)
def test_generators_find_their_parameters(case: str) -> None:
    generators, metadata, expected = GENERATORS[case]
    files = {
        "set.yaml": applicationset(generators, metadata + TAIL),
        "m/c.yaml": config_map("c"),
        "apps/one/c.yaml": config_map("c"),
        "apps/two_x/c.yaml": config_map("c"),
        "apps/skipped/c.yaml": config_map("c"),
        "env/prod/config.yaml": "cluster: {name: east}\n",
        "env/test/config.yaml": "cluster: {name: west}\n",
    }
    cluster = only(files)
    assert [unit.id.name for unit in cluster.units] == expected
    assert all_problems(cluster) == []


def registered(name: str, environment: str) -> str:
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: argocd\n"
        f"  labels: {{argocd.argoproj.io/secret-type: cluster, environment: {environment}}}\n"
        f"stringData: {{name: {name}, server: 'https://{name}.example.com'}}\n"
    )


CLUSTERS = applicationset(
    "- clusters: {selector: {matchLabels: {environment: prod}}}\n",
    "metadata: {name: 'web-{{name}}'}\n"
    f"spec: {{destination: {{name: '{{{{name}}}}'}}, source: {{repoURL: '{URL}', path: m}}}}",
)


def test_registered_clusters_are_those_in_the_repository() -> None:
    files = {
        "set.yaml": CLUSTERS,
        "m/c.yaml": config_map("c"),
        "clusters.yaml": several(registered("east", "prod"), registered("lab", "test")),
    }
    clusters = load(files)
    assert list(clusters) == ["east"]
    assert [unit.id.name for unit in clusters["east"].units] == ["web-east"]
    assert all_problems(clusters["east"]) == []


def test_clusters_that_the_repository_does_not_name_are_not_evaluated() -> None:
    cluster = only({"set.yaml": CLUSTERS, "m/c.yaml": config_map("c")})
    assert faults(cluster.units[0]) == [("clusters", "/spec/generators/0/clusters", False)]


def test_generators_that_ask_elsewhere_are_not_evaluated() -> None:
    files = {
        "set.yaml": applicationset(
            "- scmProvider: {github: {organization: acme}}\n", "metadata: {name: x}" + TAIL
        ),
        "m/c.yaml": config_map("c"),
    }
    assert faults(only(files).units[0]) == [("generator", "/spec/generators/0", False)]


def test_a_name_that_two_generators_make_is_a_fault() -> None:
    files = {
        "set.yaml": applicationset(
            "- list: {elements: [{name: a}, {name: a}]}\n", "metadata: {name: '{{name}}'}" + TAIL
        ),
        "m/c.yaml": config_map("c"),
    }
    assert faults(only(files).units[0]) == [("duplicate", "", True)]


def test_objects_come_in_the_order_of_their_own_waves() -> None:
    early = (
        "metadata: {name: early, namespace: web, annotations: {argocd.argoproj.io/sync-wave: '-5'}}"
    )
    files = {
        "app.yaml": application("a", path_source("m")),
        "m/all.yaml": several(
            config_map("c", "web"), f"apiVersion: apps/v1\nkind: Deployment\n{early}\n"
        ),
    }
    assert names(only(files).units[0]) == ["Deployment web/early", "ConfigMap web/c"]
