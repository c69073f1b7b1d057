"""Checks: each finds its bad example, where it is, and leaves its good example alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks, documents, second_opinion
from groundplan.errors import GroundplanError, ToolError, UsageError
from groundplan.findings import (
    Errored,
    Failed,
    Finding,
    Location,
    Passed,
    Report,
    Severity,
    Skipped,
)
from groundplan.report import reference
from groundplan.repository import Repository, load
from groundplan.runners.kubeconform import Judgement, Status
from groundplan.schemas import ChartStore, Missing, Provenance, SchemaStore
from groundplan.schemas.chart_files import ChartFiles
from groundplan.schemas.charts import StoredChart
from groundplan.schemas.charts import documents as chart_documents
from groundplan.schemas.compilation import Brought, crd_documents
from groundplan.schemas.crd import definition
from groundplan.toolchain import Absent, Tool
from groundplan.tree import Tree
from tests.gitops_trees import config_map, flux, git_source, gotk_sync, several

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLES = Path(str(files(checks))) / "examples"
CHART = ChartFiles(
    name="web",
    version="1.2.3",
    values={"replicas": 1},
    schema={"type": "object", "properties": {"replicas": {"type": "integer"}}},
    commented={},
    dependencies=(),
)


@dataclass(frozen=True)
class Pack:
    """A compiled file that exists in memory only."""

    documents: Mapping[str, Any]

    @property
    def index(self) -> Mapping[str, Any]:
        return self.read("index.json")

    def read(self, name: str) -> Any:
        return json.loads(json.dumps(self.documents[name]))


PACK = Pack(chart_documents([StoredChart(CHART, "1.2.3", Provenance("web", "1.2.3", "", "", ""))]))
NO_SCHEMAS = SchemaStore.open("1.37", core=Missing("no schemas in this test"), crds=[])
"""Examples bring the definitions of their kinds, so that they mean the same on every machine."""
CHARTS = ChartStore((PACK,))
IDS = [check.id for check in checks.registry()]


def repository(files: Mapping[str, str | bytes], **options: Any) -> Repository:
    return Repository.of(Tree.of(files), schemas=NO_SCHEMAS, charts=CHARTS, **options)


def findings(files: Mapping[str, str | bytes], *only: str) -> list[str]:
    report = checks.run(repository(files), only=only)
    return [
        f"{finding.location} {finding.check_id} {finding.message}" for finding in report.findings
    ]


def example(id: str, side: str, expected: Mapping[str, Any], tmp_path: Path) -> Report:
    """Copy an example, add what cannot lie in a git repository, and check it."""
    source = EXAMPLES / id / side
    for file in sorted(source.rglob("*")):
        if file.is_file():
            target = tmp_path / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    if side == "bad":
        for path, points_to in expected.get("links", {}).items():
            (tmp_path / path).symlink_to(points_to)
        for path, size in expected.get("sizes", {}).items():
            (tmp_path / path).touch()
            os.truncate(tmp_path / path, size)
        for path in expected.get("pipes", ()):
            os.mkfifo(tmp_path / path)
    [check] = (check for check in checks.registry() if check.id == id)
    read = Repository.of(Tree.read(tmp_path), schemas=NO_SCHEMAS, charts=CHARTS)
    # What a tier may not have is only looked at when it is asked for.
    return checks.run(read, only=[id] if check.policy else ())


def expectation(id: str) -> Mapping[str, Any]:
    expected = documents.load((EXAMPLES / id / "expect.yaml").read_text("utf-8"))
    assert isinstance(expected, dict)
    return expected


def test_every_check_has_examples_and_every_example_a_check() -> None:
    assert sorted(path.name for path in EXAMPLES.iterdir()) == IDS


@pytest.mark.parametrize("id", IDS)
def test_bad_example_gives_exactly_this_finding(id: str, tmp_path: Path) -> None:
    expected = expectation(id)
    report = example(id, "bad", expected, tmp_path)
    assert [f"{f.check_id} {f.location}" for f in report.findings] == [
        f"{id} {place}" for place in expected.get("findings", [])
    ]
    skipped = [o.subject for r in report.results if r.check_id == id for o in r.not_evaluated]
    assert skipped == expected.get("skipped", [])
    assert report.findings or skipped


@pytest.mark.parametrize("id", IDS)
def test_good_example_gives_no_finding(id: str, tmp_path: Path) -> None:
    report = example(id, "good", {}, tmp_path)
    assert [f"{f.check_id} {f.location} {f.message}" for f in report.findings] == []
    (result,) = (result for result in report.results if result.check_id == id)
    assert result.evaluated
    skipped = {outcome.subject for outcome in result.not_evaluated}
    assert skipped.isdisjoint(expectation(id).get("skipped", []))


def test_ids_are_unique_and_sorted() -> None:
    assert sorted(set(IDS)) == IDS


@pytest.mark.parametrize("check", checks.registry(), ids=IDS)
def test_texts_are_sentences(check: checks.Check) -> None:
    assert check.title[0].isupper()
    assert not check.title.endswith(".")
    assert check.remediation.endswith((".", "?"))
    assert len(check.remediation) <= 100


def test_unknown_id_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        checks.run(repository({}), only=["GIT999"])
    assert caught.value.id == "check.unknown-id"


def test_only_runs_what_is_asked_for() -> None:
    report = checks.run(repository({"a.yaml": "a: 1\na: 2\n"}), only=["YAML002"])
    assert [result.check_id for result in report.results] == ["YAML002"]
    assert report.findings == ()


def test_a_check_that_breaks_off_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Repository) -> Iterator[Passed]:
        yield Passed(3)
        raise GroundplanError("test.broken", "ran out of paper")

    first, *others = checks.registry()
    monkeypatch.setattr(checks, "registry", lambda: (replace(first, run=broken), *others[:1]))
    first_result, second_result = checks.run(repository({})).results
    assert first_result.outcomes == (
        Errored(first.id, "ran out of paper [test.broken]"),
        Passed(3),
    )
    assert second_result.check_id == others[0].id


def test_a_finding_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding("X", "twice", Severity.LOW, Location("a.yaml"), "Mend it.")
    check = checks.Check("X", "t", Severity.LOW, "Mend it.", lambda _: [Failed(finding)] * 2)
    monkeypatch.setattr(checks, "registry", lambda: (check,))
    assert checks.run(repository({})).findings == (finding,)


def test_what_is_skipped_for_one_reason_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [Skipped("Thing", "no schema", 2), Passed(), Skipped("Thing", "no schema"), Passed(4)]
    check = checks.Check("X", "t", Severity.LOW, "Mend it.", lambda _: said)
    monkeypatch.setattr(checks, "registry", lambda: (check,))
    (result,) = checks.run(repository({})).results
    assert result.outcomes == (Skipped("Thing", "no schema", 3), Passed(5))


DEFINITION = (EXAMPLES / "SCH001" / "good" / "w.yaml").read_text("utf-8")
WIDGET = """\
---
apiVersion: example.com/v1
kind: Widget
metadata:
  name: {name}
