"""The posture scan on a real API server, as the service account that the rendered platform has."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import shutil
import subprocess
import tarfile
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan.cli import main
from groundplan.errors import ExitCode
from groundplan.posture.comparison import Side
from groundplan.posture.drift.live import ALWAYS
from groundplan.posture.drift.projection import SILENT, projected
from groundplan.posture.scan import incluster
from groundplan.runners.apiserver import ADMINISTRATOR, ApiServer, Binaries, running, unused_port
from groundplan.runners.client import Answer, Client, Endpoint, Request
from groundplan.runners.definitions import define
from groundplan.runners.kinds import discover
from groundplan.schemas import default_store
from tests.programs import program
from tests.rendering import ENGINES, PLACES, one, parsed, rendered
from tests.test_posture_live import DECLARED, EVE, OPEN, SOURCE, Live, binding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = default_store("1.37")
FLUX = "source.toolkit.fluxcd.io"
NAMED = "GitRepository/flux-system/flux-system"
OURS = [f"components/posture-scan/{name}.yaml" for name in ("namespace", "roles")]
SYSTEM = "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n"


class Scanned(Live):
    """A cluster with the rendered scan's account, and a source of Flux that serves what git has."""

    def __init__(self, folder: Path, server: ApiServer, kubectl: Path, url: str) -> None:
        super().__init__(folder, server, kubectl)
        self.url = url
        self.digest = ""
        self.administrator = Client(server.endpoints[ADMINISTRATOR], ensure_alive=lambda: None)
        self.account = folder / "account"
        self.account.mkdir()
        own = server.endpoints[ADMINISTRATOR]
        (self.account / "ca.crt").write_bytes(own.certificate.read_bytes())

    def sign_in(self) -> None:
        path = "/api/v1/namespaces/posture-scan/serviceaccounts/posture-scan/token"
        asked = Request("POST", path, {"spec": {"expirationSeconds": 3600}})
        (self.account / "token").write_text(self.send(asked).body["status"]["token"])

    def send(self, request: Request) -> Answer:
        answer = self.administrator.send(request)
        assert answer.ok, answer.message
        return answer

    def as_itself(self, request: Request) -> int:
        own = self.server.endpoints[ADMINISTRATOR]
        token = (self.account / "token").read_text()
        with Client(
            Endpoint(own.port, own.certificate, token), ensure_alive=lambda: None
        ) as client:
            return client.send(request).status

    def scan(self, *words: str) -> tuple[int, str]:
        port = str(self.server.endpoints[ADMINISTRATOR].port)
        env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}
        asked = ["posture", "scan", "--cluster", "prod", "--service-account", str(self.account)]
        done = CliRunner(env=env).invoke(main, [*asked, *(words or ("--source", NAMED))])
        return done.exit_code, done.stderr

    def report(self) -> dict[str, Any]:
        code, said = self.scan()
        assert (said, code) == ("", ExitCode.CLEAN)
        path = "/apis/openreports.io/v1alpha1/clusterreports/posture-scan"
        body: dict[str, Any] = self.send(Request("GET", path)).body
        return body


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """What git has: a team's software, and the scan as the platform renders it."""
    tree = rendered("flux", "enterprise", ("kind",))
    ours = b"---\n".join(tree.files[path] for path in OURS)
    return {
        "clusters/prod/apps.yaml": SOURCE.encode(),
        "apps/app.yaml": DECLARED.encode(),
        "apps/scan.yaml": ours + b"---\n" + SYSTEM.encode(),
    }


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, binaries: Binaries, files: dict[str, bytes]
) -> Iterator[Scanned]:
    kubectl = program("kubectl")
    folder = tmp_path_factory.mktemp("scan")
    with running(binaries) as server, served(packed(files)) as (url, digest):
        found = Scanned(folder, server, kubectl, url)
        kinds = (("openreports.io", "ClusterReport"), (FLUX, "GitRepository"))
        with found.administrator as client:
            define(client, [STORE.crd_for(*kind) for kind in kinds])  # type: ignore[misc]
            found.call("apply", "--filename=-", stdin=SYSTEM)
            for path in ("apps/scan.yaml", "apps/app.yaml"):
                found.call("apply", "--filename=-", stdin=files[path].decode())
            found.sign_in()
            fetched(found, digest)
            yield found


@contextmanager
def served(content: bytes) -> Iterator[tuple[str, str]]:
    """Serve an archive at an address, and give that with its digest."""

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *words: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        digest = hashlib.sha256(content).hexdigest()
        yield f"http://127.0.0.1:{web.server_port}/latest.tar.gz", digest
        web.shutdown()


