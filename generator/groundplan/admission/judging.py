"""Whether the objects of a cluster satisfy the policies that are applied to the same cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundplan.admission.expressions import Unknown, evaluate
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import box, selects
from groundplan.sharing import once
from groundplan.verify.pod_templates import pods

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

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


@dataclass(frozen=True)
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

    @cached_property
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


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What policies say of the objects that are applied together."""

    content: Mapping[str, int]
    """How many objects each policy is content with, by the policy's name."""
    others: tuple[Verdict, ...]
    """Of the objects that a policy is not content with, or cannot judge."""


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """Objects that are applied together, on one cluster or on many."""

    resources: Sequence[Resource]
    inside: tuple[str, ...]
    """The namespaces that the objects are in, or are."""
    namespaces: Mapping[str, Around]
    """Those among the objects."""


class Judge:
    """Judges clusters one after the other; what they share is judged once.

    Namespaces that are not among the objects have no labels but their name. An expression that
    fails here may not fail on a server, which fills in defaults first: such objects are unknown.
    """

    def __init__(self) -> None:
        self._part = once(_part)
        self._said: dict[Hashable, Verdicts] = {}
        self._single: dict[Hashable, tuple[Verdict, ...]] = {}
        self._likely: dict[Hashable, tuple[Policy, ...]] = {}
        self._numbers: dict[Hashable, int] = {}
        """What each set of policies that was seen is called in the others."""

    def verdicts(
        self, policies: Sequence[Policy], units: Iterable[Sequence[Resource]]
    ) -> Iterator[Verdicts]:
        """What the policies say of each unit of the same cluster."""
        parts = [self._part(resources) for resources in units]
        namespaces: dict[str, Around] = {}
        for part in parts:
            namespaces |= part.namespaces
        bound = tuple(policy.content for policy in policies)
        number = self._numbers.setdefault(bound, len(self._numbers))
        for part in parts:
            around = {name: namespaces.get(name) or Around(name, {}, {}) for name in part.inside}
            key = (number, part, tuple(one.content for one in around.values()))
            if key not in self._said:
                self._said[key] = _gathered(self._of_part(policies, number, part, around))
            yield self._said[key]

    def _of_part(
        self,
        policies: Sequence[Policy],
        number: int,
        part: _Part,
        namespaces: Mapping[str, Around],
    ) -> Iterator[Verdict]:
        for resource in part.resources:
            around = namespaces[_namespace(resource)]
            key = (number, resource.content, around.content)
            if key not in self._single:
                self._single[key] = tuple(self._judged(policies, number, resource, around))
            yield from self._single[key]

    def _judged(
        self, policies: Sequence[Policy], number: int, resource: Resource, around: Around
    ) -> Iterator[Verdict]:
        for candidate in _candidates(resource):
            key = (number, candidate.group, candidate.kind)
            if key not in self._likely:
                self._likely[key] = tuple(p for p in policies if _about(p, candidate))
            for policy in self._likely[key]:
                if _concerns(policy, candidate, around):
                    yield _verdict(policy, candidate, around)


def _part(resources: Sequence[Resource]) -> _Part:
    inside = tuple(dict.fromkeys(map(_namespace, resources)))
    namespaces = {
        r.id.name: Around(r.id.name, _said(r.body, "labels"), _said(r.body, "annotations"))
        for r in resources
        if _is_namespace(r)
    }
    return _Part(resources, inside, namespaces)


def _gathered(verdicts: Iterable[Verdict]) -> Verdicts:
    content: Counter[str] = Counter()
    others = []
    for verdict in verdicts:
        if verdict.message or verdict.unknown:
            others.append(verdict)
        else:
            content[verdict.policy.name] += 1
    return Verdicts(content, tuple(others))


def _is_namespace(resource: Resource) -> bool:
    return (resource.id.group, resource.id.kind) == ("", "Namespace")


def _namespace(resource: Resource) -> str:
    """The namespace that an object is in, or is."""
    return resource.id.name if _is_namespace(resource) else resource.id.namespace


def _candidates(resource: Resource) -> Iterator[Candidate]:
    identity = resource.id
    yield Candidate(resource, "", identity.group, identity.version, identity.kind, resource.body)
    for pointer, made in pods(resource):
        yield Candidate(resource, pointer, "", "v1", "Pod", made)


def _about(policy: Policy, candidate: Candidate) -> bool:
    """Whether a policy may concern objects of a kind, whatever they are called."""
    rules = items(policy.scopes[0], "resourceRules")
    return any(_of_kind(mapping(rule), candidate) for rule in rules)


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
    """Whether a rule is about making such an object."""
    return _of_kind(rule, candidate) and _has_name(items(rule, "resourceNames"), candidate)


def _of_kind(rule: Mapping[str, Any], candidate: Candidate) -> bool:
    """Whether a rule is about making objects of a kind; equivalent versions count as one."""
    return (
        bool({"*", candidate.group} & set(items(rule, "apiGroups")))
        and bool({"*", "*/*", candidate.plural} & set(items(rule, "resources")))
        and bool({"*", "CREATE"} & set(items(rule, "operations")))
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
