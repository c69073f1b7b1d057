"""Whether a team's accounts are kept to what is theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from groundplan.findings import Passed, Severity, Skipped
from groundplan.runners.client import Request
from groundplan.verify.assertions import Assertion, Scene
from groundplan.verify.questions import Question
from groundplan.verify.record import Broken, Said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundplan.resources import Resource

TENANT = "groundplan.dev/tenant"
"""The label of a team's namespaces."""

HELD = "groundplan.dev/held-by"
"""The label of what guards a team's namespace and is not the team's to change."""

_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

_ELSEWHERE = (("get", "", "secrets"), ("list", "", "secrets"), ("create", _RBAC, "rolebindings"))
"""What no account of a team may do in a namespace that is not the team's."""

_OWN_GUARDS = (
    ("patch", "", "namespaces"),
    ("delete", "", "namespaces"),
    ("patch", "", "resourcequotas"),
    ("delete", "", "resourcequotas"),
    ("patch", "", "limitranges"),
    ("bind", _RBAC, "roles"),
    ("escalate", _RBAC, "roles"),
)
"""What it may not do to what guards its own namespace."""

_CLUSTER = (
    ("patch", _ADMISSION, "validatingadmissionpolicies"),
    ("delete", _ADMISSION, "validatingadmissionpolicies"),
    ("patch", _ADMISSION, "validatingadmissionpolicybindings"),
    ("delete", _ADMISSION, "validatingadmissionpolicybindings"),
    ("create", _RBAC, "clusterrolebindings"),
    ("impersonate", "", "users"),
    ("list", "", "secrets"),
    ("create", "", "namespaces"),
)
"""What it may not do at all."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who acts for a team in one of its namespaces."""

    namespace: Resource
    user: str
    groups: tuple[str, ...]

    def __str__(self) -> str:
        return self.user or f"group {self.groups[0]}"


def _kept_apart(scene: Scene) -> Iterator[Said]:
    """Ask for each account whether it may do what it should not."""
    namespaces = {space.id.name: _tenant(space) for space in scene.of("Namespace")}
    accounts = list(_accounts(scene))
    if not accounts:
        yield Skipped("accounts of teams", "no namespace is labelled as a team's")
    asked: list[tuple[Account, str, dict[str, Any]]] = []
    for account in accounts:
        own = account.namespace.id.name
        foreign = [name for name, tenant in namespaces.items() if tenant != namespaces[own]]
        asked += [(account, *said) for said in _attempts(own, foreign)]
    reviews = (_review(account, attributes) for account, _, attributes in asked)
    for (account, what, _), answer in zip(asked, scene.client.send_all(reviews), strict=True):
        allowed = answer.ok and answer.body["status"]["allowed"]
        yield Broken(account.namespace, f"{account} may {what}") if allowed else Passed()


def _attempts(own: str, foreign: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that an account may not do, in words and as a review asks for it."""
    for verb, group, resource in _OWN_GUARDS:
        name = own if resource == "namespaces" else ""
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": own}
        yield f"{verb} {resource} in {own}", {**attributes, "name": name}
    for space in foreign:
        for verb, group, resource in _ELSEWHERE:
            attributes = {"verb": verb, "group": group, "resource": resource, "namespace": space}
            yield f"{verb} {resource} in {space}", attributes
    for verb, group, resource in _CLUSTER:
        attributes = {"verb": verb, "group": group, "resource": resource}
        yield f"{verb} {resource} of the whole cluster", attributes


def _review(account: Account, attributes: dict[str, Any]) -> Request:
    subject = {"user": account.user, "groups": list(account.groups)}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"resourceAttributes": attributes, **{k: v for k, v in subject.items() if v}},
    }
    return Request("POST", _REVIEWS, body)


def _turned_down(scene: Scene) -> Iterator[Said]:
    """Make the requests themselves, in the account's name; those that change are dry runs."""
    policies = scene.of("ValidatingAdmissionPolicy")
    namespaces = scene.of("Namespace")
    for account in _accounts(scene):
        foreign = [space for space in namespaces if _tenant(space) != _tenant(account.namespace)]
        held = _held(scene, account.namespace.id.name)
        user = account.user or "nobody"
        for what, plain in (
            *_requests(account.namespace.id.name, foreign, policies),
            *held,
        ):
            answer = scene.client.send(replace(plain, user=user, groups=account.groups))
            if answer.status == 403 or "denied request" in answer.message:
                yield Passed()
            elif answer.status == 404:
                yield Skipped("what the platform holds", "a server of dry runs has not all of it")
            else:
                said = f"{account} could {what}: {answer.status} {answer.message[:200]}"
                yield Broken(account.namespace, said)


def _requests(
    own: str, foreign: Iterable[Resource], policies: Iterable[Resource]
) -> Iterator[tuple[str, Request]]:
    """What a person would try first."""
    label = "pod-security.kubernetes.io/enforce"
    patch = {"metadata": {"labels": {label: None}}}
    merge = "application/merge-patch+json"
    path = f"/api/v1/namespaces/{own}?dryRun=All"
    yield f"take the label {label} from {own}", Request("PATCH", path, patch, merge)
    for space in foreign:
        path = f"/api/v1/namespaces/{space.id.name}/secrets"
        yield f"read the secrets of {space.id.name}", Request("GET", path)
    for policy in policies:
        name = quote(policy.id.name, "")
        path = f"/apis/{_ADMISSION}/v1/validatingadmissionpolicies/{name}?dryRun=All"
        yield f"delete the policy {policy.id.name}", Request("DELETE", path)


def _held(scene: Scene, namespace: str) -> Iterator[tuple[str, Request]]:
    """Walk the attempts to remove what guards a namespace."""
    for resource in scene.resources:
        labels = resource.body["metadata"].get("labels") or {}
        served = scene.kinds.find(resource.id)
        if resource.id.namespace == namespace and HELD in labels and served is not None:
            path = f"{served.path(resource.id)}?dryRun=All"
            yield f"delete {resource.id}", Request("DELETE", path)


def _accounts(scene: Scene) -> Iterator[Account]:
    """Walk the service accounts of teams' namespaces, and the groups of people bound there."""
    for space in scene.of("Namespace"):
        if not _tenant(space):
            continue
        name = space.id.name
        declared = {r.id.name for r in scene.of("ServiceAccount") if r.id.namespace == name}
        for account in sorted(declared | {"default"}):
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{name}")
            user = f"system:serviceaccount:{name}:{account}"
            yield Account(space, user, (*groups, "system:authenticated"))
        for group in sorted(_groups(scene, name)):
            yield Account(space, "", (group, "system:authenticated"))


def _groups(scene: Scene, namespace: str) -> set[str]:
    return {
        subject["name"]
        for binding in scene.of("RoleBinding")
        if binding.id.namespace == namespace
        for subject in binding.body.get("subjects") or ()
        if subject.get("kind") == "Group"
    }


def _tenant(namespace: Resource) -> str:
    """Whose namespace it is; empty for the platform's."""
    return str((namespace.body["metadata"].get("labels") or {}).get(TENANT) or "")


KEPT_APART = Assertion(
    Question(
        "API006",
        "A team's accounts have no right over what is not theirs",
        Severity.HIGH,
        "take the right from the role, or the account from the binding",
    ),
    _kept_apart,
)
TURNED_DOWN = Assertion(
    Question(
        "API007",
        "A team's accounts are turned down when they try",
        Severity.HIGH,
        "take the right from the role, or the account from the binding",
    ),
    _turned_down,
)
