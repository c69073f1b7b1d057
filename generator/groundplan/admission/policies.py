"""Policies whose rules are expressions: the API server's with their bindings, and Kyverno's.

Fields: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/, and
those of `policies.kyverno.io`. A policy of Kyverno says itself what a binding says, and
PolicyExceptions name the policies that they are from.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from groundplan.resources import Resource

GROUP = "admissionregistration.k8s.io"
KYVERNO = "policies.kyverno.io"


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
    exceptions: tuple[tuple[str, ...], ...] = ()
    """Conditions; an object for which all of one entry are true is left alone."""

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.resource.id.name

    @property
    def content(self) -> Hashable:
        """The same for pairs that say the same."""
        # Version 2 writes no back-references: equal scopes give equal bytes.
        scopes = marshal.dumps(tuple(map(dict, self.scopes)), 2)
        return self.resource.content, scopes, self.denies, self.exceptions


def declaring(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """The objects among others that policies are read from."""
    return tuple(resource for resource in resources if resource.id.group in {GROUP, KYVERNO})


def policies(resources: Iterable[Resource]) -> Iterator[Policy]:
    """Every policy among the objects of one cluster, as it is put to work."""
    declared: dict[str, Resource] = {}
    bindings: list[Resource] = []
    own: list[Resource] = []
    exceptions: list[Mapping[str, Any]] = []
    for resource in resources:
        if resource.id.group == KYVERNO and resource.id.kind == "ValidatingPolicy":
            own.append(resource)
        elif resource.id.group == KYVERNO and resource.id.kind == "PolicyException":
            exceptions.append(mapping(resource.body, "spec"))
        elif resource.id.group == GROUP and resource.id.kind == "ValidatingAdmissionPolicy":
            declared[resource.id.name] = resource
        elif resource.id.group == GROUP and resource.id.kind == "ValidatingAdmissionPolicyBinding":
            bindings.append(resource)
    for binding in bindings:
        spec = mapping(binding.body, "spec")
        policy = declared.get(str(spec.get("policyName")))
        if policy is not None:
            yield _bound(policy, spec)
    for policy in own:
        yield _kyverno(policy, exceptions)


def _kyverno(policy: Resource, exceptions: Iterable[Mapping[str, Any]]) -> Policy:
    spec = mapping(policy.body, "spec")
    spared = (
        tuple(str(condition.get("expression")) for condition in _each(exception, "matchConditions"))
        for exception in exceptions
        if any(_names(reference, policy) for reference in _each(exception, "policyRefs"))
    )
    # The policy says itself what a binding would: its scope, and what comes of a failure.
    bound = _bound(policy, {"validationActions": spec.get("validationActions", ["Deny"])})
    return replace(bound, exceptions=(*spared,))


def _names(reference: Mapping[str, Any], policy: Resource) -> bool:
    return (reference.get("kind"), reference.get("name")) == (policy.id.kind, policy.id.name)


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