spec:
  size: {size}
"""


def test_an_object_is_validated_once_and_every_violation_is_told() -> None:
    files = {"a.yaml": DEFINITION, "b.yaml": WIDGET.format(name="b", size="many\n  colour: red")}
    assert findings(files, "SCH001") == [
        'b.yaml:7 SCH001 Widget b: expected integer, found string "many" at /spec/size',
        'b.yaml:8 SCH001 Widget b: unknown field "colour" at /spec/colour',
    ]
    report = checks.run(repository(files), only=["SCH001", "SCH002"])
    assert [result.evaluated for result in report.results] == [2, 2]


def test_encrypted_values_and_open_variables_are_not_judged() -> None:
    encrypted = WIDGET.format(name="a", size="ENC[AES256_GCM,data:x]") + "sops:\n  version: 3.9\n"
    files = {
        "crd.yaml": DEFINITION,
        "encrypted.yaml": encrypted,
        "open.yaml": WIDGET.format(name="b", size="${size}"),
        "plain.yaml": WIDGET.format(name="c", size="ENC[AES256_GCM,data:x]"),
    }
    assert findings(files, "SCH001") == [
        "plain.yaml:7 SCH001 Widget c: expected integer, "
        'found string "ENC[AES256_GCM,data:x]" at /spec/size'
    ]


def test_patches_are_not_objects() -> None:
    patch = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: null}\n"
    kustomization = "patches:\n  - path: patch.yaml\n  - path: ./deep/../other.yaml\n"
    files = {
        "apps/kustomization.yaml": kustomization,
        "apps/patch.yaml": patch,
        "apps/other.yaml": patch,
        "apps/object.yaml": patch,
    }
    subjects = repository(files).subjects
    assert [s.resource.origin.path for s in subjects["example.com", "v1", "Widget"]] == [
        "apps/object.yaml"
    ]


def test_hidden_files_and_chart_templates_are_not_manifests() -> None:
    template = "name: {{ .Release.Name }}\n"
    files = {
        ".github/workflows/a.yaml": template,
        "charts/web/Chart.yaml": "name: web\n",
        "charts/web/templates/deep/web.yaml": template,
        "templates/web.yaml": template,
    }
    assert findings(files) == [
        "templates/web.yaml:1 YAML004 " + findings(files)[0].split(" ", 2)[2]
    ]


VALID, INVALID = Judgement(Status.VALID), Judgement(Status.INVALID, "additional property")


@pytest.mark.parametrize(
    ("size", "theirs", "finding"),
    [
        ("3", VALID, None),
        ("many", INVALID, None),
        ("3", INVALID, "is valid here, but invalid to kubeconform: additional property"),
        ("many", VALID, "is invalid here, but valid to kubeconform: "),
    ],
)
def test_second_opinion_tells_disagreement(
    size: str, theirs: Judgement, finding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_opinion, "judge", lambda *_: (theirs,))
    subject = repository(
        {"a.yaml": DEFINITION.partition("---")[0] + WIDGET.format(name="a", size=size)}
    )
    outcomes = tuple(second_opinion.compare(subject, Path("kubeconform")))
    found = [o.finding for o in outcomes if isinstance(o, Failed)]
    if finding is None:
        assert outcomes == (Passed(1),)
    else:
        assert [(f.check_id, str(f.location), f.message) for f in found] == [
            ("KCF001", "a.yaml:25", f"Widget a {finding}")
        ]


def test_second_opinion_that_broke_off_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ToolError("tool.failed", "kubeconform ended with 2")

    monkeypatch.setattr(second_opinion, "judge", fail)
    tool = Tool("kubeconform", Path("kubeconform"), "0.8.0", "PATH")
    monkeypatch.setattr(second_opinion, "find", lambda _: tool)
    result = second_opinion.ask(repository({"a.yaml": DEFINITION}))
    assert result.outcomes == (Errored("kubeconform", "kubeconform ended with 2 [tool.failed]"),)


def test_second_opinion_that_cannot_be_had_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Absent("kubeconform", "kubeconform was not found", "install it")
    monkeypatch.setattr(second_opinion, "find", lambda _: absent)
    result = second_opinion.ask(repository({}))
    assert result.outcomes == (Skipped("kubeconform", "kubeconform was not found; install it"),)


def kustomization(name: str, path: str, *needs: str, more: str = "") -> str:
    entries = "".join(f"\n    - name: {need}" for need in needs)
    depends = f"  dependsOn:{entries}\n" if needs else ""
    return f"""\
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {name}
  namespace: flux-system
