"""Exceptions: what is said of each, how old git says it is, and what the API server makes of it."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan import checks
from groundplan.cli.posture import command
from groundplan.errors import UsageError
from groundplan.posture.exceptions import component, history, reading, states
from groundplan.posture.exceptions.model import State
from groundplan.posture.exceptions.suppressions import suppressions
from groundplan.process import Command
from groundplan.repository import Repository
from groundplan.runners.apiserver import Binaries, running
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from groundplan.verify import verify
from tests.gitops_trees import gotk_sync
from tests.programs import program
from tests.rendering import BLUEPRINTS
from tests.test_policies import UNIT

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 27)
POLICY = """apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: host-001.example.org, labels: {groundplan.dev/severity: critical}}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  validations:
    - {expression: "!object.spec.?hostNetwork.orValue(false)", message: "HOST-001: no host network"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: host-001.example.org}
spec: {policyName: host-001.example.org, validationActions: [Deny]}
---
apiVersion: v1
kind: Namespace
metadata: {name: web}
"""
OF_KYVERNO = """apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: host-001.example.org, labels: {groundplan.dev/severity: critical}}
spec:
  validationActions: [Deny]
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  validations:
    - {expression: "!object.spec.?hostNetwork.orValue(false)", message: "HOST-001: no host network"}
---
apiVersion: v1
kind: Namespace
metadata: {name: web}
"""
BASE = "resources: [policy.yaml]\ncomponents: [../posture/exceptions]\n"
RENDERED = BLUEPRINTS / "repo" / "posture" / "exceptions"
PRACTICE = {"policies": ["prerequisite/on_call"]}
WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: true
      containers: [{name: web, image: registry.example/web:1.0.0}]
"""
SPEC: dict[str, Any] = {
    "policies": ["HOST-001"],
    "scope": {"namespaces": ["web"], "names": ["web"]},
    "owner": "team-web",
    "approver": "security",
    "reason": "The old load balancer sends to the host's port.",
    "createdAt": "2026-11-20",
    "expiresAt": "2026-12-20",
}


def written(name: str = "web", **changes: Any) -> bytes:
    spec = {key: value for key, value in {**SPEC, **changes}.items() if value is not None}
    head = {"apiVersion": "posture.groundplan.dev/v1", "kind": "PostureException"}
    return yaml.safe_dump({**head, "metadata": {"name": name}, "spec": spec}).encode()


def repository(
    *exceptions: bytes, workloads: tuple[str, ...] = ("web",), policy: str = POLICY
) -> Repository:
    files: dict[str, str | bytes] = {
        "clusters/one/base.yaml": UNIT.format(name="base", needs=""),
        "clusters/one/apps.yaml": UNIT.format(name="apps", needs="{name: base}"),
        "base/policy.yaml": policy,
        "base/kustomization.yaml": BASE,
        "apps/apps.yaml": "---\n".join(WEB.replace("NAME", name) for name in workloads),
        component.PATH: (RENDERED / "kustomization.yaml").read_bytes(),
    }
    for number, content in enumerate(exceptions):
        files[f"posture/exceptions/{number}.yaml"] = content
    return loaded(files)


def loaded(files: dict[str, Any]) -> Repository:
    tree = Tree.of(files)
    return Repository.of(tree, schemas=default_store("1.37"), charts=default_charts())


def standing_of(*exceptions: bytes, today: date = TODAY, **repo: Any) -> states.Standing:
    """What is said of the last one."""
    found = repository(*exceptions, **repo)
    declared, faults = reading.read(found.tree.files)
    assert faults == ()
    return states.standings(found, declared, {}, today)[-1]


@pytest.mark.parametrize(
    ("changes", "today", "expected"),
    [
        ({}, TODAY, {State.ACTIVE}),
        ({}, date(2026, 12, 6), {State.EXPIRING}),
        ({}, date(2026, 12, 20), {State.EXPIRING}),
        ({}, date(2026, 12, 21), {State.EXPIRED}),
        ({"expiresAt": "2026-12-21"}, TODAY, {State.ENDLESS}),
        ({"expiresAt": None}, TODAY, {State.ENDLESS}),
        ({"owner": None}, TODAY, {State.UNOWNED}),
        ({"approver": "team-web"}, TODAY, {State.SELF_APPROVED}),
        ({"approver": None}, TODAY, {State.SELF_APPROVED}),
        ({"scope": {"namespaces": ["web"]}}, TODAY, {State.OVER_BROAD}),
        ({"scope": {"namespaces": ["web"], "names": ["gone"]}}, TODAY, {State.INERT}),
        (
            {"policies": ["prerequisite/on_call"], "scope": {}, "approver": None},
            TODAY,
            {State.ACTIVE},
        ),
    ],
)
def test_each_fault_of_an_exception_has_a_word(
    changes: dict[str, Any], today: date, expected: set[State]
) -> None:
    assert set(standing_of(written(**changes), today=today).states) == expected


