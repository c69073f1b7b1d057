"""Answers that are right one by one and cannot be together."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import Fault, Path, label, shown, suggestion
from groundplan.answers.signers import signer_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

TIERS_WITH = {
    "logs": ("growing", "enterprise"),
    "traces": ("growing", "enterprise"),
    "progressive_delivery": ("growing", "enterprise"),
    "policy_reports": ("growing", "enterprise"),
    "accelerator_queues": ("growing", "enterprise"),
    "posture_scan": ("growing", "enterprise"),
    "policy_engine": ("growing", "enterprise"),
    "long_term_metrics": ("enterprise",),
    "image_signatures": ("enterprise",),
}
"""Where a choice other than the plain one has an effect: the tiers whose components it is about."""

SYSTEM_NAMESPACES = dict.fromkeys(
    ("default", "kube-node-lease", "kube-public", "kube-system"), "Kubernetes"
)
"""Namespaces that exist before us, and whose they are."""

PLATFORM = "platform"
"""The owner of everything that no team owns."""


def impossible(
    answers: Mapping[str, Any], reserved: Mapping[str, str] = SYSTEM_NAMESPACES
) -> Iterator[Fault]:
    """What contradicts itself; values of a wrong type are left to others.

    Args:
        answers: By question. A missing answer contradicts nothing.
        reserved: Namespaces that no team can have, and who has them.
    """
    yield from _secrets(answers)
    yield from _delivery(answers)
    yield from _tiers(answers)
    clusters = _named(answers, "clusters")
    yield from _twice("cluster", clusters)
    for path, cluster in clusters:
        yield from _own_ranges(path, cluster)
    yield from _peered_ranges(clusters)
    yield from _management(clusters)
    teams = _named(answers, "teams")
    yield from _twice("team", teams)
    yield from _namespaces(teams, reserved)
    yield from _places_of_teams(teams, clusters)
    signers = _named(answers, "signers")
    yield from _twice("signer", signers, key="id")
    yield from signer_faults(answers, signers, teams)
    for one in ("pool", "model"):
        yield from _twice(one, _named(answers, f"{one}s"))
    yield from _twice("risk", _named(answers, "accepted_risks"), key="what")


def _named(answers: Mapping[str, Any], question: str) -> list[tuple[Path, Mapping[str, Any]]]:
    """The items of a list that are mappings, and where they are."""
    items = answers.get(question)
    if not isinstance(items, list):
        return []
    return [((question, i), item) for i, item in enumerate(items) if isinstance(item, Mapping)]


def _secrets(answers: Mapping[str, Any]) -> Iterator[Fault]:
    secrets, recipient = answers.get("secrets"), answers.get("sops_recipient")
    if secrets == "sops" and answers.get("engine") == "argocd":
        what = "Argo CD does not decrypt SOPS files"
        yield Fault(("secrets",), "answers.sops-with-argocd", what, "choose eso, or engine flux")
    if secrets == "sops" and not recipient:
        what = "SOPS needs the key that secrets are encrypted to"
        fix = "add sops_recipient with the public line that age-keygen prints"
        yield Fault(("sops_recipient",), "answers.sops-without-recipient", what, fix)
    if secrets == "eso" and recipient:
        what = "the key is used by SOPS only, and secrets is eso"
        fix = "leave sops_recipient out, or choose secrets: sops"
        yield Fault(("sops_recipient",), "answers.unused-recipient", what, fix)


def _tiers(answers: Mapping[str, Any]) -> Iterator[Fault]:
    """Choices about components that the tier does not have."""
    tier = answers.get("tier")
    for question, tiers in TIERS_WITH.items():
        choice = answers.get(question, "none")
        if tier in tiers or choice in ("none", "native", [], "") or "#{" in str(choice):
            continue
        what = f"{shown(choice)} has no effect in the tier {tier}"
        fix = f"leave {question} out, or choose tier: {tiers[0]}"
        yield Fault((question,), "answers.not-in-tier", what, fix)


def _delivery(answers: Mapping[str, Any]) -> Iterator[Fault]:
    promotion, argocd = answers.get("promotion"), answers.get("engine") == "argocd"
    if promotion == "oci" and argocd:
        what = "Argo CD finds the clusters in a Git repository, not in an artifact"
        fix = "choose trunk or branch, or engine flux"
        yield Fault(("promotion",), "answers.oci-with-argocd", what, fix)
    if promotion != "oci" and "artifact" in answers:
        what = "nothing is pushed to a registry unless promotion is oci"
        fix = "leave artifact out, or choose promotion: oci"
        yield Fault(("artifact",), "answers.unused-artifact", what, fix)
    for question, choice in (("registry_access", "account"), ("registry_authority", "own")):
        if answers.get(question) == choice and not answers.get("registry_mirror"):
            what, fix = "there is no registry to reach", f"leave {question} out, or name one"
            yield Fault((question,), "answers.no-registry", what, fix)


def _twice(
    what: str, items: list[tuple[Path, Mapping[str, Any]]], key: str = "name"
) -> Iterator[Fault]:
    seen: dict[str, Path] = {}
    for path, item in items:
        name = item.get(key)
        if not isinstance(name, str):
            continue
        if name in seen:
            text = f"the {what} {shown(name)} is already entry {seen[name][1]} of the list"
            fix = f"rename one {what} or remove it"
            yield Fault((*path, key), f"answers.duplicate-{what}", text, fix)
        seen.setdefault(name, path)
        if what == "team" and name == PLATFORM:
            text = f"{shown(name)} is the owner of what no team owns"
            yield Fault((*path, "name"), "answers.reserved-team", text, "choose another name")


def _network(cluster: Mapping[str, Any], key: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(cluster[key])
    except (KeyError, ValueError, TypeError):
        return None


def _own_ranges(path: Path, cluster: Mapping[str, Any]) -> Iterator[Fault]:
    pods, services = _network(cluster, "pod_cidr"), _network(cluster, "service_cidr")
    if pods and services and pods.overlaps(services):
        what = f"the services' {services} overlaps the pods' {pods}"
        fix = "give services and pods ranges of their own"
        yield Fault((*path, "service_cidr"), "answers.range-overlap", what, fix)


def _peered_ranges(clusters: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[Fault]:
    """Pods of clusters in one account can reach each other once their networks are peered."""
    routed = [
        (path, cluster, pods)
        for path, cluster in clusters
        if cluster.get("account") and (pods := _network(cluster, "pod_cidr"))
    ]
    for (_, one, pods), (path, other, others) in combinations(routed, 2):
        if one["account"] == other["account"] and pods.overlaps(others):
            what = f"{others} overlaps {pods} of cluster {one.get('name')} in the same account"
            fix = "give every cluster of an account its own range, so that they can be peered"
            yield Fault((*path, "pod_cidr"), "answers.range-shared", what, fix)


def _management(clusters: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[Fault]:
    """Whether the cluster that makes another one's machines is one of these."""
    names = [cluster.get("name") for _, cluster in clusters]
    for path, cluster in clusters:
        management = cluster.get("management")
        if isinstance(management, str) and not label(management) and management not in names:
            what = f"no cluster here is called {shown(management)}"
            fix = "name one of them, or leave it out when the machines are declared elsewhere"
            yield Fault((*path, "management"), "answers.unknown-management", what, fix)


