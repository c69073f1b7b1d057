"""Validating admission policies with their bindings, as the API server puts them together.

Fields: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from groundplan.resources import Resource

GROUP = "admissionregistration.k8s.io"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as one of its bindings puts it to work."""

    resource: Resource
    scopes: tuple[Mapping[str, Any], ...]
    """`matchConstraints` and `matchResources`: each must let an object through."""
    conditions: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    validations: tuple[Mapping[str, Any], ...]
    denies: bool
    """Whether the binding refuses; otherwise it warns or takes note."""
    parameters: bool
    """Whether the answer depends on another object."""

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.resource.id.name

    @property
    def content(self) -> Hashable:
        """The same for pairs that say the same."""
        # Version 2 writes no back-references: equal scopes give equal bytes.
        scopes = marshal.dumps(tuple(map(dict, self.scopes)), 2)
        return self.resource.content, scopes, self.denies


def policies(resources: Iterable[Resource]) -> Iterator[Policy]:
    """Every pair of a policy and a binding among the objects of one cluster."""
    declared: dict[str, Resource] = {}
    bindings: list[Resource] = []
    for resource in resources:
        if resource.id.group == GROUP and resource.id.kind == "ValidatingAdmissionPolicy":
            declared[resource.id.name] = resource
        elif resource.id.group == GROUP and resource.id.kind == "ValidatingAdmissionPolicyBinding":
            bindings.append(resource)
    for binding in bindings:
        spec = mapping(binding.body, "spec")
        policy = declared.get(str(spec.get("policyName")))
        if policy is not None:
            yield _bound(policy, spec)


def _bound(policy: Resource, binding: Mapping[str, Any]) -> Policy:
    spec = mapping(policy.body, "spec")
    return Policy(
        resource=policy,
        scopes=(mapping(spec, "matchConstraints"), mapping(binding, "matchResources")),
        conditions=tuple(str(c.get("expression")) for c in _each(spec, "matchConditions")),
        variables=tuple(
            (str(v.get("name")), str(v.get("expression"))) for v in _each(spec, "variables")
        ),
        validations=tuple(_each(spec, "validations")),
        denies="Deny" in items(binding, "validationActions"),
        parameters="paramKind" in spec,
    )


def _each(spec: Mapping[str, Any], field: str) -> Iterator[Mapping[str, Any]]:
    return map(mapping, items(spec, field))
