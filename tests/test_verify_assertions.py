"""What must hold on a cluster, each on a repository that keeps it and on one that does not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from groundplan.findings import Passed, Report
from groundplan.runners.apiserver import Binaries, running
from groundplan.verify import verify
from tests import control_planes
from tests.rendering import rendered

if TYPE_CHECKING:
    from groundplan.verify import Verification

pytestmark = pytest.mark.cluster

TEAM = """apiVersion: v1
kind: Namespace
metadata:
  name: {name}
  labels:
    groundplan.dev/owner: {name}
    groundplan.dev/tenant: {name}
    pod-security.kubernetes.io/enforce: restricted
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: team, namespace: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "acme:{name}"}}]
---
apiVersion: v1
kind: ResourceQuota
metadata: {{name: namespace, namespace: {name}}}
spec:
  hard:
    requests.cpu: "4"
    limits.memory: 16Gi
    requests.storage: 50Gi
    requests.nvidia.com/gpu: "2"
    gpu.example.com.deviceclass.resource.k8s.io/devices: "1"
    services.loadbalancers: "0"
    pods: "50"
---
apiVersion: v1
kind: ResourceQuota
metadata: {{name: priorities, namespace: {name}}}
spec:
  hard: {{pods: "0"}}
  scopeSelector:
    matchExpressions:
      - {{scopeName: PriorityClass, operator: In, values: [system-node-critical]}}
---
"""
TEAMS = TEAM.format(name="books") + TEAM.format(name="games")


def policy(name: str) -> str:
    """A policy of the template with its binding, as a growing platform has it."""
    tree = rendered("flux", "growing", ("kind",))
    return tree.files[f"components/policies/{name}.yaml"].decode() + "\n---\n"


def verified(binaries: Binaries, **folders: str) -> Verification:
    return verify(control_planes.repository(**folders), partial(running, binaries))


def found(report: Report) -> list[tuple[str, str, str]]:
    return [(f.check_id, str(f.resource), f.message) for f in report.findings]


def passed(report: Report, check: str) -> int:
    (result,) = (result for result in report.results if result.check_id == check)
    return sum(outcome.count for outcome in result.outcomes if isinstance(outcome, Passed))


def test_all_of_it_holds_where_it_should(binaries):
    policies = policy("pod-001") + policy("rbac-002") + policy("pod-008")
    report = verified(binaries, policies=policies, teams=TEAMS).report
    assert found(report) == []
    # Policies and bindings; policies; two accounts of each team and what they may not do.
    assert [passed(report, f"API00{n}") for n in (4, 5)] == [6, 3]
    assert passed(report, "API006") == 4 * (7 + 3 + 8)
    assert passed(report, "API007") == 4 * (1 + 1 + 3)
    assert passed(report, "API008") == 2 * 7


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[Deny, Audit]", "[Audit, Warn]", ""),
        ("object.?rules", "true || object.?rules", "what RBAC-002 forbids was accepted"),
        ("kind: ValidatingAdmissionPolicyBinding", "kind: Elsewhere", "has no binding"),
        ('message: "RBAC-002', 'message: "RBAC', "refused, but not by it"),
    ],
)
def test_a_policy_must_refuse_what_it_is_there_for(binaries, old, new, said):
    text = policy("rbac-002")
    assert old in text
    report = verified(binaries, policies=text.replace(old, new)).report
    said_of_it = [message for check, _, message in found(report) if check == "API005"]
    assert len(said_of_it) == bool(said)
    assert all(said in message for message in said_of_it)


def test_an_account_must_not_reach_what_is_not_its_own(binaries):
    rights = """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: too-much}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: too-much}
subjects: [{kind: ServiceAccount, name: default, namespace: games}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: too-much}
rules:
  - {apiGroups: [""], resources: [secrets], verbs: [list]}
  - {apiGroups: [""], resources: [namespaces], verbs: [patch]}
"""
    report = verified(binaries, rights=rights, teams=TEAMS).report
    account = "system:serviceaccount:games:default"
    assert {(check, message) for check, _, message in found(report)} == {
        ("API006", f"{account} may patch namespaces in games"),
        ("API006", f"{account} may list secrets in books"),
        ("API006", f"{account} may list secrets of the whole cluster"),
        ("API007", f"{account} could read the secrets of books: 200 HTTP status 200"),
        (
            "API007",
            f"{account} could take the label pod-security.kubernetes.io/enforce from games: "
            "200 HTTP status 200",
        ),
    }


GUARD = """apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editors, namespace: games}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "acme:games"}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: games, labels: {groundplan.dev/held-by: platform}}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
"""


@pytest.mark.parametrize("held", [True, False])
def test_what_guards_a_namespace_stays(binaries, held):
    policies = policy("ten-001") if held else policy("pod-001")
    report = verified(binaries, policies=policies, teams=TEAMS + GUARD).report
    message = "group acme:games could delete NetworkPolicy games/default-deny"
    said = [f.message for f in report.findings if f.check_id == "API007"]
    assert [text.partition(":")[0] for text in said] == ([] if held else ["group acme"])
    assert all(text.startswith(message) for text in said)


def test_a_quota_must_stop_what_exceeds_it(binaries):
    ineffective = TEAMS.replace("requests.nvidia.com/gpu", "limits.nvidia.com/gpu")
    report = verified(binaries, teams=ineffective).report
    assert passed(report, "API008") == 2 * 6
    message = "more limits.nvidia.com/gpu than allowed was accepted"
    assert [f.message for f in report.findings] == [message] * 2