spec:
{depends}  interval: 1h
  timeout: 5m
  path: {path}
  prune: true
  wait: true
  sourceRef:
    kind: GitRepository
    name: flux-system
{more}"""


NAMESPACE = "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {0}\n"
CHART = """\
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: {0}, namespace: {0}}}
spec: {{interval: 24h, url: "https://charts.example.com"}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: {0}, namespace: {0}}}
spec:
  interval: 1h
  chart:
    spec:
      chart: {0}
      version: 1.x
      sourceRef: {{kind: HelmRepository, name: {0}}}
"""
ISSUER = """\
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: letsencrypt
spec:
  acme: {server: "https://acme.example.com", privateKeySecretRef: {name: letsencrypt}}
"""
INSTANCE = """\
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata:
  name: flux
  namespace: flux-system
spec:
  sync:
    kind: GitRepository
    url: https://git.example.com/fleet.git
    ref: refs/heads/main
    path: clusters/staging
"""


def monorepo() -> dict[str, str]:
    """Controllers, then what configures them, then apps with an overlay for each cluster."""
    patch = "patches:\n  - path: values.yaml\n    target: {kind: HelmRelease}\n"
    return {
        "clusters/staging/flux-system/flux-instance.yaml": INSTANCE,
        "clusters/staging/flux-system/runtime-info.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: runtime, namespace: flux-system}\n"
            "data: {ENVIRONMENT: staging, DOMAIN: staging.example.com}\n"
        ),
        "clusters/staging/infrastructure.yaml": kustomization(
            "controllers", "./infrastructure/controllers"
        )
        + kustomization(
            "configs",
            "./infrastructure/configs",
            "controllers",
            more="  patches:\n    - target: {kind: ClusterIssuer, name: letsencrypt}\n"
            "      patch: |\n        - op: replace\n          path: /spec/acme/server\n"
            "          value: https://staging.example.com\n",
        ),
        "clusters/staging/apps.yaml": kustomization(
            "apps",
            "./apps/${ENVIRONMENT}",
            "configs",
            more="  postBuild:\n    substituteFrom:\n      - {kind: ConfigMap, name: runtime}\n",
        ).replace("${ENVIRONMENT}", "staging"),
        "infrastructure/controllers/cert-manager.yaml": NAMESPACE.format("cert-manager")
        + CHART.format("cert-manager"),
        "infrastructure/controllers/kustomization.yaml": "resources: [cert-manager.yaml]\n",
        "infrastructure/configs/issuers.yaml": ISSUER,
        "apps/base/web/kustomization.yaml": "resources: [namespace.yaml, web.yaml]\n",
        "apps/base/web/namespace.yaml": NAMESPACE.format("web"),
        "apps/base/web/web.yaml": CHART.format("web"),
        "apps/staging/kustomization.yaml": "resources: [../base/web]\n" + patch,
        "apps/staging/values.yaml": (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\n"
            "spec: {values: {replicas: 2, host: 'web.${DOMAIN}'}}\n"
        ),
        "apps/production/kustomization.yaml": "resources: [../base/web]\n",
    }


def worth_mending(files: Mapping[str, str]) -> list[str]:
    report = checks.run(repository(files))
    return [f"{f.location} {f.check_id} {f.message}" for f in report.at_least(Severity.MEDIUM)]


def test_an_idiomatic_flux_repository_is_left_alone() -> None:
    assert worth_mending(monorepo()) == []


def knowing_cert_manager() -> SchemaStore:
    """A store that knows which chart brings ClusterIssuers."""
    manifest = documents.parse("", DEFINITION.encode())[0][0].body
    names = {"kind": "ClusterIssuer", "plural": "clusterissuers"}
    spec = {**manifest["spec"], "group": "cert-manager.io", "names": names, "scope": "Cluster"}
    found = definition({**manifest, "spec": spec})
    assert found
    brought = Brought(Provenance("cert-manager", "1.0.0", "", "", ""), (found,))
    return SchemaStore(
        "1.37", Missing("no schemas in this test"), (Pack(crd_documents([brought])),)
    )


def orders(files: Mapping[str, str]) -> list[str]:
    known = Repository.of(Tree.of(files), schemas=knowing_cert_manager(), charts=CHARTS)
    (result,) = checks.run(known, only=["GIT006"]).results
    assert not [o for o in result.not_evaluated if "ClusterIssuer" in o.subject]
    return [f"{finding.location} {finding.message}" for finding in result.findings]


def test_a_custom_resource_after_its_chart_is_in_order() -> None:
    assert orders(monorepo()) == []


def test_a_custom_resource_beside_its_chart_is_a_deadlock() -> None:
    files = monorepo() | {
        "infrastructure/controllers/kustomization.yaml": (
            "resources: [cert-manager.yaml, ../configs/issuers.yaml]\n"
        ),
        "clusters/staging/infrastructure.yaml": kustomization(
            "controllers", "./infrastructure/controllers"
        ),
        "clusters/staging/apps.yaml": "",
    }
    assert orders(files) == [
        "infrastructure/configs/issuers.yaml:3 ClusterIssuer letsencrypt: a chart beside it in "
        "Kustomization flux-system/controllers brings the definition of its kind, but too late"
    ]


def test_a_custom_resource_that_does_not_wait_for_its_chart() -> None:
    files = monorepo()
    files["clusters/staging/infrastructure.yaml"] = files[
        "clusters/staging/infrastructure.yaml"
    ].replace("  dependsOn:\n    - name: controllers\n", "")
    assert orders(files) == [
        "infrastructure/configs/issuers.yaml:3 ClusterIssuer letsencrypt: a chart that "
        "Kustomization flux-system/controllers installs brings the definition of its kind, and "
        "Kustomization flux-system/configs does not wait for it"
    ]


def test_what_a_place_or_an_unknown_chart_may_bring_is_skipped() -> None:
    files = monorepo()
    files["infrastructure/configs/more.yaml"] = (
        "apiVersion: eks.amazonaws.com/v1\nkind: NodeClass\nmetadata: {name: a}\n---\n"
        "apiVersion: unheard.example.com/v1\nkind: Thing\nmetadata: {name: a}\n"
    )
    (result,) = checks.run(repository(files), only=["GIT006"]).results
    assert result.findings == ()
    assert [outcome.subject for outcome in result.not_evaluated] == [
        "cert-manager.io ClusterIssuer",
        "eks.amazonaws.com NodeClass",
        "unheard.example.com Thing",
    ]


def test_two_overlays_that_no_engine_applies_do_not_own_the_same_objects() -> None:
    files = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n",
        "one/kustomization.yaml": "resources: [../base]\n",
        "two/kustomization.yaml": "resources: [../base, gone.yaml]\n",
    }
    assert findings(files) == ["two/kustomization.yaml:1 KUS001 gone.yaml does not exist"]


def test_an_object_is_shared_when_it_says_so() -> None:
    example = EXAMPLES / "GIT007" / "bad"
    files = {
        path.relative_to(example).as_posix(): path.read_text("utf-8")
        for path in example.rglob("*.yaml")
    }
    shared = "metadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/ssa: Merge\n"
    files["two/web.yaml"] = files["two/web.yaml"].replace("metadata:\n", shared)
    assert findings(files) == []


def application(name: str, path: str, wave: int = 0, more: str = "") -> str:
    return f"""\
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  namespace: argocd
  annotations:
    argocd.argoproj.io/sync-wave: "{wave}"
