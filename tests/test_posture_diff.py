"""`groundplan posture diff` from outside: seeded widenings are found, refactorings are silent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundplan.cli import main
from groundplan.errors import ExitCode
from groundplan.process import Command

if TYPE_CHECKING:
    from pathlib import Path

CLUSTER = "clusters/prod/apps.yaml"
WEB = "apps/web.yaml"
NAMESPACE = "apps/namespace.yaml"

FILES = {
    "CODEOWNERS": "* @acme/platform\n/apps/ @acme/shop\n",
    CLUSTER: """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 1h
  path: ./apps
  prune: true
  serviceAccountName: applier
  sourceRef: {kind: GitRepository, name: flux-system}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1h
  path: ./clusters/prod
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1m
  url: https://github.com/acme/platform
  verify: {mode: HEAD, secretRef: {name: keys}}
---
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec:
  distribution: {version: 2.9.5, registry: ghcr.io/fluxcd}
  cluster: {multitenant: true}
""",
    NAMESPACE: """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    groundplan.dev/owner: shop
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/enforce-version: v1.36
""",
    WEB: """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      automountServiceAccountToken: false
      hostUsers: false
      securityContext:
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: web
          image: registry.acme.io/web@sha256:DIGEST
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
""",
    "apps/project.yaml": """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop, namespace: argocd}
spec:
  sourceRepos: ["https://github.com/acme/*"]
  destinations: [{server: "https://kubernetes.default.svc", namespace: shop}]
  namespaceResourceBlacklist: [{group: "", kind: ResourceQuota}]
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: shop
  source: {repoURL: "https://charts.acme.io", chart: shop, targetRevision: 1.0.0}
  destination: {server: "https://kubernetes.default.svc", namespace: shop}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
