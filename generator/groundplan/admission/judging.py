"""Whether the objects of a cluster satisfy the policies that are applied to the same cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.admission.expressions import Unknown, evaluate
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import box, selects
from groundplan.verify.pod_templates import pods

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from groundplan.admission.policies import Policy
    from groundplan.resources import Resource

NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that would be sent to the API server, or the pod that a workload would make."""

    source: Resource
    pointer: str
    """Where in the source it is written."""
    group: str
    version: str
    kind: str
    body: Mapping[str, Any]

    @property
    def plural(self) -> str:
        """The resource, as rules name it: Kubernetes' kinds follow English."""
        name = self.kind.lower()
        if name.endswith("y") and name[-2] not in "aeiou":
            return f"{name[:-1]}ies"
        return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


@dataclass(frozen=True, slots=True)
class Around:
    """A namespace, as policies see it."""

    name: str
    """Empty for objects outside namespaces."""
    said: Mapping[str, str]
    """Its labels but the one with its name, which Kubernetes adds."""
    annotations: Mapping[str, str]

    @property
    def labels(self) -> dict[str, str]:
        """All of its labels."""
        return {NAMESPACE_NAME: self.name, **self.said}

    @property
    def content(self) -> Hashable:
        """Equal for equal ones."""
        return self.name, *map(tuple, map(sorted, (self.said.items(), self.annotations.items())))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one policy says of one object; no message means that it is content."""

    policy: Policy
    candidate: Candidate
    message: str = ""
    unknown: str = ""
    """Why nothing can be said; then there is no message."""


class Judge:
    """Judges clusters one after the other; what they share is judged once.

    Namespaces that are not among the objects have no labels but their name. An expression that
    fails here may not fail on a server, which fills in defaults first: such objects are unknown.
    """

    def __init__(self) -> None:
        self._said: dict[Hashable, tuple[Verdict, ...]] = {}
        self._numbers: dict[Hashable, int] = {}
        """What each set of policies that was seen is called in `_said`."""

    def verdicts(
        self, policies: Sequence[Policy], resources: Sequence[Resource]
    ) -> Iterator[Verdict]:
        """What each policy says of each object of the same cluster that it is about."""
        namespaces = {
            r.id.name: Around(r.id.name, _said(r.body, "labels"), _said(r.body, "annotations"))
            for r in resources
            if (r.id.group, r.id.kind) == ("", "Namespace")
        }
        bound = tuple(policy.content for policy in policies)
        number = self._numbers.setdefault(bound, len(self._numbers))
        for resource in resources:
            around = _around(resource, namespaces)
            key = (number, resource.content, around.content)
            if key not in self._said:
                self._said[key] = tuple(_judged(policies, resource, around))
            yield from self._said[key]


def _judged(policies: Sequence[Policy], resource: Resource, around: Around) -> Iterator[Verdict]:
    for candidate in _candidates(resource):
        for policy in policies:
            if _concerns(policy, candidate, around):
                yield _verdict(policy, candidate, around)


def _around(resource: Resource, namespaces: Mapping[str, Around]) -> Around:
    """The namespace that an object is in, or is."""
    is_namespace = (resource.id.group, resource.id.kind) == ("", "Namespace")
    name = resource.id.name if is_namespace else resource.id.namespace
    return namespaces.get(name, Around(name, {}, {}))


def _candidates(resource: Resource) -> Iterator[Candidate]:
    identity = resource.id
    yield Candidate(resource, "", identity.group, identity.version, identity.kind, resource.body)
    for pointer, made in pods(resource):
        yield Candidate(resource, pointer, "", "v1", "Pod", made)


def _concerns(policy: Policy, candidate: Candidate, around: Around) -> bool:
    for number, scope in enumerate(policy.scopes):
        rules = items(scope, "resourceRules")
        # The policy itself must name resources; a binding may leave that to it.
        if (rules or not number) and not any(_named(mapping(r), candidate) for r in rules):
            return False
        if any(_named(mapping(r), candidate) for r in items(scope, "excludeResourceRules")):
            return False
        # Objects outside namespaces are not held to a selector of namespaces.
        named = box(mapping(scope, "namespaceSelector"))
        if around.name and not selects(named, around.labels):
            return False
        if not selects(box(mapping(scope, "objectSelector")), _said(candidate.body, "labels")):
            return False
    return True


def _named(rule: Mapping[str, Any], candidate: Candidate) -> bool:
    """Whether a rule is about making such an object; equivalent versions count as one."""
    return (
        bool({"*", candidate.group} & set(items(rule, "apiGroups")))
        and bool({"*", "*/*", candidate.plural} & set(items(rule, "resources")))
        and bool({"*", "CREATE"} & set(items(rule, "operations")))
        and _has_name(items(rule, "resourceNames"), candidate)
    )


def _has_name(names: list[Any], candidate: Candidate) -> bool:
    return not names or candidate.source.id.name in names


def _verdict(policy: Policy, candidate: Candidate, around: Around) -> Verdict:
    if policy.parameters:
        return Verdict(policy, candidate, unknown="it takes parameters")
    data = _data(candidate, around)
    for conditions, meant in ((policy.conditions, False), *((e, True) for e in policy.exceptions)):
        said = _all(conditions, data)
        if isinstance(said, Unknown):
            return Verdict(policy, candidate, unknown=said.reason)
        if said is meant:
            return Verdict(policy, candidate)
    variables = _variables(policy, data)
    unknown = ""
    for validation in policy.validations:
        match evaluate(str(validation.get("expression")), {**data, "variables": variables}):
            case Unknown(reason):
                unknown = unknown or reason
            case False:
                return Verdict(policy, candidate, _message(validation))
    return Verdict(policy, candidate, unknown=unknown)


def _all(conditions: Sequence[str], data: Mapping[str, Any]) -> bool | Unknown:
    """Whether all conditions are true."""
    for expression in conditions:
        value = evaluate(expression, data)
        if isinstance(value, Unknown):
            return value
        if value is False:
            return False
    return True


def _variables(policy: Policy, data: Mapping[str, Any]) -> dict[str, Any]:
    """Those that have a value; each may read those before it."""
    found: dict[str, Any] = {}
    for name, expression in policy.variables:
        value = evaluate(expression, {**data, "variables": found})
        if not isinstance(value, Unknown):
            found[name] = value
    return found


def _data(candidate: Candidate, around: Around) -> dict[str, Any]:
    kind = {"group": candidate.group, "version": candidate.version, "kind": candidate.kind}
    identity = candidate.source.id
    request = {
        "kind": kind,
        "name": identity.name,
        "namespace": identity.namespace,
        "operation": "CREATE",
        "dryRun": False,
    }
    said = {"name": around.name, "labels": around.labels, "annotations": around.annotations}
    space = {"metadata": said} if around.name else None
    return {"object": candidate.body, "request": request, "namespaceObject": space}


def _message(validation: Mapping[str, Any]) -> str:
    return str(validation.get("message") or f"failed expression: {validation.get('expression')}")


def _said(body: Mapping[str, Any], what: str) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in mapping(body, "metadata", what).items()}