spec:
  project: default
  destination:
    server: https://kubernetes.default.svc
    namespace: {name}
  source:
    repoURL: https://git.example.com/platform.git
    targetRevision: main
    path: {path}
{more}"""


CREATE_NAMESPACE = "  syncPolicy:\n    syncOptions: [CreateNamespace=true]\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def app_of_apps(one: str, two: str) -> dict[str, str]:
    return {
        "bootstrap/root.yaml": application("argocd", "apps"),
        "apps/one.yaml": one,
        "apps/two.yaml": two,
        "one/config.yaml": CONFIG,
        "two/config.yaml": CONFIG.replace("name: a", "name: b, namespace: one"),
    }


def test_argo_cd_makes_namespaces_when_it_is_asked_to() -> None:
    one, two = application("one", "one", 0, CREATE_NAMESPACE), application("two", "two", 1)
    assert findings(app_of_apps(one, two)) == []


def test_argo_cd_waves_decide_what_is_there() -> None:
    one, two = application("one", "one", 2, CREATE_NAMESPACE), application("two", "two", 1)
    assert findings(app_of_apps(one, two)) == [
        "two/config.yaml:3 GIT005 ConfigMap one/b needs namespace one, which nothing makes before "
        "Application argocd/two is applied"
    ]


@pytest.mark.parametrize(
    ("project", "finding"),
    [
        ("sourceRepos: ['*']\ndestinations: [{server: '*', namespace: '*'}]", ""),
        (
            "sourceRepos: ['https://git.example.com/*']\n"
            "destinations: [{name: in-cluster, namespace: 'sh*'}]",
            "",
        ),
        (
            "sourceRepos: ['*', '!https://git.example.com/platform.git']\n"
            "destinations: [{server: '*', namespace: '*'}]",
            "source https://git.example.com/platform.git",
        ),
        (
            "sourceRepos: ['*']\ndestinations: [{server: '*', namespace: 'other'}]",
            "namespace 'shop' on https://kubernetes.default.svc",
        ),
        (
            "sourceRepos: ['*']\n"
            "destinations: [{server: '*', namespace: '*'}, {server: '*', namespace: '!shop'}]",
            "namespace 'shop' on https://kubernetes.default.svc",
        ),
        ("sourceRepos: ['*']", "namespace 'shop' on https://kubernetes.default.svc"),
    ],
)
def test_projects_allow_sources_and_destinations(project: str, finding: str) -> None:
    body = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\n"
    body += "metadata: {name: shop, namespace: argocd}\nspec:\n  "
    files = {
        "bootstrap/root.yaml": application("argocd", "apps"),
        "apps/project.yaml": body + project.replace("\n", "\n  ") + "\n",
        "apps/shop.yaml": application("shop", "shop", 0, CREATE_NAMESPACE).replace(
            "project: default", "project: shop"
        ),
        "shop/config.yaml": CONFIG,
    }
    found = [f.message for f in checks.run(repository(files), only=["GIT012"]).findings]
    expected = f"Application argocd/shop: project shop does not allow {finding}"
    assert found == ([expected] if finding else [])


KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
ENDS = ("unit0", "unit199")


def test_a_chain_of_dependencies_may_be_long() -> None:
    names = [f"unit{number}" for number in range(200)]
    needs = [[], *([name] for name in names)]
    units = (kustomization(n, "./apps", *wanted) for n, wanted in zip(names, needs, strict=False))
    files = {"clusters/staging/flux-system/flux-instance.yaml": INSTANCE}
    files |= {"clusters/staging/units.yaml": "".join(units)}
    subject = repository(files)
    report = checks.run(subject, only=["GIT001", "GIT002"])
    assert [result.evaluated for result in report.results] == [200, 199]
    (graph,) = subject.graphs
    first, last = (graph.units[KUSTOMIZE, "Kustomization", "flux-system", n] for n in ENDS)
    assert graph.precedes(first, last)
    assert not graph.precedes(last, first)
    assert report.findings == ()


@pytest.mark.parametrize("project", ["[shop]", "{a: b}", "7"])
def test_a_misshapen_project_is_for_the_schema_to_refuse(project: str) -> None:
    app = application("web", "web", 0, CREATE_NAMESPACE)
    files = {
        "bootstrap/root.yaml": application("argocd", "apps"),
        "apps/web.yaml": app.replace("project: default", f"project: {project}"),
        "web/config.yaml": CONFIG,
    }
    assert findings(files, "GIT011", "GIT012") == []


def test_a_chart_in_the_repository_has_the_commit_as_its_version() -> None:
    files = {
        "bootstrap/root.yaml": application("argocd", "apps"),
        "apps/web.yaml": application("web", "charts/web", 0, CREATE_NAMESPACE),
        "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "charts/web/templates/web.yaml": "kind: {{ .Values.kind }}\n",
    }
    (result,) = checks.run(repository(files), only=["CHT003"]).results
    assert result.outcomes == (Passed(1),)


@pytest.mark.parametrize(
    ("answers", "asked", "version"),
    [
        ("kubernetes: '1.36'\n", None, "1.36"),
        ("kubernetes: '1.36'\n", "v1.35.2", "1.35"),
        ("organisation: acme\n", None, "1.37"),
        ("kubernetes: ../1.36\n", None, "1.37"),
        ("a: 'b\n", None, "1.37"),
        ("", None, "1.37"),
    ],
)
def test_the_kubernetes_version_is_asked_for_answered_or_newest(
    answers: str,
    asked: str | None,
    version: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = []

    def store(kubernetes: str, mirror: Path | None) -> SchemaStore:
        opened.append((kubernetes, mirror))
        return NO_SCHEMAS

    monkeypatch.setattr("groundplan.repository.default_store", store)
    monkeypatch.setattr("groundplan.repository.default_charts", lambda _: CHARTS)
    if answers:
        (tmp_path / ".copier-answers.yml").write_text(answers)
    assert load(tmp_path, kubernetes=asked, schemas=tmp_path).kubernetes == version
    assert opened == [(version, tmp_path)]


def gateway(
    tag: str, path: str = "./config/crd", kind: str = "Gateway", needs: str = "crds"
) -> str:
    """A unit with one object; another takes definitions from a known place, if tag and path fit."""
    files = {
        "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
        "clusters/one/crds.yaml": several(
            git_source("gateway-api", "https://github.com/kubernetes-sigs/gateway-api").replace(
                "spec: {", f"spec: {{ref: {{tag: {tag}}}, "
            ),
            flux("crds", path).replace("name: flux-system}\n", "name: gateway-api}\n"),
        ),
        "clusters/one/apps.yaml": flux("apps", "./apps", f"dependsOn: [{{name: {needs}}}]"),
        "clusters/one/other.yaml": flux("other", "./other"),
        "other/map.yaml": config_map("a"),
        "apps/gateway.yaml": (
            f"apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\n"
            "metadata: {name: web, namespace: default}\n"
        ),
    }
    (result,) = checks.run(repository(files), only=["GIT006"]).results
    skipped = [f"skipped {o.subject}" for o in result.not_evaluated]
    found = [finding.message.partition(": ")[2] for finding in result.findings]
    return "; ".join([*found, *skipped]) or "passed"


def test_a_known_source_brings_its_kinds() -> None:
    assert gateway("v1.6.1") == "passed"


def test_what_uses_a_known_source_has_to_wait_for_it() -> None:
    assert gateway("v1.6.1", needs="other") == (
        "Kustomization flux-system/crds applies the definition of its kind, "
        "and nothing waits for that"
    )


def test_a_known_source_brings_no_other_kinds() -> None:
    assert gateway("v1.6.1", kind="Gatewy") == (
        "nothing in this repository brings the definition of its kind"
    )


@pytest.mark.parametrize(("tag", "path"), [("v1.0.0", "./config/crd"), ("v1.6.1", "./config")])
def test_nobody_knows_what_another_version_or_folder_brings(tag: str, path: str) -> None:
    assert gateway(tag, path) == "skipped gateway.networking.k8s.io Gateway"


def test_each_pitfall_is_found_by_a_check_or_told_why_not() -> None:
    for known in reference.pitfalls().values():
        for one in known:
            assert set(one) <= {"pitfall", "checks", "instead"}, one
            assert set(one["checks"]) <= set(IDS), one
            assert one["checks"] or one["instead"], one
