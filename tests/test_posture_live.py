"""`groundplan posture drift --live` on a real API server: what was added or loosened by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan.cli import main
from groundplan.errors import ExitCode
from groundplan.posture import revisions
from groundplan.posture.comparison import Side
from groundplan.posture.drift import kubectl
from groundplan.posture.drift.live import ALWAYS
from groundplan.posture.network.doors import GATEWAY_API
from groundplan.process import Command
from groundplan.runners import kubeconfig
from groundplan.runners.apiserver import ADMINISTRATOR, SCHEDULER, running
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.resources import Resource
    from groundplan.runners.apiserver import ApiServer, Binaries

DECLARED = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    groundplan.dev/owner: shop
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/enforce-version: v1.36
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web, namespace: shop}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: web, namespace: shop}, {kind: Group, name: shop}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: gate}}}], ports: [{port: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  loadBalancerSourceRanges: [10.0.0.0/8]
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules:
    - host: shop.acme.io
      http:
        paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: registry.acme.io/web:1.0.0
          ports: [{containerPort: 8080}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
SOURCE = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 1h
  path: ./apps
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def binding(name: str, role: str, subject: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, **metadata},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


EVE = {"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}
OPEN: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "debug", "namespace": "shop"},
    "spec": {"podSelector": {}, "ingress": [{}]},
}


def service(namespace: str, name: str = "debug", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec},
    }


def owned(owner: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}}


STRAY = "is on the cluster and not in git"
INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "debug", "namespace": "kube-system"},
    "spec": {"defaultBackend": {"service": {"name": "dashboard", "port": {"number": 80}}}},
}


class Live:
    """A repository, and the cluster that has what it declares."""

    def __init__(self, folder: Path, server: ApiServer, client: Path) -> None:
        self.repository = folder / "platform"
        self.server = server
        self.kubectl = str(client)
        self.access = kubeconfig.write(folder / "kubeconfig", server.endpoints[ADMINISTRATOR])

    def call(self, *words: str, stdin: str = "") -> None:
        argv = (self.kubectl, "--kubeconfig", str(self.access), *words)
        Command(argv, stdin=stdin.encode()).run()

    def apply(self, *bodies: dict[str, Any]) -> None:
        self.call("apply", "--filename=-", stdin=yaml.safe_dump_all(bodies))

    def drift(self, *more: str, access: Path | None = None) -> tuple[int, dict[str, Any]]:
        words = ["posture", "drift", str(self.repository), "--live", "--format", "json", *more]
        done = CliRunner(env={"KUBECONFIG": str(access or self.access)}).invoke(main, words)
        assert done.stderr == ""
        return done.exit_code, json.loads(done.stdout)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, binaries: Binaries) -> Iterator[Live]:
    client = program("kubectl")
    folder = tmp_path_factory.mktemp("live")
    files = {"clusters/prod/apps.yaml": SOURCE, "apps/app.yaml": DECLARED}
    for path, content in files.items():
        (folder / "platform" / path).parent.mkdir(parents=True)
        (folder / "platform" / path).write_text(content)
    with pytest.MonkeyPatch.context() as patch, running(binaries) as server:
        patch.setenv("PATH", str(client.parent), prepend=":")
        found = Live(folder, server, client)
        found.call("apply", "--filename=-", stdin=DECLARED)
        yield found


def grave(said: dict[str, Any]) -> set[tuple[str, str]]:
    verdicts = {"widened", "incomparable"}
    return {(c["subject"], c["atom"]) for c in said["changes"] if c["verdict"] in verdicts}


@pytest.mark.cluster
def test_what_git_declares_and_what_kubernetes_brings_is_no_drift(live: Live) -> None:
    code, said = live.drift()
    assert grave(said) == set()
    assert (code, said["unread"], said["incomparable"]) == (ExitCode.CLEAN, [], [])
    assert said["belongs"]["Kubernetes"] > 100


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            binding("eve", "cluster-admin", EVE),
            ("ClusterRoleBinding eve", STRAY),
        ),
        (
            binding(
                "system:eve",
                "cluster-admin",
                EVE,
                labels={
                    "kubernetes.io/bootstrapping": "rbac-defaults",
                    "app.kubernetes.io/managed-by": "Helm",
                    "app.kubernetes.io/instance": "no-such-release",
                },
                annotations={"meta.helm.sh/release-name": "no-such-release"},
            ),
            ("ClusterRoleBinding system:eve", STRAY),
        ),
        (OPEN, ("NetworkPolicy shop/debug", STRAY)),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "by-hand"}},
            ("Namespace by-hand", STRAY),
        ),
        (service("shop"), ("Service shop/debug", STRAY)),
        (service("default"), ("Service default/debug", STRAY)),
        (service("kube-system", type="NodePort"), ("Service kube-system/debug", STRAY)),
        (INGRESS, ("Ingress kube-system/debug", STRAY)),
        (
            # Its owner is read, and there is none of that id.
            owned(
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "gone"},
                service("shop"),
            ),
            ("Service shop/debug", STRAY),
        ),
        (
            # Nothing that is made from another object is made from a Secret.
            owned(
                {"apiVersion": "v1", "kind": "Secret", "name": "web", "uid": "unread"},
                service("shop"),
            ),
            ("Service shop/debug", STRAY),
        ),
    ],
    ids=[
        "binding",
        "a binding in disguise",
        "policy",
        "namespace",
        "service",
        "service in default",
        "a port of every node",
        "ingress beside Kubernetes",
        "an owner that is gone",
        "an owner that makes nothing",
    ],
)
def test_what_somebody_added_is_drift(
    live: Live, body: dict[str, Any], expected: tuple[str, str]
) -> None:
    live.apply(body)
    try:
        code, said = live.drift()
    finally:
        named = body["metadata"]
        where = f"--namespace={named.get('namespace', 'default')}"
        live.call("delete", body["kind"], named["name"], where, "--wait=false")
        if body["kind"] == "Namespace":
            # Nobody else does, as no controller manager runs.
            path = f"/api/v1/namespaces/{named['name']}/finalize"
            live.call("replace", "--raw", path, "--filename=-", stdin=json.dumps(body))
    assert code == ExitCode.FINDINGS
    assert expected in grave(said)


@pytest.mark.cluster
def test_what_controllers_make_belongs_to_what_they_made_it_for(live: Live) -> None:
    where = ("deployment", "web", "--namespace=shop", "--output=jsonpath={.metadata.uid}")
    uid = Command((live.kubectl, "--kubeconfig", str(live.access), "get", *where)).run().text
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid}
    challenge = {
        "apiVersion": "acme.cert-manager.io/v1",
        "kind": "Challenge",
        "name": "web",
        "uid": "unread",
    }
    live.apply(
        owned(web, service("shop", "of-web")),
        owned(challenge, service("shop", "of-a-challenge")),
        service("kube-system", "kube-dns"),
    )
    try:
        code, said = live.drift()
    finally:
        for name, namespace in (
            ("of-web", "shop"),
            ("of-a-challenge", "shop"),
            ("kube-dns", "kube-system"),
        ):
            live.call("delete", "service", name, f"--namespace={namespace}")
    assert (code, grave(said)) == (ExitCode.CLEAN, set())
    assert said["belongs"]["controllers"] == 2


@pytest.mark.cluster
def test_what_somebody_opened_to_more_is_drift(live: Live) -> None:
    patch = json.dumps({"spec": {"loadBalancerSourceRanges": ["0.0.0.0/0"]}})
    live.call("patch", "service", "web", "--namespace=shop", f"--patch={patch}")
    try:
        code, said = live.drift()
    finally:
        live.call("apply", "--filename=-", stdin=DECLARED)
    assert code == ExitCode.FINDINGS
    assert {(c["policy"], c["subject"]) for c in said["changes"] if c["verdict"] == "widened"} == {
        ("NET-009", "Service shop/web")
    }


@pytest.mark.cluster
def test_what_somebody_loosened_is_drift_and_says_what_it_allows(live: Live) -> None:
    label = "pod-security.kubernetes.io/enforce"
    live.call("label", "namespace", "shop", f"{label}=privileged", "--overwrite")
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    patch = json.dumps([{"op": "add", "path": "/rules/-", "value": rule}])
    live.call("patch", "role", "web", "--namespace=shop", "--type=json", f"--patch={patch}")
    live.call("delete", "networkpolicy", "web", "--namespace=shop")
    live.call("delete", "networkpolicy", "default-deny", "--namespace=shop")
    try:
        code, said = live.drift()
    finally:
        live.call("apply", "--filename=-", stdin=DECLARED)
    assert code == ExitCode.FINDINGS
    found = grave(said)
    rbac = "may now get secrets in namespace shop"
    assert {("ServiceAccount shop/web", rbac), ("Group shop", rbac)} <= found
    dimensions = {c["dimension"] for c in said["changes"] if c["verdict"] == "widened"}
    assert dimensions == {"rbac", "pod-security", "network"}
    assert {c["fixOwner"]["name"] for c in said["changes"]} == {"shop"}
    assert grave(live.drift()[1]) == set()


@pytest.mark.cluster
def test_what_may_not_be_read_is_not_evaluated(live: Live, tmp_path: Path) -> None:
    access = kubeconfig.write(tmp_path / "kubeconfig", live.server.endpoints[SCHEDULER])
    code, said = live.drift(access=access)
    assert grave(said) == set()
    assert code == ExitCode.NOT_EVALUATED
    unread = {one["kind"]: one["reason"] for one in said["unread"]}
    assert unread["Role (rbac.authorization.k8s.io)"] == "reading it is forbidden"


@pytest.mark.cluster
def test_a_kind_is_read_in_the_version_that_there_is(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(live.access))
    found = kubectl.read([("apps", "v1beta9", "Deployment"), ("example.org", "v1", "Thing")])
    assert [str(r.id) for r in found.resources] == ["Deployment shop/web"]
    assert found.unread == {}


EXAMPLE = Path(__file__).parents[1] / "examples/growing-argocd/repository"


@pytest.mark.cluster
def test_a_whole_platform_is_no_drift_until_somebody_takes_a_policy_away(
    tmp_path: Path, binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = program("kubectl")
    monkeypatch.setenv("PATH", str(client.parent), prepend=":")
    tree = revisions.read(str(EXAMPLE), EXAMPLE)
    state = Side.of(tree).state("production")
    # Charts, custom resources and their definitions are not needed to be compared.
    kinds = {kind[::2] for kind in ALWAYS if kind[0] != GATEWAY_API}
    declared = sorted(
        (r for r in state.resources if (r.id.group, r.id.kind) in kinds),
        key=lambda r: r.id.kind != "Namespace",
    )
    with running(binaries) as server:
        found = Live(tmp_path, server, client)
        found.repository = EXAMPLE
        found.call("apply", "--server-side", "--filename=-", stdin=listed(declared))
        code, said = found.drift("--cluster", "production")
        assert len(declared) > 150
        missed = {c["subject"].split()[0] for c in said["changes"]}
        assert (code, missed - {"Gateway", "Service"}, said["incomparable"]) == (
            ExitCode.CLEAN,
            set(),
            [],
        )
        policy = next(r.id for r in declared if r.id.kind == "NetworkPolicy")
        found.call("delete", "networkpolicy", policy.name, f"--namespace={policy.namespace}")
        code, said = found.drift("--cluster", "production")
        assert code == ExitCode.FINDINGS
        assert {c["dimension"] for c in said["changes"]} == {"network"}


def listed(resources: list[Resource]) -> str:
    items = [resource.body for resource in resources]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def place(folder: Path) -> Path:
    (folder / "clusters/prod").mkdir(parents=True)
    (folder / "clusters/prod/apps.yaml").write_text(SOURCE)
    return folder


def test_without_kubectl_nothing_can_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["posture", "drift", str(place(tmp_path)), "--live"])
    assert done.exit_code == ExitCode.TOOL
    assert "[tool.missing]" in done.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--live", "--cluster", "staging"), "posture.no-such-cluster"),
        (("--live", "--write-baseline"), "posture.live"),
        (("--cluster", "prod"), "posture.live"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    done = CliRunner().invoke(main, ["posture", "drift", str(place(tmp_path)), *words])
    assert done.exit_code == ExitCode.USAGE
    assert f"[{error}]" in done.stderr