def test_an_exception_inside_another_is_in_its_shadow() -> None:
    wide = written("wide", scope={"namespaces": ["web"], "names": ["web", "api"]})

    assert State.SHADOWED in standing_of(wide, written("narrow")).states
    assert State.SHADOWED not in standing_of(written("narrow"), wide).states
    assert State.SHADOWED in standing_of(written("one"), written("again")).states


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": ["*"]}, "must list the ids of the policies, and not *"),
        ({"policies": None}, "must list the ids of the policies, and not *"),
        ({"scope": {"namespaces": ["*"]}}, "must be a list of names without *"),
        ({"scope": {"namespace": ["web"]}}, "unknown field namespace; did you mean namespaces?"),
        ({"expires": "2026-12-01"}, "unknown field expires"),
        ({"expiresAt": "soon"}, "'soon' is no date; write it as \"2026-12-31\""),
        ({"owner": ["team-web"]}, "must be a text"),
    ],
)
def test_what_is_written_wrongly_is_said(changes: dict[str, Any], message: str) -> None:
    found, faults = reading.read({"posture/exceptions/web.yaml": written(**changes)})

    assert found == ()
    [fault] = faults
    assert fault.message.startswith(message)
    assert fault.location.line > 0


def commit(folder: Path, day: str, **files: bytes | None) -> None:
    """What git remembers of one day; a file without content was removed."""
    for name, content in files.items():
        path = folder / "posture" / "exceptions" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if content is None else path.write_bytes(content)
    when = f"{day}T12:00:00Z"
    env = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", day)):
        Command(("git", *words), cwd=folder, env=env).run()


def test_age_is_gits_and_survives_renaming(tmp_path: Path) -> None:
    commit(tmp_path, "2026-06-01", first=written("web", createdAt="2026-11-26"))
    commit(tmp_path, "2026-07-01", first=None, second=written("other-name", expiresAt="2027-01-20"))
    commit(tmp_path, "2026-08-01", second=written("other-name", expiresAt="2027-02-20"))
    [key] = next(iter(reading.read({"posture/exceptions/x.yaml": written()})[0])).keys

    age = history.ages(tmp_path)[key]
    assert age.first == date(2026, 6, 1)
    assert age.renewals == 2


def test_without_git_no_age_is_made_up(tmp_path: Path) -> None:
    assert history.ages(tmp_path) == {}


def test_words_to_scanners_and_engines_are_exceptions_of_nobody() -> None:
    web = WEB.replace("NAME", "web").replace(
        "namespace: web}",
        "namespace: web, annotations: {kubescape.io/skip-controls: 'C-0057, C-0038',"
        " ignore-check.kube-linter.io/host-network: why not,"
        " polaris.fairwinds.com/hostNetworkSet-exempt: 'true', datree.skip/K8S_HOST: why not,"
        " kube-linter.io/ignore-all: why not, kube-score/ignore: pod-probes}}",
    )
    files = {
        "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
        "clusters/one/web.yaml": f"{web}# checkov:skip=CKV_K8S_19: why not\n"
        "# trivy:ignore:AVD-KSV-0010\n",
        ".trivyignore": "# none of ours\nAVD-KSV-0009\n",
        ".trivyignore.yaml": "misconfigurations:\n  - id: AVD-KSV-0011\n",
        ".kube-linter.yaml": "checks:\n  exclude: [run-as-non-root]\n",
        ".checkov.yaml": "skip-check: [CKV_K8S_20]\n",
    }
    found = {s.name: s.location for s in suppressions(loaded(files), ())}

    assert {name: place.path for name, place in found.items()} == {
        "kubescape/C-0057": "clusters/one/web.yaml",
        "kubescape/C-0038": "clusters/one/web.yaml",
        "kube-linter/host-network": "clusters/one/web.yaml",
        "polaris/hostNetworkSet": "clusters/one/web.yaml",
        "checkov/CKV_K8S_19": "clusters/one/web.yaml",
        "trivy/AVD-KSV-0009": ".trivyignore",
        "datree/K8S_HOST": "clusters/one/web.yaml",
        "kube-linter/all": "clusters/one/web.yaml",
        "kube-score/pod-probes": "clusters/one/web.yaml",
        "trivy/AVD-KSV-0010": "clusters/one/web.yaml",
        "trivy/AVD-KSV-0011": ".trivyignore.yaml",
        "kube-linter/run-as-non-root": ".kube-linter.yaml",
        "checkov/CKV_K8S_20": ".checkov.yaml",
    }
    assert found["trivy/AVD-KSV-0009"].line == found["trivy/AVD-KSV-0011"].line == 2


