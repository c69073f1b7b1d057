"""What a real API server says about small repositories, and what happens when it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from groundplan.errors import NotEvaluatedError, ToolError, UsageError
from groundplan.findings import Report, Severity
from groundplan.repository import Repository
from groundplan.resources import Origin, Resource
from groundplan.runners.apiserver import Binaries, running, unused_port
from groundplan.runners.client import Request, apply
from groundplan.runners.definitions import define
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from groundplan.verify import verify
from groundplan.verify.pod_templates import pod
from groundplan.verify.rejections import faults, pointer
from tests import control_planes

UNIT = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  path: ./{name}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
  dependsOn: [{needs}]
"""

BASE = """apiVersion: v1
kind: Namespace
metadata:
  name: web
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: storage, namespace: web}
spec:
  hard: {requests.storage: 1Gi}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: windows.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Window, plural: windows, singular: window}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                first: {type: integer}
                last: {type: integer}
              x-kubernetes-validations:
                - rule: self.first <= self.last
                  message: a window ends after it begins
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: owned}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  validations:
    - expression: has(object.metadata.labels) && 'owner' in object.metadata.labels
      message: name an owner
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: owned}
spec:
  policyName: owned
  validationActions: [Deny]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: readers}]
"""

GOOD = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: example.com/web:1.0.0
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: web, labels: {owner: web}}
data: {colour: blue}
---
apiVersion: example.com/v1
kind: Window
metadata: {name: night, namespace: web}
spec: {first: 1, last: 5}
"""

BAD = """apiVersion: v1
kind: Service
metadata: {name: port, namespace: web}
spec:
  ports:
    - targetPort: 80
      port: 99999 # port
---
apiVersion: v1
kind: Service
metadata: {name: typo, namespace: web}
spec:
  ports: [{port: 80}]
  selektor: {app: web} # typo
---
apiVersion: v1 # denied
kind: ConfigMap
metadata: {name: ownerless, namespace: web}
---
apiVersion: v1 # quota
kind: PersistentVolumeClaim
metadata: {name: big, namespace: web}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 2Gi}}
---
apiVersion: extensions/v1beta1 # removed
kind: Ingress
metadata: {name: old, namespace: web}
---
apiVersion: example.com/v1
kind: Window
metadata: {name: night, namespace: web}
spec: # cel
  first: 7
  last: 5
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: Bad_Name # name
  namespace: web
  labels: {owner: web}
---
apiVersion: v1 # nowhere
kind: ConfigMap
metadata: {name: lost, namespace: nowhere, labels: {owner: web}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: web}
roleRef: # immutable
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: edit
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: readers}]
---
apiVersion: apps/v1 # warned
kind: Deployment
metadata: {name: root, namespace: web}
spec:
  selector: {matchLabels: {app: root}}
  template: # pod
    metadata: {labels: {app: root}}
    spec:
      containers: [{name: root, image: example.com/root:1.0.0}]
---
apiVersion: example.org/v1
kind: Unheard
metadata: {name: of, namespace: web}
"""

EXPECTED = [
    ("API001", "port", "must be between 1 and 65535"),
    ("API001", "typo", ".spec.selektor: field not declared in schema"),
    ("API001", "denied", "'owned' with binding 'owned' denied request: name an owner"),
    ("API001", "quota", "exceeded quota: storage, requested: requests.storage=2Gi"),
    ("API001", "removed", "the API server has no Ingress in extensions/v1beta1"),
    ("API001", "cel", "a window ends after it begins"),
    ("API001", "name", "a lowercase RFC 1123 subdomain must consist of"),
    ("API001", "nowhere", 'namespaces "nowhere" not found'),
    ("API001", "immutable", "field is immutable"),
    ("API002", "warned", 'would violate PodSecurity "restricted:latest"'),
    ("API003", "pod", 'violates PodSecurity "restricted:latest"'),
]


def repository(*, base: str = BASE, apps: str = GOOD) -> Repository:
    tree = Tree.of(
        {
            "clusters/one/base.yaml": UNIT.format(name="base", needs=""),
            "clusters/one/apps.yaml": UNIT.format(name="apps", needs="{name: base}"),
            "base/base.yaml": base,
            "apps/apps.yaml": apps,
        }
    )
    store = default_store("1.37")
    return Repository.of(tree, schemas=store, charts=default_charts(), kubernetes="1.37")


def write(root: Path, apps: str = GOOD) -> Path:
    for path, content in repository(apps=apps).tree.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def unseen(report: Report) -> list[tuple[str, int]]:
    return [(o.subject, o.count) for r in report.results for o in r.not_evaluated]


def children(pid: int) -> list[int]:
    """Every process below another one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                child = int(stat.parent.name)
                found += [child, *children(child)]
    return found


def named(pids: list[int], name: str) -> list[int]:
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().startswith(name):
                found.append(pid)
    return found


def runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def eventually(condition, seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)


