"""What a cluster's objects say about its network: policies, namespaces, workloads."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundplan.posture.network.boxes import NAME, Box
from groundplan.posture.network.policies import Policy, RefusedError, read
from groundplan.posture.network.ports import PROTOCOLS
from groundplan.posture.pod_security_checks import containers, items, mapping
from groundplan.posture.selectors import selects
from groundplan.posture.workloads import Role, roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from groundplan.graph import Key
    from groundplan.posture.model import State
    from groundplan.resources import Resource

NETWORK_POLICY = ("networking.k8s.io", "NetworkPolicy")
UNMODELLED = (
    ("cilium.io", ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")),
    ("projectcalico.org", ("NetworkPolicy", "GlobalNetworkPolicy")),
    (
        "policy.networking.k8s.io",
        ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"),
    ),
    ("antrea.io", ("NetworkPolicy", "ClusterNetworkPolicy")),
    ("security.istio.io", ("AuthorizationPolicy",)),
    ("k8s.cni.cncf.io", ("MultiNetworkPolicy",)),
)
"""Group, or what it ends in, and kinds that decide about connections as well."""


@dataclass(frozen=True, eq=False)
class Workload:
    """Pods of the repository that are alike."""

    resource: Resource
    role: Role
    namespace: str
    labels: Mapping[str, str]
    named: Mapping[tuple[str, str], int]
    """Number of each port that has a name, by protocol and name."""
    host: bool
    """Whether the pods use the node's network, where no policy holds."""

    @property
    def key(self) -> tuple[Key, str]:
        """What tells them from others, on both sides of a comparison."""
        return self.resource.id.key, self.role.name

    @cached_property
    def alike(self) -> tuple[Any, ...]:
        """What policies can tell workloads apart by."""
        labels, named = sorted(self.labels.items()), sorted(self.named.items())
        return self.namespace, tuple(labels), tuple(named), self.host

    def __str__(self) -> str:
        return f"{self.resource.id} {self.role.name}".rstrip()