def packed(files: dict[str, bytes]) -> bytes:
    """An archive as the source controller makes them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def fetched(cluster: Scanned, digest: str) -> None:
    """Say as the source controller does what has been fetched."""
    cluster.digest = digest
    url = "https://git.acme.example/platform.git"
    source = {
        "apiVersion": f"{FLUX}/v1",
        "kind": "GitRepository",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {"interval": "1m", "url": url},
    }
    cluster.apply(source)
    artifact = {
        "digest": f"sha256:{digest}",
        "lastUpdateTime": "2026-11-27T00:00:00Z",
        "path": "latest.tar.gz",
        "revision": "main@sha1:0123",
        "url": cluster.url,
    }
    patch = json.dumps({"status": {"artifact": artifact}})
    words = ("--namespace=flux-system", "--subresource=status", "--type=merge", f"--patch={patch}")
    cluster.call("patch", "gitrepository", "flux-system", *words)


def found(report: dict[str, Any], result: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (one["policy"], one["properties"].get("subject", "")): one
        for one in report["results"]
        if one["result"] == result
    }


@pytest.mark.cluster
def test_a_cluster_that_is_as_git_says_passes(cluster: Scanned) -> None:
    report = cluster.report()
    assert (found(report, "fail"), found(report, "skip")) == ({}, {})
    assert {policy for policy, _ in found(report, "pass")} >= {"RBAC-014", "NET-007", "POD-009"}
    assert report["summary"]["pass"] == len(found(report, "pass"))
    assert report["metadata"]["annotations"]["groundplan.dev/revision"] == "main@sha1:0123"


@pytest.mark.cluster
def test_what_a_hand_added_is_reported_to_its_owner(cluster: Scanned) -> None:
    extra = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "debug", "namespace": "shop"},
        "roleRef": {**binding("", "admin", EVE)["roleRef"]},
        "subjects": [EVE],
    }
    level = "pod-security.kubernetes.io/enforce"
    cluster.apply(extra, OPEN)
    cluster.call("label", "namespace", "shop", f"{level}=privileged", "--overwrite")
    try:
        report = cluster.report()
    finally:
        cluster.call("delete", "rolebinding", "debug", "--namespace=shop")
        cluster.call("delete", "networkpolicy", "debug", "--namespace=shop")
        cluster.call("label", "namespace", "shop", f"{level}=restricted", "--overwrite")
    failed = found(report, "fail")
    assert {key for key in failed if key[0] in {"RUN-003", "RBAC-014", "POD-009"}} >= {
        ("RUN-003", "RoleBinding shop/debug"),
        ("RUN-003", "NetworkPolicy shop/debug"),
        ("RBAC-014", "User eve"),
        ("POD-009", "Namespace shop"),
    }
    stray = failed["RUN-003", "RoleBinding shop/debug"]
    assert stray["properties"]["owner"] == "shop"
    # The label by which the alert finds the team.
    assert stray["properties"]["namespace"] == "shop"
    assert stray["severity"] == "high"
    assert found(cluster.report(), "fail") == {}


@pytest.mark.cluster
def test_what_may_not_be_read_is_not_evaluated_and_nothing_passes(cluster: Scanned) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/posture-scan"
    role = cluster.send(Request("GET", path)).body
    without = [r for r in role["rules"] if "networkpolicies" not in r["resources"]]
    assert len(without) == len(role["rules"]) - 1
    cluster.send(Request("PUT", path, {**role, "rules": without}))
    try:
        report = cluster.report()
    finally:
        now = cluster.send(Request("GET", path)).body
        cluster.send(Request("PUT", path, {**now, "rules": role["rules"]}))
    assert found(report, "pass") == {}
    skipped = found(report, "skip")
    kind = "NetworkPolicy (networking.k8s.io)"
    reason = f"not evaluated: {kind}: reading it is forbidden"
    assert skipped["RUN-004", kind]["message"] == reason
    assert kind in skipped["NET-007", "prod"]["message"]


REPORTS = "/apis/openreports.io/v1alpha1/clusterreports"
OTHER = {"apiVersion": "openreports.io/v1alpha1", "kind": "ClusterReport"}


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/secrets", None),
        ("GET", "/api/v1/namespaces/posture-scan/secrets", None),
        ("GET", "/api/v1/configmaps", None),
        ("GET", "/api/v1/namespaces/shop/pods/web/log", None),
        ("POST", REPORTS, {**OTHER, "metadata": {"name": "another"}}),
        ("DELETE", f"{REPORTS}/posture-scan", None),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "mine"}}),
        ("POST", "/api/v1/namespaces/posture-scan/pods", {"metadata": {"name": "mine"}}),
        ("GET", f"/apis/{FLUX}/v1/namespaces/flux-system/gitrepositories/other", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_its_account_may_do_nothing_else(
    cluster: Scanned, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert cluster.as_itself(Request(method, path, body)) == 403


@pytest.mark.cluster
def test_an_artifact_that_is_not_what_its_source_says_is_refused(cluster: Scanned) -> None:
    right = cluster.digest
    fetched(cluster, "0" * 64)
    try:
        code, said = cluster.scan()
    finally:
        fetched(cluster, right)
    assert code == ExitCode.TOOL
    assert "[posture.source]" in said
    assert "has another digest" in said


@pytest.mark.cluster
def test_a_kind_is_read_in_the_version_that_there_is(cluster: Scanned) -> None:
    asked = [("apps", "v1beta9", "Deployment"), ("example.org", "v1", "Thing")]
    found = incluster.read(asked, cluster.administrator, discover(cluster.administrator))
    assert {str(r.id) for r in found.resources} == {"Deployment shop/web"}
    assert {r.id.version for r in found.resources} == {"v1"}


@pytest.mark.parametrize(
    ("words", "error"),
    [(("--service-account", "nowhere"), "posture.not-in-a-cluster")],
)
def test_outside_of_a_cluster_it_says_so(words: tuple[str, ...], error: str) -> None:
    done = CliRunner().invoke(main, ["posture", "scan", "--cluster", "prod", *words])
    assert done.exit_code == ExitCode.USAGE
    assert f"[{error}]" in done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_its_role_reads_every_kind_that_git_declares(engine: str) -> None:
    tree = rendered(engine, "enterprise", PLACES)
    roles = parsed(tree, "components/posture-scan/roles.yaml")
    (role,) = [role for role in roles if role["kind"] == "ClusterRole"]
    granted = {
        (group, resource)
        for rule in role["rules"]
        if "list" in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert not {("", "secrets"), ("", "configmaps"), ("*", "*")} & granted
    clusters = projected(Side.of(tree)).clusters.values()
    ids = [r.id for c in clusters for u in c.units for r in u.resources if r.id.kind not in SILENT]
    kinds = {(group, kind) for group, _, kind in ALWAYS} | {(i.group, i.kind) for i in ids}
    assert {(group, plural(kind)) for group, kind in kinds} - granted == set()


def plural(kind: str) -> str:
    """As Kubernetes' own and every definition here form it."""
    name = kind.lower()
    if name.endswith("y") and name[-2] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("ss") else f"{name}s"