def put_in(found: Repository, today: date = TODAY) -> Repository:
    """The repository after `posture exceptions --write`."""
    declared, _ = reading.read(found.tree.files)
    said = states.standings(found, declared, {}, today)
    written = {path: text for path, text in component.files(found, said).items() if text}
    return loaded({**found.tree.files, **written})


def refused(found: Repository) -> list[str]:
    report = checks.run(found, only=["ADM001"])
    assert [o for result in report.results for o in result.not_evaluated] == []
    return sorted(f.resource.name for f in report.findings if f.resource)


@pytest.mark.parametrize("policy", [POLICY, OF_KYVERNO], ids=["native", "kyverno"])
def test_an_exception_spares_what_it_names_and_nothing_else_until_it_ends(policy: str) -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    found = repository(written(), workloads=("api", "web"), policy=policy)

    assert refused(found) == ["api", "web"]
    assert refused(put_in(found)) == ["api"]
    assert refused(put_in(found, date(2026, 12, 21))) == ["api", "web"]


def test_an_exception_of_kyverno_says_who_and_until_when() -> None:
    found = put_in(repository(written(), policy=OF_KYVERNO))
    [exception] = [r.body for r in found.resources if r.id.kind == "PolicyException"]

    assert exception["metadata"] == {"name": "web", "namespace": "kyverno"}
    assert exception["spec"]["policyRefs"] == [
        {"kind": "ValidatingPolicy", "name": "host-001.example.org"}
    ]
    assert exception["spec"]["expiresAt"] == "2026-12-20T23:59:59Z"
    assert exception["spec"]["properties"] == {
        name: SPEC[name] for name in ("owner", "approver", "reason")
    }
    report = checks.run(found, only=["SCH001", "EXC001"])
    assert report.findings == ()
    assert put_in(found, date(2026, 12, 21)).tree.files[component.PATH].count(b"resources") == 0


def test_an_exception_for_some_clusters_is_not_put_into_what_all_share() -> None:
    scope = {"clusters": ["two"], "namespaces": ["web"], "names": ["web"]}

    with pytest.raises(UsageError, match="web is not for one, and every cluster has the same"):
        put_in(repository(written(scope=scope)))
    # What admission does not judge is written nowhere, so it may be for some clusters.
    found = put_in(repository(written(scope=scope, policies=["NET-006"])))
    assert yaml.safe_load(found.tree.files[component.PATH])["patches"] == []


@pytest.mark.cluster
def test_an_api_server_spares_what_an_exception_names() -> None:
    binaries = Binaries(program("etcd"), program("kube-apiserver"))
    found = put_in(repository(written(), workloads=("api", "web")))

    done = verify(found, partial(running, binaries))
    assert [f.resource.name for f in done.report.findings if f.resource] == ["api"]


@pytest.mark.parametrize(
    ("changes", "today", "code"),
    [
        ({}, "2026-11-27", 0),
        ({}, "2026-12-21", 5),
        ({"owner": None}, "2026-11-27", 5),
        ({"expiresAt": "soon"}, "2026-11-27", 5),
    ],
)
def test_the_exit_code_says_whether_somebody_must_act(
    changes: dict[str, Any], today: str, code: int, tmp_path: Path
) -> None:
    for path, content in repository(written(**changes)).tree.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    words = ["exceptions", str(tmp_path), "--today", today, "--format", "json"]
    result = CliRunner().invoke(command, words, standalone_mode=False)

    assert result.return_value == code, result.output
    said = json.loads(result.output)
    assert said["schema"] == "groundplan.dev/posture-exceptions/v1"
    assert len(said["exceptions"]) + len(said["unreadable"]) == 1
