"""Who holds which permissions: bindings, groups and the service accounts of workloads."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.rbac.roles import GROUP, Roles
from groundplan.posture.rbac.rules import EVERYWHERE, Permissions, bound
from groundplan.posture.workloads import Running, running
from groundplan.resources import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from groundplan.graph import Key
    from groundplan.posture.model import State
    from groundplan.posture.rbac.roles import Held
    from groundplan.posture.rbac.rules import Atom
    from groundplan.resources import Resource

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
ACCOUNTS = "system:serviceaccounts"
_ANONYMOUS = frozenset({"system:anonymous", "system:unauthenticated", MASTERS})


class Principal(NamedTuple):
    """Who asks: a service account, a user or a group."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, subject: Mapping[str, Any], scope: str) -> Principal | None:
        """Read the subject of a binding; None when it matches nobody."""
        kind, name = str(subject.get("kind", "")), str(subject.get("name", ""))
        if kind == "ServiceAccount":
            namespace = str(subject.get("namespace") or scope)
            return cls(kind, namespace, name) if namespace and name else None
        if kind == "User" and name.startswith("system:serviceaccount:") and name.count(":") == 3:
            return cls("ServiceAccount", *name.split(":")[2:])
        return cls(kind, "", name) if kind in {"User", "Group"} and name else None

    @property
    def id(self) -> ResourceId:
        """The principal as the subject of a change."""
        if self.kind == "ServiceAccount":
            return ResourceId("", "v1", *self)
        return ResourceId(GROUP, "", *self)

    @property
    def groups(self) -> tuple[Principal, ...]:
        """The groups that everything called so is in for certain."""
        if self.name in _ANONYMOUS:
            return ()
        names: tuple[str, ...] = (AUTHENTICATED,)
        if self.kind == "ServiceAccount":
            names = (f"{ACCOUNTS}:{self.namespace}", ACCOUNTS, AUTHENTICATED)
        elif self.kind == "Group" and self.name.startswith(f"{ACCOUNTS}:"):
            names = (ACCOUNTS, AUTHENTICATED)
        return tuple(Principal("Group", "", name) for name in names if name != self.name)


class Grant(NamedTuple):
    """An atom that a principal has, and why."""

    scope: str
    atom: Atom
    binding: Resource
    pointer: str
    """To the subject inside the binding."""
    held: Held

    @property
    def what(self) -> tuple[str, Atom]:
        """What is granted, whatever grants it."""
        return self.scope, self.atom


class Access:
    """Who may do what on one cluster."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._roles = Roles(state)
        self._held: dict[Principal, Permissions] = {}

    @cached_property
    def direct(self) -> Mapping[Principal, Mapping[tuple[str, Atom], Grant]]:
        """What bindings give a principal by its own name; the first binding is named."""
        found: dict[Principal, dict[tuple[str, Atom], Grant]] = {}
        for principal, binding, pointer in self._subjects:
            scope = scope_of(binding)
            known = found.setdefault(principal, {})
            for held in self._bound(binding, scope):
                if bound(held.atom, scope):
                    grant = Grant(scope, held.atom, binding, pointer, held)
                    known.setdefault(grant.what, grant)
        return found

    @cached_property
    def links(self) -> frozenset[tuple[Principal, str, Key]]:
        """Which principals are bound to which roles at which scope."""
        return frozenset((p, scope_of(b), role_key(b)) for p, b, _ in self._subjects)

    @cached_property
    def _subjects(self) -> tuple[tuple[Principal, Resource, str], ...]:
        """Everybody who is bound, by which binding and where in it."""
        found = []
        for binding in sorted(self._bindings(), key=lambda binding: binding.id.key):
            for index, subject in enumerate(items(binding.body, "subjects")):
                principal = Principal.of(mapping(subject), scope_of(binding))
                # Whoever is in this group is not asked for permissions at all.
                if principal is not None and principal.name != MASTERS:
                    found.append((principal, binding, f"/subjects/{index}"))
        return tuple(found)

    @cached_property
    def running(self) -> Mapping[tuple[Key, str], Running]:
        """The workloads, and as whom they run."""
        return running(self._state)

    @cached_property
    def accounts(self) -> frozenset[Principal]:
        """Every service account that is made, bound or used."""
        made = (
            Principal("ServiceAccount", r.id.namespace or "default", r.id.name)
            for r in self._state.resources
            if (r.id.group, r.id.kind) == ("", "ServiceAccount")
        )
        used = (Principal("ServiceAccount", *run.account) for run in self.running.values())
        named = (principal for principal in self.direct if principal.kind == "ServiceAccount")
        return frozenset((*made, *used, *named))

    def held(self, principal: Principal) -> Permissions:
        """All that a principal may do, by its own name and through its groups."""
        if principal not in self._held:
            everyone = (principal, *principal.groups)
            self._held[principal] = Permissions(
                what for one in everyone for what in self.direct.get(one, ())
            )
        return self._held[principal]

    def users(self, principal: Principal) -> list[Running]:
        """The workloads that hold a principal's token."""
        return self._holders.get((principal.namespace, principal.name), [])

    @cached_property
    def _holders(self) -> Mapping[tuple[str, str], list[Running]]:
        """The workloads that hold the token of an account."""
        found: dict[tuple[str, str], list[Running]] = {}
        for run in self.running.values():
            for token in run.tokens:
                found.setdefault(token, []).append(run)
        return found

    def power(self, run: Running | None) -> Permissions:
        """All that the pods of a workload may do."""
        tokens = run.tokens if run else frozenset()
        holders = [Principal("ServiceAccount", *token) for token in tokens]
        return Permissions(what for holder in holders for what in self.held(holder))

    def role(self, name: str, scope: str) -> tuple[Held, ...]:
        """What a role of a name allows when it is bound at a scope."""
        if scope != EVERYWHERE:
            found = self._roles.of("Role", scope, name)
            if not any(held.atom.unknown for held in found):
                return found
        return self._roles.of("ClusterRole", "", name)

    def _bindings(self) -> Iterator[Resource]:
        for resource in self._state.resources:
            if resource.id.group == GROUP and resource.id.kind.endswith("RoleBinding"):
                yield resource

    def _bound(self, binding: Resource, scope: str) -> tuple[Held, ...]:
        """What the role of a binding allows."""
        _, kind, _, name = role_key(binding)
        # A ClusterRoleBinding cannot refer to a Role.
        if kind not in {"Role", "ClusterRole"} or (kind == "Role" and scope == EVERYWHERE):
            return ()
        return self._roles.of(kind, scope, name)


def scope_of(binding: Resource) -> str:
    """Where a binding grants: in its namespace, or everywhere."""
    if binding.id.kind == "ClusterRoleBinding":
        return EVERYWHERE
    return binding.id.namespace or "default"


def role_key(binding: Resource) -> Key:
    """The role that a binding refers to."""
    reference = mapping(binding.body, "roleRef")
    kind = str(reference.get("kind", ""))
    namespace = scope_of(binding) if kind == "Role" else ""
    return GROUP, kind, namespace, str(reference.get("name", ""))
