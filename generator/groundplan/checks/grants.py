"""Grants that nobody uses, or that wait for somebody to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundplan.checks import Check
from groundplan.checks._objects import objects, pods
from groundplan.checks._scenes import charted
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.rules import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository
    from groundplan.resources import Resource

RBAC = "rbac.authorization.k8s.io"
BINDINGS = frozenset({"RoleBinding", "ClusterRoleBinding"})


class _Known(NamedTuple):
    """What is there for bindings to be about."""

    spaces: frozenset[str]
    """Namespaces of the repository that no chart brings anything to."""
    users: frozenset[tuple[str, str]]
    """Accounts that pods or the engine run as, by namespace and name."""
    roles: frozenset[tuple[str, str, str]]
    """Kind, namespace and name of each role, Kubernetes' own among them."""
    whole: bool
    """Whether no chart brings cluster roles that nobody sees here."""


def _known(repository: Repository) -> _Known:
    from groundplan.posture.rbac.roles import defaults

    there = list(objects(repository))
    hidden = {name for cluster in repository.clusters for name in charted(cluster)}
    spaces = {r.id.name for r in there if (r.id.group, r.id.kind) == ("", "Namespace")}
    roles = {(r.id.kind, r.id.namespace, r.id.name) for r in there if r.id.group == RBAC}
    return _Known(
        frozenset(spaces - hidden - {*SYSTEM}),
        frozenset({*_of_pods(repository), *_of_engines(there)}),
        frozenset(roles | {("ClusterRole", "", name) for name in defaults()}),
        not hidden,
    )


def _of_pods(repository: Repository) -> Iterator[tuple[str, str]]:
    for one in pods(repository):
        name = one.spec.get("serviceAccountName") or one.spec.get("serviceAccount") or "default"
        yield one.resource.id.namespace or "default", str(name)


def _of_engines(there: list[Resource]) -> Iterator[tuple[str, str]]:
    """Walk the accounts that Flux and Argo CD apply objects as."""
    for resource in there:
        spec = mapping(resource.body, "spec")
        if resource.id.group.endswith("toolkit.fluxcd.io") and spec.get("serviceAccountName"):
            yield resource.id.namespace, str(spec["serviceAccountName"])
        if resource.id.kind == "FluxInstance":
            name = mapping(spec, "cluster").get("tenantDefaultServiceAccount")
            yield from ((r.id.namespace, str(name)) for r in there if r.id.kind == "ServiceAccount")
        for account in map(mapping, items(spec, "destinationServiceAccounts")):
            namespace, _, name = str(account.get("defaultServiceAccount")).rpartition(":")
            yield namespace or str(account.get("namespace")), name


def _used(repository: Repository) -> Iterator[Outcome]:
    """Find accounts with rights that nothing runs as, where everything that runs is known."""
    known = _known(repository)
    for binding in _bindings(repository):
        for index, subject in enumerate(map(mapping, items(binding.body, "subjects"))):
            space = str(subject.get("namespace") or binding.id.namespace)
            who = (space, str(subject.get("name")))
            if subject.get("kind") != "ServiceAccount" or space not in known.spaces:
                continue
            if who in known.users:
                yield Passed()
                continue
            yield USED.fail(
                f"{binding.id} is for ServiceAccount {'/'.join(who)}, which nothing runs as",
                repository.locate(binding.origin, f"/subjects/{index}"),
                binding.id,
            )


def _resolved(repository: Repository) -> Iterator[Outcome]:
    """Find bindings to roles that are not there, and rules that match nothing."""
    known = _known(repository)
    for binding in _bindings(repository):
        role = mapping(binding.body, "roleRef")
        kind = str(role.get("kind"))
        space = binding.id.namespace if kind == "Role" else ""
        visible = space in known.spaces if space else known.whole
        if visible and (kind, space, str(role.get("name"))) not in known.roles:
            yield RESOLVED.fail(
                f"{binding.id} waits for a {kind} {role.get('name')}, which is not there",
                repository.locate(binding.origin, "/roleRef"),
                binding.id,
            )
        else:
            yield Passed()
    for resource in objects(repository):
        if resource.id.group == RBAC and resource.id.kind in {"Role", "ClusterRole"}:
            yield from _dead(repository, resource)


def _dead(repository: Repository, role: Resource) -> Iterator[Outcome]:
    """Find resources with a star that no request ever has."""
    for index, rule in enumerate(map(mapping, items(role.body, "rules"))):
        for number, name in enumerate(map(str, items(rule, "resources"))):
            if name.endswith("/*"):
                yield RESOLVED.fail(
                    f"{role.id} names {name}, which matches no request",
                    repository.locate(role.origin, f"/rules/{index}/resources/{number}"),
                    role.id,
                )
    yield Passed()


def _bindings(repository: Repository) -> Iterator[Resource]:
    for resource in objects(repository):
        if resource.id.group == RBAC and resource.id.kind in BINDINGS:
            yield resource


USED = Check(
    "RBC001",
    "Every account that is granted something is used",
    Severity.LOW,
    "Remove the binding, or name the account in the workload that needs it.",
    _used,
    "RBAC-016",
)
RESOLVED = Check(
    "RBC002",
    "Every binding has its role, and every rule matches something",
    Severity.LOW,
    "Correct the name, or remove the binding or the rule.",
    _resolved,
    "RBAC-016",
)
CHECKS = (USED, RESOLVED)