@pytest.mark.cluster
def test_takes_a_right_repository_whole(binaries):
    done = verify(repository(), partial(running, binaries), subject="platform")
    assert done.report.findings == ()
    assert [result.evaluated for result in done.report.results] == [9, 0, 1, 2, 0, 0, 0, 1]
    assert unseen(done.report) == [
        ("type checks of admission policies", 1),
        ("admission policies", 1),
        ("accounts of teams", 1),
    ]
    assert [(t.cluster, t.objects) for t in done.timings] == [("one", 9)]


@pytest.mark.cluster
def test_reports_each_refusal_where_it_was_written(binaries):
    done = verify(repository(apps=BAD), partial(running, binaries))
    lines = BAD.splitlines()
    found = [
        (f.check_id, lines[f.location.line - 1].partition("# ")[2], f.message)
        for f in done.report.findings
    ]
    assert sorted(f[:2] for f in found) == sorted(e[:2] for e in EXPECTED)
    for check, mark, text in EXPECTED:
        assert any(f[:2] == (check, mark) and text in f[2] for f in found), (mark, found)
    assert {f.location.path for f in done.report.findings} == {"apps/apps.yaml"}
    assert {f.severity for f in done.report.findings if f.check_id == "API002"} == {Severity.LOW}
    assert ("Unheard example.org/v1", 1) in unseen(done.report)


@pytest.mark.cluster
def test_says_when_the_server_has_another_version(binaries):
    done = verify(replace(repository(), kubernetes="1.30"), partial(running, binaries))
    assert ("the rules of Kubernetes 1.30", 1) in unseen(done.report)


@pytest.mark.cluster
def test_says_which_namespace_a_cluster_refuses(binaries):
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    said = {"expression": "object.metadata.name != 'flux-system'", "message": "not ours"}
    policy = {"matchConstraints": {"resourceRules": [rule | {"resources": ["namespaces"]}]}}
    binding = {"policyName": "ours", "validationActions": ["Deny"]}
    flux = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    group = "admissionregistration.k8s.io/v1"
    with running(binaries) as server:
        for kind, spec in (("", policy | {"validations": [said]}), ("Binding", binding)):
            whose = {"kind": f"ValidatingAdmissionPolicy{kind}", "metadata": {"name": "ours"}}
            path = f"/apis/{group}/validatingadmission{'policybindings' if kind else 'policies'}"
            body = {"apiVersion": group, **whose, "spec": spec}
            assert server.client.send(Request("POST", path, body)).ok
        wanted = apply("/api/v1/namespaces/flux-system", flux, dry_run=True)
        eventually(lambda: not server.client.send(wanted).ok, 30)
        with pytest.raises(ToolError) as caught:
            verify(repository(), partial(contextlib.nullcontext, server))
    assert caught.value.id == "verify.namespace"
    assert "the cluster refuses the namespace flux-system" in str(caught.value)
    assert "not ours" in str(caught.value)


@pytest.mark.cluster
def test_two_servers_side_by_side_share_nothing(binaries):
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}}
    with running(binaries) as one, running(binaries) as two:
        assert one.client.send(apply("/api/v1/namespaces/mine", body, dry_run=False)).ok
        assert one.client.get("/api/v1/namespaces/mine").status == 200
        assert two.client.get("/api/v1/namespaces/mine").status == 404


@pytest.mark.cluster
def test_says_which_program_was_killed(binaries):
    def kill(text: str) -> None:
        if "Kustomization" in text:
            (victim,) = named(children(os.getpid()), "kube-apiserver")
            os.kill(victim, signal.SIGKILL)

    with pytest.raises(ToolError) as caught:
        verify(repository(), partial(running, binaries), progress=kill)
    assert caught.value.id == "apiserver.ended"
    assert "kube-apiserver ended while it was needed" in str(caught.value)
    assert children(os.getpid()) == []


@pytest.mark.cluster
def test_takes_the_next_port_when_one_is_in_use(binaries):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports = iter((listener.getsockname()[1], unused_port()))
        with running(binaries, free_port=partial(next, ports)) as server:
            assert server.client.get("/readyz").ok


@pytest.mark.cluster
def test_gives_up_when_every_port_is_in_use(binaries):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with pytest.raises(ToolError) as caught, running(binaries, free_port=lambda: taken):
            pass
    assert caught.value.id == "apiserver.port"