""",
    "apps/kustomization.yaml": "resources: [namespace.yaml, web.yaml, project.yaml]\n",
}


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@acme.io", "-c", "commit.gpgsign=false")
    Command(("git", *identity, *words), cwd=folder).run()


def commit(folder: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--allow-empty", "--quiet", "--message", "change")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "platform"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, FILES)
    return folder


def diff(place: Path, base: str = "HEAD~1", head: str = "HEAD") -> tuple[int, dict[str, Any]]:
    words = ["posture", "diff", base, head, "--path", str(place), "--format", "json"]
    done = CliRunner().invoke(main, words)
    assert done.stderr == ""
    return done.exit_code, json.loads(done.stdout)


SEEDS = {
    "privileged": (
        WEB,
        "readOnly",
        "privileged: true\n            readOnly",
        "pod-security",
        "container web is privileged",
    ),
    "capability": (
        WEB,
        "drop: [ALL]",
        "drop: [ALL], add: [SYS_ADMIN]",
        "pod-security",
        "container web adds the capability SYS_ADMIN",
    ),
    "kept capabilities": (
        WEB,
        "drop: [ALL]",
        "drop: [NET_RAW]",
        "pod-security",
        "container web keeps the default capabilities",
    ),
    "host network": (
        WEB,
        "hostUsers: false",
        "hostUsers: false\n      hostNetwork: true",
        "pod-security",
        "hostNetwork is on",
    ),
    "host users": (
        WEB,
        "hostUsers: false",
        "hostUsers: true",
        "pod-security",
        "the node's users are the pod's",
    ),
    "host path": (
        WEB,
        "hostUsers: false",
        "hostUsers: false\n      volumes: [{name: h, hostPath: {path: /etc}}]",
        "pod-security",
        "the host's /etc is mounted",
    ),
    "host port": (
        WEB,
        "- name: web",
        "- name: web\n          ports: [{containerPort: 80, hostPort: 80}]",
        "pod-security",
        "container web takes host port 80",
    ),
    "seccomp": (
        WEB,
        "type: RuntimeDefault",
        "type: Unconfined",
        "pod-security",
        "pod has the seccomp profile Unconfined",
    ),
    "escalation": (
        WEB,
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
        "pod-security",
        "container web may gain privileges",
    ),
    "writable image": (
        WEB,
        "readOnlyRootFilesystem: true",
        "readOnlyRootFilesystem: false",
        "pod-security",
        "container web may write to its image",
    ),
    "tag": (
        WEB,
        "web@sha256:DIGEST",
        "web:latest",
        "pod-security",
        "container web has an image by tag",
    ),
    "registry": (
        WEB,
        "registry.acme.io/web",
        "docker.io/acme/web",
        "pod-security",
        "images of docker.io run",
    ),
    "token": (
        WEB,
        "automountServiceAccountToken: false",
        "automountServiceAccountToken: true",
        "pod-security",
        "a service account's token is mounted",
    ),
    "secret": (
        WEB,
        "- name: web",
        "- name: web\n          envFrom: [{secretRef: {name: db}}]",
        "pod-security",
        "reads the Secret db",
    ),
    "shared processes": (
        WEB,
        "hostUsers: false",
        "hostUsers: false\n      shareProcessNamespace: true",
        "pod-security",
        "containers see each other's processes",
    ),
    "sysctl": (
        WEB,
        "runAsNonRoot: true",
        "runAsNonRoot: true\n        sysctls: [{name: kernel.msgmax, value: '1'}]",
        "pod-security",
        "the kernel setting kernel.msgmax is set",
    ),
    "source": (
        "apps/project.yaml",
        '"https://github.com/acme/*"',
        '"*"',
        "gitops",
        "takes sources from *",
    ),
    "quota": (
        "apps/project.yaml",
        '[{group: "", kind: ResourceQuota}]',
        "[]",
        "gitops",
        "no longer: refuses namespaced /ResourceQuota",
    ),
    "default project": (
        "apps/project.yaml",
        "project: shop",
        "project: default",
        "gitops",
        "belongs to project default, which allows everything",
    ),
    "self-healing": (
        "apps/project.yaml",
        "selfHeal: true",
        "selfHeal: false",
        "gitops",
        "no longer: changes by hand are undone",
    ),
    "validation": (
        "apps/project.yaml",
        "syncPolicy: {",
        "syncPolicy: {syncOptions: [Validate=false], ",
        "gitops",
        "objects are not validated",
    ),
}
"""File, what is replaced, by what, dimension and atom; all of them belong to the shop."""

PLATFORM_SEEDS = {
    "account": (
        CLUSTER,
        "  serviceAccountName: applier\n",
        "",
        "no longer: applies as the service account applier",
    ),
    "signature": (
        CLUSTER,
        "  verify: {mode: HEAD, secretRef: {name: keys}}\n",
        "",
        "no longer: its signature is verified",
    ),
    "tenancy": (
        CLUSTER,
        "multitenant: true",
        "multitenant: false",
        "no longer: tenants cannot refer to each other",
    ),
    "other cluster": (
        CLUSTER,
        "  serviceAccountName: applier\n",
        "  serviceAccountName: applier\n  kubeConfig: {secretRef: {name: x}}\n",
        "applies to another cluster",
    ),
    "reviewers": (
        "CODEOWNERS",
        "/apps/ @acme/shop\n",
        "/apps/ @acme/shop\n/clusters/ @acme/shop\n",
        "changes below clusters/ no longer need @acme/platform",
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_widening_is_found_with_its_line_and_its_owners(place: Path, seed: str) -> None:
    path, old, new, dimension, atom = SEEDS[seed]
    assert old in FILES[path]
    commit(place, {path: FILES[path].replace(old, new, 1)})
    code, said = diff(place)
    widened = {c["atom"]: c for c in said["changes"] if c["verdict"] == "widened"}
    found = widened[atom]
    owner = "shop" if path == WEB else "@acme/shop"
    assert (found["dimension"], found["path"], found["clusters"]) == (dimension, path, ["prod"])
    assert (found["fixOwner"]["name"], found["affectedOwner"]["name"]) == (owner, owner)
    assert found["line"] > 1
    assert code == ExitCode.FINDINGS


@pytest.mark.parametrize("seed", PLATFORM_SEEDS)
def test_a_loosened_guard_belongs_to_the_platform(place: Path, seed: str) -> None:
    path, old, new, atom = PLATFORM_SEEDS[seed]
    assert old in FILES[path]
    commit(place, {path: FILES[path].replace(old, new, 1)})
    code, said = diff(place)
    found = {c["atom"]: c for c in said["changes"] if c["verdict"] == "widened"}[atom]
    assert (found["dimension"], found["fixOwner"]["name"]) == ("gitops", "@acme/platform")
    assert code == ExitCode.FINDINGS


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        ("enforce: baseline", "widened"),
        ("enforce: privileged", "widened"),
        ("enforce: strict", "incomparable"),
    ],
)
def test_a_namespace_that_enforces_another_level(place: Path, new: str, verdict: str) -> None:
    commit(place, {NAMESPACE: FILES[NAMESPACE].replace("enforce: restricted", new)})
    code, said = diff(place)
    changes = [(c["verdict"], c["subject"], c["line"]) for c in said["changes"]]
    assert changes == [(verdict, "Namespace shop", 7)]
    expected = ExitCode.FINDINGS if verdict == "widened" else ExitCode.NOT_EVALUATED
    assert code == expected


@pytest.mark.parametrize(
    ("old", "new", "level", "verdict"),
    [
        ("v1.36", "v1.37", "baseline", "widened"),
        ("v1.37", "v1.36", "baseline", "narrowed"),
        ("v1.33", "v1.34", "baseline", "narrowed"),
        ("v1.33", "v1.35", "baseline", "incomparable"),
        ("v1.24", "v1.25", "restricted", "widened"),
        ("v1.36", "latest", "restricted", "widened"),
        ("latest", "v1.36", "restricted", "narrowed"),
        ("v1.20", "v1.20", "restricted", None),
    ],
)
def test_versions_of_the_standards_are_no_chain(
    place: Path, old: str, new: str, level: str, verdict: str | None
) -> None:
    namespace = FILES[NAMESPACE].replace("enforce: restricted", f"enforce: {level}")
    commit(place, {NAMESPACE: namespace.replace("v1.36", old)})
    commit(place, {NAMESPACE: namespace.replace("v1.36", new) + "# again\n"})
    _, said = diff(place)
    assert [c["verdict"] for c in said["changes"]] == ([verdict] if verdict else [])


def move(files: dict[str, str]) -> dict[str, str]:
    moved = {k: v for k, v in files.items() if k not in {WEB, "apps/kustomization.yaml"}}
    listed = files["apps/kustomization.yaml"].replace("web.yaml", "deep/er/app.yml")
    return moved | {"apps/deep/er/app.yml": files[WEB], "apps/kustomization.yaml": listed}


def one_file(files: dict[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in files.items() if k != WEB}
    joined = f"{files[NAMESPACE]}---\n{files[WEB]}"
    listed = "resources: [project.yaml, namespace.yaml]\n"
    return kept | {NAMESPACE: joined, "apps/kustomization.yaml": listed}


def as_json(files: dict[str, str]) -> dict[str, str]:
    import yaml

    return files | {WEB: json.dumps(yaml.safe_load(files[WEB]))}


def sorted_keys(files: dict[str, str]) -> dict[str, str]:
    import yaml

    return files | {WEB: yaml.safe_dump(yaml.safe_load(files[WEB]), sort_keys=True)}


def comments(files: dict[str, str]) -> dict[str, str]:
    return files | {WEB: "# the shop\n\n" + files[WEB].replace("spec:", "spec: # what it is", 1)}


def quotes(files: dict[str, str]) -> dict[str, str]:
    return files | {WEB: files[WEB].replace("name: web\n", 'name: "web"\n')}


def listed(files: dict[str, str]) -> dict[str, str]:
    nested = f"apiVersion: v1\nkind: List\nitems:\n- {files[WEB].replace(chr(10), chr(10) + '  ')}"
    return files | {WEB: nested.rstrip() + "\n"}


def patched(files: dict[str, str]) -> dict[str, str]:
    text = "labels: [{pairs: {team: shop}}]\n"
    return files | {"apps/kustomization.yaml": files["apps/kustomization.yaml"] + text}


def reordered(files: dict[str, str]) -> dict[str, str]:
    order = "resources: [project.yaml, web.yaml, namespace.yaml]\n"
    return files | {"apps/kustomization.yaml": order}


def split_codeowners(files: dict[str, str]) -> dict[str, str]:
    return files | {"CODEOWNERS": files["CODEOWNERS"] + "/clusters/ @acme/platform\n"}


@pytest.mark.parametrize(
    "refactor",
    [
        move,
        one_file,
        as_json,
        sorted_keys,
        comments,
        quotes,
        listed,
        patched,
        reordered,
        split_codeowners,
    ],
)
def test_a_refactoring_is_silent(place: Path, refactor: Any) -> None:
    after = refactor(FILES)
    for gone in set(FILES) - set(after):
        (place / gone).unlink()
    commit(place, after)
    code, said = diff(place)
    assert (said["changes"], said["incomparable"], code) == ([], [], ExitCode.CLEAN)


def test_the_other_way_round_a_widening_is_a_narrowing(place: Path) -> None:
    commit(place, {WEB: FILES[WEB].replace("hostUsers: false", "hostNetwork: true")})
    code, said = diff(place, "HEAD", "HEAD~1")
    assert {c["verdict"] for c in said["changes"]} == {"narrowed"}
    assert code == ExitCode.CLEAN


def test_what_cannot_be_built_is_never_equal(place: Path) -> None:
    text = FILES["apps/kustomization.yaml"].replace("web.yaml", "gone.yaml")
    commit(place, {"apps/kustomization.yaml": text})
    code, said = diff(place)
    assert [gap["subject"] for gap in said["incomparable"]] == ["Kustomization flux-system/apps"]
    assert code == ExitCode.NOT_EVALUATED


def test_a_chart_with_other_values_is_incomparable(place: Path) -> None:
    release = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: db, namespace: shop}
spec:
  chart:
    spec: {chart: db, version: 1.0.0, sourceRef: {kind: HelmRepository, name: acme}}
  values: {size: 1}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: acme, namespace: shop}
spec: {url: "https://charts.acme.io"}
"""
    listed = FILES["apps/kustomization.yaml"].replace("web.yaml", "web.yaml, db.yaml")
    commit(place, {"apps/db.yaml": release, "apps/kustomization.yaml": listed})
    commit(place, {"apps/db.yaml": release + "# the same\n"})
    assert diff(place)[0] == ExitCode.CLEAN
    commit(place, {"apps/db.yaml": release.replace("size: 1", "size: 2")})
    code, said = diff(place)
    assert [gap["subject"] for gap in said["incomparable"]] == ["HelmRelease shop/db"]
    assert code == ExitCode.NOT_EVALUATED


