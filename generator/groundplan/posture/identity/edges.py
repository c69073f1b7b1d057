"""Who acts as whom outside the cluster: service accounts and their cloud principals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.pod_security_checks import items, mapping
from groundplan.resources import ResourceId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from groundplan.posture.model import State
    from groundplan.resources import Resource

_ANNOTATIONS = (
    ("eks.amazonaws.com/role-arn", "AWS role"),
    ("iam.gke.io/gcp-service-account", "Google service account"),
    ("azure.workload.identity/client-id", "Azure identity"),
)
_WIDE = {"roles/viewer": {"roles/editor", "roles/owner"}, "roles/editor": {"roles/owner"}}
"""Basic roles of Google Cloud that a basic role is part of."""


class Edge(NamedTuple):
    """A way from a subject of the cluster to a principal of a cloud."""

    subject: ResourceId
    kind: str
    """By what means; a subject has one principal by most of them."""
    says: str
    """As whom the subject acts, as the rest of a sentence."""
    resource: Resource
    pointer: str

    @property
    def arn(self) -> str:
        """The AWS role, if it is one."""
        return self.says.removeprefix("acts as AWS role ") if "AWS role" in self.kind else ""


def edges(state: State) -> Iterator[Edge]:
    """Find every way out of a cluster."""
    for resource in state.resources:
        read = _READERS.get(resource.id.kind)
        if read is not None:
            yield from read(resource)


def _account(namespace: str, name: str) -> ResourceId:
    return ResourceId("", "v1", "ServiceAccount", namespace, name)


def _service_account(account: Resource) -> Iterator[Edge]:
    """Read the annotations by which clouds know a service account."""
    if account.id.group:
        return
    written = mapping(account.body, "metadata", "annotations")
    subject = _account(account.id.namespace or "default", account.id.name)
    for name, what in _ANNOTATIONS:
        if written.get(name):
            pointer = f"/metadata/annotations/{name.replace('/', '~1')}"
            yield Edge(subject, what, f"acts as {what} {written[name]}", account, pointer)


def _pod_identity(association: Resource) -> Iterator[Edge]:
    """Read an EKS pod identity, of the AWS controllers or of Crossplane."""
    spec = mapping(association.body, "spec", "forProvider") or mapping(association.body, "spec")
    if not association.id.group.startswith("eks."):
        return
    subject = _account(str(spec.get("namespace", "")), str(spec.get("serviceAccount", "")))
    role, target = (
        spec.get(upper) or spec.get(lower) or ""
        for upper, lower in (("roleARN", "roleArn"), ("targetRoleARN", "targetRoleArn"))
    )
    then = f", and through it {target}" if target else ""
    yield Edge(
        subject, "AWS role by pod identity", f"acts as AWS role {role}{then}", association, "/spec"
    )
    if spec.get("disableSessionTags"):
        atom = "is not told apart by session tags"
        yield Edge(subject, "AWS session tags", atom, association, "/spec/disableSessionTags")


def _federated(credential: Resource) -> Iterator[Edge]:
    """Read an Azure identity that trusts a service account."""
    spec = mapping(credential.body, "spec", "forProvider") or mapping(credential.body, "spec")
    subject = str(spec.get("subject", ""))
    parts = subject.split(":")
    owner = mapping(spec, "owner").get("name") or spec.get("parentId") or ""
    account = len(parts) == 4 and subject.startswith("system:serviceaccount:")
    who = _account(*parts[2:]) if account else credential.id
    audiences = ", ".join(sorted(map(str, items(spec, "audiences") or items(spec, "audience"))))
    text = (
        f"acts as Azure identity {owner} with a token for {audiences} by {spec.get('issuer', '')}"
    )
    yield Edge(who, "Azure federation", text, credential, "/spec")


_GOOGLE_MEMBER = re.compile(r"(?:/subject/ns/|\[)(?P<ns>[^/\]]+)/(?:sa/)?(?P<sa>[^/\]]+)\]?$")


def _google_member(member: Resource) -> Iterator[Edge]:
    """Read one grant of Google Cloud's Config Connector."""
    spec = mapping(member.body, "spec")
    yield from _google(member, spec, str(spec.get("member", "")), "/spec")


