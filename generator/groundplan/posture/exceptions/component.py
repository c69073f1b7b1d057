"""The exceptions as those take them who judge: the API server, and Kyverno.

The API server has conditions that its policies skip an object by, and no clock. What has ended is
left out when the file is written anew, and until then `groundplan posture exceptions` fails.
Kyverno has objects of their own for exceptions, which end by themselves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundplan.documents import dump
from groundplan.errors import UsageError
from groundplan.posture.exceptions.model import FOLDER, POLICY_KINDS, policy_id
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from groundplan.posture.exceptions.model import PostureException, Scope
    from groundplan.posture.exceptions.states import Standing
    from groundplan.repository import Repository
    from groundplan.resources import Resource

PATH = f"{FOLDER}/kustomization.yaml"
OBJECTS = f"{FOLDER}/policy-exceptions.yaml"
NAMESPACE = "kyverno"
"""Where Kyverno is told to look for exceptions, and nobody but the platform writes any."""
PREFIX = "except-"
HEAD = """\
# Written by `groundplan posture exceptions --write` from the files beside it; edit those.
"""


def files(repository: Repository, standings: Sequence[Standing]) -> Mapping[str, str]:
    """The exceptions that still hold as a Kustomize component, by path; no text is no file.

    Raises:
        UsageError: `posture.exception-for-some-clusters`, as all clusters share the policies.
    """
    policies = {
        policy_id(resource.id.name): resource
        for resource in repository.resources
        if resource.id.kind in POLICY_KINDS
    }
    holding = [s.exception for s in standings if not s.failing]
    for exception in holding:
        others = _elsewhere(repository, exception)
        if others and policies.keys() & set(exception.policies):
            raise _for_some(exception, others)
    native = {name: one for name, one in policies.items() if one.id.kind != "ValidatingPolicy"}
    by_kyverno = policies.keys() - native.keys()
    patches = [
        _patch(native[policy], conditions)
        for policy in sorted(native)
        if (conditions := [_condition(e) for e in holding if policy in e.policies])
    ]
    objects = [
        _object(exception, names)
        for exception in holding
        if (names := [policies[one].id.name for one in exception.policies if one in by_kyverno])
    ]
    # Kustomize refuses a component without any field; an empty list is one.
    body = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    listed = {"resources": [OBJECTS.rpartition("/")[2]]} if objects else {}
    return {
        PATH: HEAD + dump({**body, **listed, "patches": patches}),
        OBJECTS: HEAD + "---\n".join(map(dump, objects)) if objects else "",
    }


def _object(exception: PostureException, policies: Sequence[str]) -> Mapping[str, Any]:
    """An exception as Kyverno has it; the last day ends in UTC."""
    terms = " && ".join(_terms(exception.scope))
    said = {name: getattr(exception, name) for name in ("owner", "approver", "reason", "ticket")}
    ends = {"expiresAt": f"{exception.expires}T23:59:59Z"} if exception.expires else {}
    return {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "PolicyException",
        "metadata": {"name": exception.name, "namespace": NAMESPACE},
        "spec": {
            "policyRefs": [{"kind": "ValidatingPolicy", "name": name} for name in policies],
            **({"matchConditions": [{"name": "scope", "expression": terms}]} if terms else {}),
            **ends,
            "properties": {name: value for name, value in said.items() if value},
        },
    }


def _elsewhere(repository: Repository, exception: PostureException) -> list[str]:
    """The clusters that an exception is not for."""
    meant = exception.scope.clusters
    return sorted({c.name for c in repository.clusters} - set(meant)) if meant else []


def _for_some(exception: PostureException, others: Sequence[str]) -> UsageError:
    return UsageError(
        "posture.exception-for-some-clusters",
        f"{exception.name} is not for {', '.join(others)}, and every cluster has the same policies:"
        " written into them, it would hold there too",
        where=str(exception.location),
        fix="leave spec.scope.clusters out, and name namespaces and names that only they have",
    )


def _patch(policy: Resource, conditions: list[Mapping[str, str]]) -> Mapping[str, Any]:
    """Add conditions to a policy; an object is judged only where all of them are true.

    Kustomize replaces the list whole, so the policy's own conditions come first.
    """
    own = items(mapping(policy.body, "spec"), "matchConditions")
    kept = [one for one in own if not str(mapping(one).get("name")).startswith(PREFIX)]
    body = {
        "apiVersion": policy.id.api_version,
        "kind": policy.id.kind,
        "metadata": {"name": policy.id.name},
        "spec": {"matchConditions": [*kept, *conditions]},
    }
    return {"patch": dump(body)}


def _condition(exception: PostureException) -> Mapping[str, str]:
    terms = " && ".join(_terms(exception.scope))
    return {"name": f"{PREFIX}{exception.name}", "expression": f"!({terms})" if terms else "false"}


def _terms(scope: Scope) -> Iterator[str]:
    """Walk what must be true of an object in the scope; a pod does not say its workload's kind."""
    if scope.namespaces:
        yield f"request.namespace in {_list(scope.namespaces)}"
    if scope.names:
        # A pod has its workload's name and more; which workload that is, it does not say.
        named = "object.metadata.?name.orValue('') + object.metadata.?generateName.orValue('')"
        yield f"{_list(scope.names)}.exists(n, ({named} + '-').startsWith(n + '-'))"


def _list(names: Sequence[str]) -> str:
    return json.dumps(names)