def test_a_cluster_on_one_side_only_is_incomparable(place: Path) -> None:
    (place / CLUSTER).unlink()
    other = CLUSTER.replace("prod", "other")
    commit(place, {other: FILES[CLUSTER].replace("./clusters/prod", "./clusters/other")})
    code, said = diff(place)
    assert {gap["subject"] for gap in said["incomparable"]} == {"cluster prod", "cluster other"}
    assert code in {ExitCode.FINDINGS, ExitCode.NOT_EVALUATED}


def test_a_change_cannot_choose_its_own_owner(place: Path) -> None:
    web = FILES[WEB].replace("hostUsers: false", "hostNetwork: true")
    taken = FILES[NAMESPACE].replace("owner: shop", "owner: nobody-asks")
    commit(place, {WEB: web, NAMESPACE: taken, "CODEOWNERS": ""})
    _, said = diff(place)
    owners = {c["fixOwner"]["name"] for c in said["changes"] if c["path"] == WEB}
    assert owners == {"shop"}


def test_folders_are_compared_like_revisions(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(place), str(other))
    assert diff(place, str(place), str(other))[0] == ExitCode.CLEAN
    (other / WEB).write_text(FILES[WEB].replace("hostUsers: false", "hostPID: true"))
    code, said = diff(place, str(place), str(other))
    assert "hostPID is on" in {c["atom"] for c in said["changes"]}
    assert code == ExitCode.FINDINGS


