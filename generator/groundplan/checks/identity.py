"""Who acts in a cloud: that somebody knows why, alone, and by a whole name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import objects
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.posture.identity.edges import Edge
    from groundplan.repository import Repository
    from groundplan.resources import Resource

PURPOSE = "groundplan.dev/purpose"
"""The annotation that says what an identity is for, beside its account or its association."""
_PRINCIPALS = ("acts as AWS role ", "acts as Google service account ", "acts as Azure identity ")
_TRUST = ("assumeRolePolicyDocument", "assumeRolePolicy")


def _edges(repository: Repository) -> Iterator[tuple[str, Edge]]:
    """Every way out of each cluster by which an account acts as somebody."""
    from groundplan.posture.identity.edges import edges
    from groundplan.posture.model import State

    for cluster in repository.clusters:
        resources = tuple(r for unit in cluster.units for r in unit.resources)
        for edge in edges(State(cluster.name, resources)):
            if edge.says.startswith(_PRINCIPALS):
                yield cluster.name, edge


def _purpose(repository: Repository) -> Iterator[Outcome]:
    """Find cloud identities of which nobody says what they are for, or whose they are."""
    from groundplan.posture.owners import Owners

    owners = {c.name: Owners.read(repository.tree, c) for c in repository.clusters}
    for cluster, edge in _edges(repository):
        known = owners[cluster]
        missing = []
        if not mapping(edge.resource.body, "metadata", "annotations").get(PURPOSE):
            missing.append(f"has no annotation {PURPOSE}")
        if known.of(edge.resource) is None and known.of_path(edge.resource.origin.path) is None:
            missing.append("has no owner")
        if missing:
            yield WHY.fail(
                f"{edge.subject} {edge.says}, and {' and '.join(missing)}",
                repository.locate(edge.resource.origin, edge.pointer),
                edge.resource.id,
            )
        else:
            yield Passed()


def _alone(repository: Repository) -> Iterator[Outcome]:
    """Find principals that more than one account acts as."""
    holders: dict[str, dict[tuple[str, str], Edge]] = {}
    for cluster, edge in _edges(repository):
        principal = edge.says.partition(" with a token ")[0]
        holders.setdefault(principal, {})[cluster, str(edge.subject)] = edge
    for principal, edges in sorted(holders.items()):
        first, *others = sorted(edges)
        yield Passed()
        for cluster, subject in others:
            edge = edges[cluster, subject]
            yield ALONE.fail(
                f"{subject} of cluster {cluster} {principal}, as does {first[1]} of {first[0]}",
                repository.locate(edge.resource.origin, edge.pointer),
                edge.resource.id,
            )


def _trusts(repository: Repository) -> Iterator[Outcome]:
    """Find principals that trust more accounts than one."""
    for resource in objects(repository):
        faults = list(_faults(resource))
        for pointer, fault in faults:
            place = repository.locate(resource.origin, pointer)
            yield EXACT.fail(f"{resource.id} {fault}", place, resource.id)
        yield Passed(not faults)


def _faults(resource: Resource) -> Iterator[tuple[str, str]]:
    spec = mapping(resource.body, "spec", "forProvider") or mapping(resource.body, "spec")
    at = "/spec/forProvider" if mapping(resource.body, "spec", "forProvider") else "/spec"
    if resource.id.kind == "FederatedIdentityCredential":
        if len(str(spec.get("subject", "")).split(":")) != 4 or "*" in str(spec["subject"]):
            yield f"{at}/subject", "trusts something else than one service account"
        if not items(spec, "audiences") and not items(spec, "audience"):
            yield at, "takes tokens for any audience"
    elif resource.id.group.startswith("iam."):
        for field in _TRUST:
            if isinstance(spec.get(field), str):
                yield from ((f"{at}/{field}", fault) for fault in _document(spec[field]))
    if resource.id.group == "iam.cnrm.cloud.google.com":
        member = str(spec.get("member", ""))
        if member in {"allUsers", "allAuthenticatedUsers"} or (
            member.startswith("principalSet://") and "/subject/" not in member
        ):
            yield f"{at}/member", f"is granted to {member}, which is more than one account"


def _document(text: str) -> Iterator[str]:
    """What is loose in a trust policy of AWS, as far as it is about tokens of a cluster."""
    try:
        document = json.loads(text)
    except ValueError:
        return
    for statement in _listed(mapping(document).get("Statement")):
        federated = mapping(statement, "Principal").get("Federated")
        if mapping(statement).get("Effect") != "Allow" or not federated:
            continue
        said = list(_conditions(mapping(statement, "Condition")))
        subjects = [(how, value) for how, key, value in said if key.endswith(":sub")]
        if not any(how == "StringEquals" or "*" not in value for how, value in subjects):
            yield "trusts accounts by a pattern, or all of them"
        if not any(key.endswith(":aud") for _, key, _ in said):
            yield "takes tokens for any audience"


def _conditions(written: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for how, keys in written.items():
        for key, values in mapping(keys).items():
            yield from ((how, key, str(value)) for value in _listed(values))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


WHY = Check(
    "IDN001",
    "Cloud identities have an owner and a purpose",
    Severity.MEDIUM,
    f"Annotate the object with {PURPOSE}, and label it or its namespace with its owner.",
    _purpose,
    "ID-001",
)
ALONE = Check(
    "IDN002",
    "No two accounts act as the same principal of a cloud",
    Severity.MEDIUM,
    "Give each account a principal of its own, with what that one needs.",
    _alone,
    "ID-002",
)
EXACT = Check(
    "IDN003",
    "Principals of clouds trust one account by its whole name, and one audience",
    Severity.HIGH,
    "Compare the subject with StringEquals and namespace:name, and the audience too.",
    _trusts,
    "ID-003",
)
CHECKS = (WHY, ALONE, EXACT)