def _google_policy(policy: Resource) -> Iterator[Edge]:
    """Read all grants on one thing of Google Cloud."""
    spec = mapping(policy.body, "spec")
    for index, bound in enumerate(map(mapping, items(spec, "bindings"))):
        for written in items(bound, "members"):
            name = written if isinstance(written, str) else str(mapping(written).get("member", ""))
            granted = {**bound, "resourceRef": spec.get("resourceRef")}
            yield from _google(policy, granted, name, f"/spec/bindings/{index}")


def _google(
    resource: Resource, granted: Mapping[str, Any], member: str, pointer: str
) -> Iterator[Edge]:
    if resource.id.group != "iam.cnrm.cloud.google.com":
        return
    found = _GOOGLE_MEMBER.search(member)
    named = resource.id._replace(kind="Member", namespace="", name=member)
    subject = _account(found["ns"], found["sa"]) if found else named
    where = mapping(granted, "resourceRef")
    what = f"{where.get('kind', '')} {where.get('external') or where.get('name', '')}"
    condition = mapping(granted, "condition").get("expression")
    when = f" if {condition}" if condition else ""
    text = f"has {granted.get('role', '')} on {what}{when}"
    yield Edge(subject, f"Google grant to {member}", text, resource, pointer)


def covers(old: Edge, new: Edge) -> bool:
    """Whether a grant of BASE already gave what a new one gives."""
    if (old.subject, old.kind) != (new.subject, new.kind):
        return False
    if old.says == new.says:
        return True
    whole, _, _ = new.says.partition(" if ")
    role, _, rest = whole.removeprefix("has ").partition(" on ")
    wider = {f"has {one} on {rest}" for one in (role, *_WIDE.get(role, ()))}
    return new.kind.startswith("Google grant") and old.says in wider


def _spiffe(registration: Resource) -> Iterator[Edge]:
    """Read what is known of a SPIFFE registration beside its selectors."""
    spec = mapping(registration.body, "spec")
    if not registration.id.group.startswith("spire."):
        return
    for name in ("admin", "downstream"):
        if spec.get(name):
            atom = f"has a SPIFFE identity with the power {name}"
            yield Edge(registration.id, f"SPIFFE {name}", atom, registration, f"/spec/{name}")
    for index, domain in enumerate(items(spec, "federatesWith")):
        text, pointer = f"trusts {domain}", f"/spec/federatesWith/{index}"
        yield Edge(registration.id, f"SPIFFE federation {domain}", text, registration, pointer)
    rest = {
        key: spec[key]
        for key in spec
        if key not in {"admin", "downstream", "federatesWith", "podSelector", "namespaceSelector"}
    }
    text = f"has a SPIFFE identity {json.dumps(rest, sort_keys=True)}"
    yield Edge(registration.id, "SPIFFE", text, registration, "/spec")


def _token(secret: Resource) -> Iterator[Edge]:
    """Read a Secret that holds a token which never ends."""
    if secret.id.group or secret.body.get("type") != "kubernetes.io/service-account-token":
        return
    named = mapping(secret.body, "metadata", "annotations")
    name = str(named.get("kubernetes.io/service-account.name", ""))
    subject = _account(secret.id.namespace or "default", name)
    text = f"has a token that never ends in the Secret {secret.id.name}"
    yield Edge(subject, f"token {secret.id.name}", text, secret, "/type")


_READERS: Mapping[str, Callable[[Resource], Iterator[Edge]]] = {
    "ServiceAccount": _service_account,
    "PodIdentityAssociation": _pod_identity,
    "FederatedIdentityCredential": _federated,
    "IAMPolicyMember": _google_member,
    "IAMPartialPolicy": _google_policy,
    "IAMPolicy": _google_policy,
    "ClusterSPIFFEID": _spiffe,
    "Secret": _token,
}
