"""As whom the pods of a workload run, and the tokens of which service accounts they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.posture.pod_security_checks import items, mapping
from groundplan.verify.pod_templates import pods

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.graph import Key
    from groundplan.posture.model import State
    from groundplan.resources import Resource

Account = tuple[str, str]
"""Namespace and name of a service account."""
Bodies = dict[Account, "Mapping[str, Any]"]


class Role(NamedTuple):
    """Pods of a workload that are made from one template: most workloads have one."""

    pod: Mapping[str, Any]
    pointer: str
    """To the template; empty for a Pod, which is its own."""
    name: str
    """What tells it from the workload's other pods; empty where there are no others."""


def roles(resource: Resource) -> list[Role]:
    """The pods that an object makes, or is."""
    if (resource.id.group, resource.id.kind) == ("", "Pod"):
        return [Role(resource.body, "", "")]
    made = list(pods(resource))
    names = [at.rpartition("/")[2].removesuffix("Template") if made[1:] else "" for at, _ in made]
    return [Role(pod, at, name) for (at, pod), name in zip(made, names, strict=True)]


class Running(NamedTuple):
    """The pods of one role of a workload as the API server sees them."""

    workload: Resource
    role: Role
    account: Account
    tokens: frozenset[Account]
    """Whose tokens for the API server they hold."""
    pointer: str
    """To what decides about both."""

    @property
    def key(self) -> tuple[Key, str]:
        """What tells them from others, on both sides of a comparison."""
        return self.workload.id.key, self.role.name


def running(state: State) -> dict[tuple[Key, str], Running]:
    """Find everything that makes pods, by the identity of the workload and the role."""
    accounts = bodies(state, "ServiceAccount")
    secrets = bodies(state, "Secret")
    every = (
        _running(resource, role, accounts, secrets)
        for resource in state.resources
        for role in roles(resource)
    )
    return {one.key: one for one in every}


def bodies(state: State, kind: str) -> Bodies:
    """The core objects of a kind by namespace and name."""
    return {
        (r.id.namespace or "default", r.id.name): r.body
        for r in state.resources
        if r.id.kind == kind and not r.id.group
    }


def account(workload: Resource, spec: Mapping[str, Any]) -> Account:
    """As whom pods run: as `default` when they do not say."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    return workload.id.namespace or "default", str(name)


def automounted(spec: Mapping[str, Any], of: Mapping[str, Any]) -> bool:
    """Whether the API server mounts a token; without a word about it, it does."""
    own, inherited = (body.get("automountServiceAccountToken") for body in (spec, of))
    return bool(next((said for said in (own, inherited) if said is not None), True))


def _running(workload: Resource, role: Role, accounts: Bodies, secrets: Bodies) -> Running:
    spec = mapping(role.pod, "spec")
    own = account(workload, spec)
    tokens = dict(_mounted(spec, own, secrets))
    field = "serviceAccountName" if spec.get("serviceAccountName") else "serviceAccount"
    if automounted(spec, accounts.get(own, {})):
        explicit = "automountServiceAccountToken" in spec
        tokens[own] = "/automountServiceAccountToken" if explicit else f"/{field}"
    pointer = f"{role.pointer}/spec{next(iter(tokens.values()), f'/{field}')}"
    return Running(workload, role, own, frozenset(tokens), pointer)


def _mounted(
    spec: Mapping[str, Any], own: Account, secrets: Bodies
) -> Iterator[tuple[Account, str]]:
    """The tokens that volumes bring, each with its pointer."""
    for index, volume in enumerate(items(spec, "volumes")):
        for source in items(mapping(volume, "projected"), "sources"):
            if mapping(source).get("serviceAccountToken") is not None:
                yield own, f"/volumes/{index}"
        name = str(mapping(volume, "secret").get("secretName"))
        secret = secrets.get((own[0], name), {})
        if secret.get("type") == "kubernetes.io/service-account-token":
            named = mapping(secret, "metadata", "annotations")
            holder = named.get("kubernetes.io/service-account.name", own[1])
            yield (own[0], str(holder)), f"/volumes/{index}"