def _namespaces(
    teams: list[tuple[Path, Mapping[str, Any]]], reserved: Mapping[str, str]
) -> Iterator[Fault]:
    owners: dict[str, str] = {}
    for path, team in teams:
        namespaces = team.get("namespaces")
        name = str(team.get("name"))
        if namespaces == []:
            what, fix = f"team {name} has no namespaces", "add one, or remove the team"
            yield Fault((*path, "namespaces"), "answers.team-without-namespaces", what, fix)
        if not isinstance(namespaces, list):
            continue
        for index, namespace in enumerate(namespaces):
            at = (*path, "namespaces", index)
            if not isinstance(namespace, str):
                continue
            if namespace in reserved:
                what = f"{shown(namespace)} belongs to {reserved[namespace]}"
                yield Fault(at, "answers.namespace-reserved", what, "choose another namespace")
            elif owners.get(namespace) == name:
                what, fix = f"{shown(namespace)} is in this list already", "remove it here"
                yield Fault(at, "answers.namespace-twice", what, fix)
            elif namespace in owners:
                what = f"{shown(namespace)} belongs to team {owners[namespace]}"
                yield Fault(at, "answers.namespace-shared", what, "leave it to one team")
            owners.setdefault(namespace, name)


def _places_of_teams(
    teams: list[tuple[Path, Mapping[str, Any]]], clusters: list[tuple[Path, Mapping[str, Any]]]
) -> Iterator[Fault]:
    """A team is on clusters that exist; on all of them when it does not say."""
    known = {str(cluster.get("name")) for _, cluster in clusters}
    for path, team in teams:
        wanted = team.get("clusters")
        if wanted == []:
            what, fix = f"team {team.get('name')} is on no cluster", "name one, or leave it out"
            yield Fault((*path, "clusters"), "answers.team-without-clusters", what, fix)
        if "path" in team and "repository" not in team:
            what = "a path needs the repository that it is in"
            yield Fault((*path, "path"), "answers.path-without-repository", what, "add repository")
        for index, name in enumerate(wanted if isinstance(wanted, list) else ()):
            if known and isinstance(name, str) and name not in known:
                what = f"there is no cluster {shown(name)}"
                at = (*path, "clusters", index)
                yield Fault(at, "answers.unknown-cluster", what, suggestion(name, known))
