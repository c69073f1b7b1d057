"""What each role allows: a Role, a ClusterRole, an aggregated one, one that Kubernetes brings."""

from __future__ import annotations

import functools
import json
from importlib import resources as package
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.rbac.rules import OTHERS, Atom, atoms
from groundplan.posture.selectors import box, selects
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.posture.model import State

GROUP = "rbac.authorization.k8s.io"
_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"


class Held(NamedTuple):
    """An atom of a role, and where it is written."""

    atom: Atom
    role: Resource | None
    """The role whose rule it is: for an aggregated role, another one. None when nobody knows."""
    pointer: str = ""


class Roles:
    """All roles of one cluster."""

    def __init__(self, state: State) -> None:
        self._roles = {r.id.key[2:]: r for r in state.resources if _is(r, "Role")}
        self._cluster_roles = {**defaults(), **self._repository(state)}
        self._resolved: dict[tuple[str, ...], tuple[Held, ...]] = {}

    @staticmethod
    def _repository(state: State) -> Mapping[str, tuple[Resource, ...]]:
        """Every ClusterRole, with the one that Kubernetes brings unless it leaves this one alone.

        When it starts, the API server adds what its own roles miss.
        """
        found = {}
        for role in state.resources:
            if _is(role, "ClusterRole"):
                own = mapping(role.body, "metadata", "annotations").get(_AUTOUPDATE) == "false"
                brought = () if own else defaults().get(role.id.name, ())
                found[role.id.name] = (role, *brought)
        return found

    def of(self, kind: str, namespace: str, name: str) -> tuple[Held, ...]:
        """What a role allows; one that is not there is unknown, as it may be made elsewhere."""
        key = (kind, namespace, name) if kind == "Role" else (kind, name)
        if key not in self._resolved:
            first: dict[Atom, Held] = {}
            for held in self._resolve(kind, namespace, name):
                first.setdefault(held.atom, held)
            self._resolved[key] = tuple(first.values())
        return self._resolved[key]

    def _resolve(self, kind: str, namespace: str, name: str) -> Iterator[Held]:
        if kind == "Role":
            role = self._roles.get((namespace, name))
            if role is None:
                yield Held(Atom("", unknown=f"Role {namespace}/{name}"), None)
            else:
                yield from _rules(role)
        elif name not in self._cluster_roles:
            yield Held(Atom("", unknown=f"ClusterRole {name}"), None)
        else:
            for member in self._members(name):
                for role in self._cluster_roles[member]:
                    yield from self._labelled(role) if _selectors(role) else _rules(role)

    def _members(self, name: str) -> list[str]:
        """The roles that make up a role: itself, or all that its selectors find, and theirs."""
        found, waiting = [name], [name]
        while waiting:
            current = waiting.pop()
            for role in self._cluster_roles[current]:
                for other in self._selected(role):
                    if other not in found:
                        found.append(other)
                        waiting.append(other)
        return found

    def _selected(self, role: Resource) -> Iterator[str]:
        """The roles that an aggregated role takes its rules from."""
        for wanted in map(box, _selectors(role)):
            for name, others in self._cluster_roles.items():
                labels = [mapping(other.body, "metadata", "labels") for other in others]
                if any(selects(wanted, written) for written in labels):
                    yield name

    @staticmethod
    def _labelled(role: Resource) -> Iterator[Held]:
        """What an aggregated role takes from roles that the repository does not have.

        Its own rules are not among them: the controller writes over them.
        """
        for index, selector in enumerate(_selectors(role)):
            text = json.dumps(selector, sort_keys=True)
            pointer = f"/aggregationRule/clusterRoleSelectors/{index}"
            yield Held(Atom("", unknown=f"{OTHERS} {text}"), role, pointer)


def _is(resource: Resource, kind: str) -> bool:
    return resource.id.group == GROUP and resource.id.kind == kind


def _rules(role: Resource) -> Iterator[Held]:
    namespaced = role.id.kind == "Role"
    for index, rule in enumerate(items(role.body, "rules")):
        for atom in atoms(mapping(rule), namespaced=namespaced):
            yield Held(atom, role, f"/rules/{index}")


def _selectors(role: Resource) -> list[Mapping[str, Any]]:
    rule = mapping(role.body, "aggregationRule")
    return [mapping(one) for one in items(rule, "clusterRoleSelectors")]


@functools.cache
def defaults() -> Mapping[str, tuple[Resource, ...]]:
    """The ClusterRoles that the API server creates when it starts.

    From Kubernetes 1.37.2: `bootstrappolicy/testdata/cluster-roles.yaml`.
    """
    file = package.files("groundplan.posture.rbac") / "default_roles.json"
    kind = {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole"}
    roles = (Resource.of({**kind, **body}, Origin("")) for body in json.loads(file.read_text()))
    return {role.id.name: (role,) for role in roles}
