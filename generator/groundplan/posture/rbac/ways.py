"""How permissions become more permissions: the table of the escalation closure.

Sources: "Role Based Access Control Good Practices" of the Kubernetes documentation, sections 5.1 of
the CIS Benchmark, and for what the engines bring, their own documentation. Kinds that make pods and
are not named here do not count; that somebody may create them is said at level 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from groundplan.posture.rbac.rules import Atom

WRITE = frozenset({"create", "update", "patch"})
READ = frozenset({"get", "list", "watch"})
RBAC = "rbac.authorization.k8s.io"


class Need(NamedTuple):
    """One of some verbs on one of some resources."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]

    def met(self, atom: Atom) -> bool:
        """Whether an atom allows it, at least for one name."""
        if not atom.resource or (atom.verb != "*" and atom.verb not in self.verbs):
            return False
        if atom.group != "*" and atom.group not in self.groups:
            return False
        head, _, sub = atom.resource.partition("/")
        if head == "*" and sub:
            return any(resource.endswith(f"/{sub}") for resource in self.resources)
        return atom.resource == "*" or atom.resource in self.resources


class Whom(Enum):
    """Whose permissions a way leads to."""

    NOBODY = "nobody's"
    ACCOUNTS = "those of every service account there"
    RUNNING = "those of the pods that run there"
    NAMED = "those of the service accounts that are named"
    PEOPLE = "those of the users and groups that are named"
    ROLES = "those of the role that is named"
    EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Way:
    """What to hold, and what it gives."""

    id: str
    needs: tuple[Need, ...]
    whom: Whom = Whom.NOBODY
    power: str = ""
    """What it gives beside permissions, as the rest of `may control ...`."""
    cluster: bool = False
    """Whether it is a matter of the whole cluster, wherever it is held."""
    alone: bool = False
    """Whether one requester must hold all that is needed, because one request asks for it."""


def _need(verbs: frozenset[str] | str, groups: str, resources: str) -> Need:
    wanted = frozenset(verbs.split()) if isinstance(verbs, str) else verbs
    named = frozenset(group.replace("core", "") for group in groups.split())
    return Need(wanted, named, frozenset(resources.split()))


_MAKERS = _need(
    WRITE,
    "core apps batch argoproj.io jobset.x-k8s.io leaderworkerset.x-k8s.io ray.io serving.kserve.io"
    " serving.knative.dev tekton.dev trainer.kubeflow.org kubeflow.org",
    "pods deployments statefulsets daemonsets replicasets replicationcontrollers jobs cronjobs"
    " workflows cronworkflows rollouts jobsets leaderworkersets rayclusters rayjobs rayservices"
    " inferenceservices services taskruns pipelineruns trainjobs notebooks pytorchjobs",
)
_POLICIES = (
    "validatingwebhookconfigurations validatingadmissionpolicies validatingadmissionpolicybindings"
    " clusterpolicies policies validatingpolicies imagevalidatingpolicies policyexceptions"
)
_POLICY_GROUPS = (
    "admissionregistration.k8s.io kyverno.io policies.kyverno.io templates.gatekeeper.sh"
    " constraints.gatekeeper.sh config.gatekeeper.sh"
)
_BINDINGS = _need(WRITE, RBAC, "rolebindings clusterrolebindings")
_SECRETS = "the Secrets"

WAYS = (
    Way("E1", (_MAKERS,), Whom.ACCOUNTS, _SECRETS),
    Way(
        "E2",
        (_need("create get", "core", "pods/exec pods/attach pods/portforward"),),
        Whom.RUNNING,
    ),
    Way("E2", (_need("update patch", "core", "pods/ephemeralcontainers"),), Whom.RUNNING),
    Way("E3", (_need("create", "core", "serviceaccounts/token"),), Whom.NAMED),
    Way("E4", (_need(READ, "core", "secrets"),), power=_SECRETS),
    Way(
        "E4",
        (_need(WRITE, "core", "secrets"), _need(READ, "core", "secrets")),
        Whom.ACCOUNTS,
    ),
    Way("E5", (_need("bind", RBAC, "roles clusterroles"), _BINDINGS), Whom.ROLES, alone=True),
    Way(
        "E6",
        (
            _need("escalate", RBAC, "roles clusterroles"),
            _need(WRITE, RBAC, "roles clusterroles"),
        ),
        Whom.EVERYTHING,
        alone=True,
    ),
    Way(
        "E8",
        (
            _need(
                "impersonate impersonate:serviceaccount",
                "core authentication.k8s.io",
                "serviceaccounts",
            ),
        ),
        Whom.NAMED,
    ),
    Way(
        "E8",
        (
            _need(
                "impersonate impersonate:user-info",
                "core authentication.k8s.io",
                "users groups",
            ),
        ),
        Whom.PEOPLE,
        cluster=True,
    ),
    Way("E9", (_need("get create", "core", "nodes/proxy"),), Whom.RUNNING, cluster=True),
    Way(
        "E10",
        (
            _need("create", "certificates.k8s.io", "certificatesigningrequests"),
            _need("update patch", "certificates.k8s.io", "certificatesigningrequests/approval"),
            _need("approve", "certificates.k8s.io", "signers"),
        ),
        Whom.EVERYTHING,
        cluster=True,
    ),
    Way(
        "E11",
        (
            _need(
                WRITE,
                "admissionregistration.k8s.io",
                "mutatingwebhookconfigurations mutatingadmissionpolicies",
            ),
        ),
        Whom.EVERYTHING,
        cluster=True,
    ),
    Way("E11", (_need(WRITE | {"delete"}, _POLICY_GROUPS, _POLICIES),), power="what is admitted"),
    Way("E12", (_need("update patch", "core", "namespaces"),), power="the pod security"),
    Way(
        "E13",
        (_need("create", "core", "persistentvolumes"),),
        power="the files of nodes",
        cluster=True,
    ),
    Way(
        "E14",
        (_need("update patch", "core", "nodes nodes/status"),),
        power="where pods run",
        cluster=True,
    ),
    Way(
        "E15",
        (
            _need(
                WRITE | {"delete"},
                "networking.k8s.io policy.networking.k8s.io cilium.io crd.projectcalico.org",
                "networkpolicies clusternetworkpolicies globalnetworkpolicies"
                " ciliumnetworkpolicies ciliumclusterwidenetworkpolicies",
            ),
        ),
        power="the network",
    ),
    Way(
        "E16",
        (_need(WRITE, "argoproj.io", "applications applicationsets appprojects"),),
        power="what Argo CD applies",
    ),
    Way(
        "E16",
        (
            _need(
                WRITE,
                "kustomize.toolkit.fluxcd.io helm.toolkit.fluxcd.io source.toolkit.fluxcd.io",
                "kustomizations helmreleases gitrepositories ocirepositories buckets",
            ),
        ),
        power="what Flux applies",
    ),
    Way(
        "E17",
        (
            _need(
                WRITE,
                "external-secrets.io bitnami.com",
                "externalsecrets secretstores clustersecretstores sealedsecrets",
            ),
        ),
        power="what is read from secret stores",
    ),
    Way(
        "E18",
        (
            _need(
                "update patch",
                "resource.k8s.io",
                "resourceclaims/driver resourceclaims/binding resourceclaims/status",
            ),
        ),
        power="the devices of others",
    ),
)