def test_the_text_names_atom_line_and_owners(place: Path) -> None:
    web = FILES[WEB].replace("hostUsers: false", "hostUsers: false\n      hostPID: true")
    commit(place, {WEB: web})
    words = ["posture", "diff", "HEAD~1", "HEAD", "--path", str(place)]
    lines = CliRunner().invoke(main, words).stdout.splitlines()
    assert lines[:4] == [
        "WIDENED  pod-security  Deployment shop/web: hostPID is on",
        "    at apps/web.yaml:13 on prod",
        "    fix: shop (label groundplan.dev/owner of Namespace shop)",
        "    affects: shop (label groundplan.dev/owner of Namespace shop)",
    ]
    table = CliRunner().invoke(main, [*words, "--format", "markdown"]).stdout
    assert (
        "| widened | Deployment shop/web | hostPID is on | apps/web.yaml:13 | shop | shop |"
        in table
    )


def test_fingerprints_survive_a_move(place: Path) -> None:
    wider = FILES | {WEB: FILES[WEB].replace("hostUsers: false", "hostPID: true")}
    commit(place, wider)
    _, first = diff(place)
    (place / WEB).unlink()
    commit(place, move(wider))
    _, second = diff(place, "HEAD~2", "HEAD")
    prints = [{c["fingerprint"] for c in said["changes"]} for said in (first, second)]
    assert prints[0] == prints[1] != set()


def test_what_is_no_revision_is_refused(place: Path) -> None:
    for name in ("no-such", "--output=x"):
        words = ["posture", "diff", "--path", str(place), "--", name, "HEAD"]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == ExitCode.USAGE
        assert done.stderr.endswith("[posture.no-such-revision]\n")
