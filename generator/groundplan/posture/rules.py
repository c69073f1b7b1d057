"""The built-in policies, for repositories that have them and for those that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents as yaml_documents
from groundplan.admission.policies import Policy
from groundplan.findings import Severity
from groundplan.posture.exceptions.model import State
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER = "blueprints/policies"
TENANT = "groundplan.dev/tenant"
SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
"""Where Kubernetes runs what is nobody's to change."""
SEVERITIES = {
    "critical": Severity.HIGH,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One built-in policy at one tier."""

    id: str
    title: str
    severity: Severity
    """Of what the tier refuses; what it only reports is low."""
    owner: str
    """Who mends it when nobody is named: `platform` or `team`."""
    policy: Policy | None = None
    """What the API server would be given."""
    checks: tuple[str, ...] = ()
    """The ids of checks that judge a repository by it."""
    states: tuple[State, ...] = ()
    """Of exceptions that break it."""


def rules(root: Path, tier: str, *, teams: bool) -> tuple[Rule, ...]:
    """The policies that a tier has and one revision is judged by, in the order of their ids.

    Args:
        root: The template's folder.
        tier: Such as `growing`.
        teams: Whether namespaces say which team they belong to. Otherwise a rule about teams'
            namespaces is about all but Kubernetes' own.
    """
    return tuple(_rules(root, tier, teams=teams))


def _rules(root: Path, tier: str, *, teams: bool) -> Iterator[Rule]:
    for path in sorted((root / FOLDER).glob("*.yaml")):
        said = yaml_documents.load(path.read_bytes(), str(path))
        mode = said["mode"][tier]
        judge = said.get("judge", "admission")
        # What a change allows, no single revision shows.
        if mode == "off" or judge == "diff":
            continue
        yield Rule(
            id=said["id"],
            title=said["title"],
            severity=SEVERITIES[said["severity"]] if mode == "deny" else Severity.LOW,
            owner=said["owner"],
            policy=_policy(said, mode, teams=teams) if judge == "admission" else None,
            checks=tuple(said.get("checks", ())),
            states=tuple(map(State, said.get("states", ()))),
        )


def _policy(said: Mapping[str, Any], mode: str, *, teams: bool) -> Policy:
    """The policy as its binding would put it to work."""
    constraints = {
        "resourceRules": [
            {
                "apiGroups": rule["groups"],
                "apiVersions": rule["versions"],
                "resources": rule["resources"],
                "operations": rule["operations"],
            }
            for rule in said["match"]
        ]
    }
    body = {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": said["id"]}}
    return Policy(
        resource=Resource.of(body, Origin("")),
        scopes=(constraints, {"namespaceSelector": _namespaces(said, teams=teams)}),
        conditions=(),
        variables=tuple((v["name"], v["expression"]) for v in said.get("variables", ())),
        validations=tuple(said["validations"]),
        denies=mode == "deny",
        parameters=False,
    )


def _namespaces(said: Mapping[str, Any], *, teams: bool) -> Mapping[str, Any]:
    if said["applies_to"] == "everywhere":
        return {}
    if said["applies_to"] == "teams" and teams:
        return {"matchExpressions": [{"key": TENANT, "operator": "Exists"}]}
    spared = [*SYSTEM, *said["exempt_namespaces"]]
    name = "kubernetes.io/metadata.name"
    return {"matchExpressions": [{"key": name, "operator": "NotIn", "values": spared}]}