@dataclass(frozen=True)
class Scene:
    """One side of a comparison."""

    policies: Mapping[Key, Policy] = field(default_factory=dict)
    workloads: Mapping[tuple[Key, str], Workload] = field(default_factory=dict)
    namespaces: Mapping[str, Resource] = field(default_factory=dict)
    present: frozenset[str] = frozenset()
    """Namespaces that anything is applied to."""
    opaque: Mapping[Key, tuple[Resource, str]] = field(default_factory=dict)
    """Objects that decide about connections in words that are not modelled, in canonical form."""
    refused: Mapping[Key, tuple[Resource, str, str]] = field(default_factory=dict)
    """Policies that the API server would not take, or that are written twice: pointer and why."""

    @classmethod
    def of(cls, state: State) -> Scene:
        """Read the objects of a cluster."""
        return cls.joined([Part.of(state.resources)])

    @classmethod
    def joined(cls, parts: Iterable[Part]) -> Scene:
        """Put together what is applied to a cluster."""
        workloads: dict[tuple[Key, str], Workload] = {}
        namespaces: dict[str, Resource] = {}
        opaque: dict[Key, tuple[Resource, str]] = {}
        present: set[str] = set()
        written: list[tuple[Resource, Policy | RefusedError]] = []
        for part in parts:
            workloads |= part.workloads
            namespaces |= part.namespaces
            opaque |= part.opaque
            present |= part.present
            written += part.policies
        policies, refused = _policies(written)
        return cls(policies, workloads, namespaces, frozenset(present), opaque, refused)

    @cached_property
    def by_namespace(self) -> Mapping[str, tuple[Policy, ...]]:
        """The policies of each namespace that has any."""
        found: dict[str, list[Policy]] = {}
        for _, policy in sorted(self.policies.items()):
            found.setdefault(policy.namespace, []).append(policy)
        return {name: tuple(policies) for name, policies in found.items()}

    @cached_property
    def pods(self) -> Mapping[str, tuple[Workload, ...]]:
        """The workloads of each namespace whose pods are in the pod network."""
        found: dict[str, list[Workload]] = {}
        for workload in self.workloads.values():
            if not workload.host:
                found.setdefault(workload.namespace, []).append(workload)
        return {name: tuple(workloads) for name, workloads in found.items()}

    def matching(self, namespace: str, box: Box, role: str) -> tuple[Workload, ...]:
        """The workloads of a namespace that have what a box asks of a role."""
        wanted = dict(box.part(role))
        pods = self.pods.get(namespace, ())
        return tuple(one for one in pods if selects(wanted, one.labels)) if wanted else pods

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None when the repository does not have it."""
        known = self.namespaces.get(namespace)
        if known is None:
            return None
        written = mapping(known.body, "metadata", "labels")
        return {**{key: str(value) for key, value in written.items()}, NAME: namespace}


@dataclass(frozen=True)
class Part:
    """What objects that are applied together say about the network, on every cluster alike."""

    policies: Sequence[tuple[Resource, Policy | RefusedError]]
    """Each NetworkPolicy, and why the API server would not take it."""
    workloads: Mapping[tuple[Key, str], Workload]
    namespaces: Mapping[str, Resource]
    present: frozenset[str]
    opaque: Mapping[Key, tuple[Resource, str]]

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Part:
        """Read some objects."""
        policies: list[tuple[Resource, Policy | RefusedError]] = []
        workloads: dict[tuple[Key, str], Workload] = {}
        namespaces, opaque, present = {}, {}, set()
        for resource in resources:
            kind = (resource.id.group, resource.id.kind)
            if resource.id.namespace:
                present.add(resource.id.namespace)
            if kind == ("", "Namespace"):
                namespaces[resource.id.name] = resource
            elif kind == NETWORK_POLICY:
                policies.append((resource, _read(resource)))
            elif _unmodelled(*kind):
                said = json.dumps(resource.body.get("spec"), sort_keys=True, default=str)
                opaque[resource.id.key] = (resource, said)
            else:
                workloads |= {found.key: found for found in _workloads(resource)}
        return cls(policies, workloads, namespaces, frozenset(present), opaque)


def _read(resource: Resource) -> Policy | RefusedError:
    try:
        return read(resource)
    except RefusedError as error:
        return error


def _policies(
    written: Iterable[tuple[Resource, Policy | RefusedError]],
) -> tuple[dict[Key, Policy], dict[Key, tuple[Resource, str, str]]]:
    """The NetworkPolicies, and those that cannot be one."""
    known: dict[Key, Policy] = {}
    refused: dict[Key, tuple[Resource, str, str]] = {}
    for resource, policy in written:
        key = resource.id.key
        if key in known and known[key].resource.body.get("spec") != resource.body.get("spec"):
            refused[key] = (resource, "", "it is written twice, and differently")
        if isinstance(policy, Policy):
            known[key] = policy
        else:
            why = f"the API server refuses it: {policy}"
            refused[key] = (resource, policy.pointer, why)
    return known, refused


def _unmodelled(group: str, kind: str) -> bool:
    return any(
        kind in kinds and (group == known or group.endswith(f".{known}"))
        for known, kinds in UNMODELLED
    )


def _workloads(resource: Resource) -> Iterator[Workload]:
    """The pods that an object makes, by role, if it makes any that are known."""
    for role in roles(resource):
        spec = mapping(role.pod, "spec")
        labels = {str(k): str(v) for k, v in mapping(role.pod, "metadata", "labels").items()}
        namespace = resource.id.namespace or "default"
        host = spec.get("hostNetwork") is True
        yield Workload(resource, role, namespace, labels, dict(_named(spec)), host)


def _named(spec: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], int]]:
    """The ports that have a name; those of init containers count, which may be sidecars."""
    for container, _ in containers(spec):
        for port in map(mapping, items(container, "ports")):
            protocol, number = port.get("protocol") or "TCP", port.get("containerPort")
            if port.get("name") and protocol in PROTOCOLS and type(number) is int:
                yield (protocol, str(port["name"])), number