@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_there_by_answer_only(engine: str) -> None:
    for tier in ("small", "growing"):
        assert not [p for p in rendered(engine, tier).files if "posture-scan" in p]
    job = one(
        rendered(engine, "enterprise"),
        "clusters/production/components/posture-scan-schedule/cronjob.yaml",
    )
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert "@sha256:" in container["image"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.cluster
def test_kube_state_metrics_makes_series_of_the_report(cluster: Scanned, tmp_path: Path) -> None:
    ksm = shutil.which("kube-state-metrics")
    if ksm is None:
        pytest.skip("kube-state-metrics is not installed; `go build k8s.io/kube-state-metrics/v2`")
    values = one(
        rendered("flux", "enterprise", ("kind",)), "components/kube-prometheus-stack/values.yaml"
    )
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(values["kube-state-metrics"]["customResourceState"]["config"]))
    ports = [str(unused_port()) for _ in range(2)]
    words = [ksm, f"--kubeconfig={cluster.access}", "--host=127.0.0.1", f"--port={ports[0]}"]
    words += ["--telemetry-host=127.0.0.1", f"--telemetry-port={ports[1]}"]
    words += ["--custom-resource-state-only", f"--custom-resource-state-config-file={config}"]
    cluster.apply(OPEN)
    try:
        cluster.report()
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as running_beside:
            try:
                lines = scraped(f"http://127.0.0.1:{ports[0]}/metrics", "posture_scan_result{")
            finally:
                running_beside.terminate()
    finally:
        cluster.call("delete", "networkpolicy", "debug", "--namespace=shop")
    stray = [line for line in lines if 'subject="NetworkPolicy shop/debug"' in line]
    assert len(stray) == 1
    for label in ('policy="RUN-003"', 'result="fail"', 'owner="shop"', 'namespace="shop"'):
        assert label in stray[0]
    assert stray[0].endswith(" 1")
    (when,) = [line for line in lines if line.startswith("posture_scan_timestamp_seconds{")]
    assert time.time() - float(when.rpartition(" ")[2]) < 600


def scraped(url: str, wanted: str) -> list[str]:
    """The lines of a metrics page, once it has what is wanted."""
    give_up = time.monotonic() + 60
    text = ""
    while wanted not in text and time.monotonic() < give_up:
        time.sleep(0.5)
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            text = answer.read().decode()
    return text.splitlines()