@pytest.mark.cluster
def test_ends_when_the_time_is_over(binaries):
    with pytest.raises(ToolError) as caught:
        verify(repository(), partial(running, binaries, deadline=0))
    assert caught.value.id == "verify.timeout"


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_leaves_nothing_behind_when_it_is_ended(binaries, tmp_path, number, code):
    root, scratch = write(tmp_path / "repository"), tmp_path / "scratch"
    scratch.mkdir()
    env = os.environ | {
        "TMPDIR": str(scratch),
        "GROUNDPLAN_ETCD": str(binaries.etcd),
        "GROUNDPLAN_KUBE_APISERVER": str(binaries.kube_apiserver),
    }
    argv = [sys.executable, "-m", "groundplan", "verify", str(root), "--on", "apiserver"]
    # A shell that runs the tests in the background has them ignore interrupts, and all they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE) as process:
        eventually(lambda: named(children(process.pid), "kube-apiserver") or process.poll())
        started = children(process.pid)
        process.send_signal(number)
        assert process.wait(60) == code
    eventually(lambda: not any(map(runs, started)))
    eventually(lambda: not list(scratch.glob("groundplan-*")))


@pytest.mark.cluster
def test_command_prints_findings_and_their_exit_code(binaries, tmp_path):
    root = write(tmp_path, BAD)
    argv = [sys.executable, "-m", "groundplan", "verify", str(root), "--on", "apiserver"]
    env = os.environ | {
        "GROUNDPLAN_ETCD": str(binaries.etcd),
        "GROUNDPLAN_KUBE_APISERVER": str(binaries.kube_apiserver),
    }
    done = subprocess.run([*argv, "--format", "json"], env=env, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    found = {finding["check"] for finding in json.loads(done.stdout)["findings"]}
    assert found == {"API001", "API002", "API003"}
    assert b"one: 15 objects in" in done.stderr


def test_refuses_to_start_on_a_full_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024))
    nowhere = Binaries(tmp_path / "etcd", tmp_path / "kube-apiserver")
    with pytest.raises(ToolError) as caught, running(nowhere):
        pass
    assert caught.value.id == "apiserver.no-space"


@pytest.mark.cluster
def test_a_kind_is_defined_where_others_of_its_group_are(binaries: Binaries) -> None:
    """As on a cluster that already has some of an engine's kinds."""
    flux, store = "source.toolkit.fluxcd.io", default_store("1.37")
    source = """apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: groundplan, namespace: default}
spec: {interval: 1h, url: "https://github.com/acme/groundplan"}
"""
    with running(binaries) as server:
        define(server.client, [store.crd_for(flux, "Bucket")])
        with_some = partial(contextlib.nullcontext, server)
        assert verify(control_planes.repository(work=source), with_some).report.findings == ()


def test_names_the_program_that_is_missing(tmp_path):
    nowhere = Binaries(tmp_path / "etcd", tmp_path / "kube-apiserver")
    with pytest.raises(ToolError) as caught, running(nowhere):
        pass
    assert caught.value.id == "tool.missing"


def test_a_repository_without_clusters_is_not_evaluated():
    with pytest.raises(NotEvaluatedError) as caught:
        verify(SimpleNamespace(clusters=(), locate=None), None)
    assert caught.value.id == "verify.no-cluster"


def test_an_unknown_cluster_is_refused_with_those_there_are():
    with pytest.raises(UsageError) as caught:
        verify(repository(), None, only="two")
    assert str(caught.value) == "there is no cluster two; there are: one [verify.unknown-cluster]"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("spec.ports[0].port", "/spec/ports/0/port"),
        ('.spec.containers[name="b"].image', "/spec/containers/1/image"),
        ('.spec.ports[containerPort=0,protocol="TCP"].x', "/spec/ports/0/x"),
        ("metadata.labels[example.com/owner]", "/metadata/labels/example.com~1owner"),
        ("data.tls.crt", "/data/tls.crt"),
        ("", ""),
    ],
)
def test_reads_the_servers_notation_of_a_field(field, expected):
    body = {
        "spec": {"ports": [{"x": 1}], "containers": [{"name": "a"}, {"name": "b"}]},
        "data": {"tls.crt": ""},
    }
    assert pointer(field, body) == expected


def test_every_cause_of_a_refusal_is_a_fault_of_its_own():
    causes = [{"field": "spec.a", "message": "bad"}, {"field": "spec.b", "message": "worse"}]
    found = faults({"message": "m", "details": {"causes": causes}}, {})
    assert [(f.pointer, f.message) for f in found] == [
        ("/spec/a", "spec.a: bad"),
        ("/spec/b", "spec.b: worse"),
    ]


def test_a_refusal_without_causes_is_one_fault():
    (fault,) = faults({"message": "no\nway"}, {})
    assert (fault.pointer, fault.message) == ("", "no way")


def test_a_stateful_sets_pod_has_the_volumes_of_its_claims():
    body = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "template": {"spec": {"containers": []}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        },
    }
    made = pod(Resource.of(body, Origin("db.yaml")))
    assert made["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
    ]


def test_a_request_refuses_unknown_fields_and_can_be_a_dry_run():
    assert apply("/x", {}, dry_run=True) == Request(
        "PATCH",
        "/x?fieldManager=groundplan&fieldValidation=Strict&force=true&dryRun=All",
        {},
        "application/apply-patch+yaml",
    )
