"""RBAC judged by a real API server: its answers to access reviews, before and after a change."""

from __future__ import annotations

import random
import time
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from groundplan.posture.model import Verdict
from groundplan.posture.rbac import compare
from groundplan.posture.rbac.roles import GROUP, defaults
from groundplan.runners.apiserver import running
from groundplan.runners.client import Request
from tests.posture.test_rbac_soundness import (
    NAMESPACES,
    PEOPLE,
    REQUESTS,
    changed,
    key,
    may,
    named,
    rbac,
    some_objects,
    state,
)

if TYPE_CHECKING:
    from groundplan.runners.apiserver import Binaries
    from groundplan.runners.client import Client

PAIRS = 6
SAMPLE = 2_000
ROOT = f"/apis/{GROUP}/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@pytest.fixture(scope="module")
def client(binaries: Binaries) -> Any:
    with running(binaries) as server:
        for namespace in NAMESPACES:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            assert server.client.send(Request("POST", "/api/v1/namespaces", body)).ok
        yield server.client


def accepted(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the API server takes. Nothing aggregates roles there: that is a controller's work."""
    found = []
    for body in bodies:
        kind = body["kind"]
        reference = body.get("roleRef", {"name": ""})
        if "aggregationRule" in body or reference["name"] == "sum":
            continue
        if kind == "ClusterRoleBinding" and reference["kind"] == "Role":
            continue
        kept = dict(body)
        if kind == "Role":
            kept["rules"] = [rule for rule in body["rules"] if "resources" in rule]
        if kind == "ClusterRoleBinding":
            kept["subjects"] = [s for s in body["subjects"] if len(s) > 2 or "A" not in s["kind"]]
        found.append(kept)
    return found


def path(body: dict[str, Any]) -> str:
    namespace = body["metadata"].get("namespace")
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{ROOT}{where}/{body['kind'].lower()}s"


def hold(client: Client, old: list[dict[str, Any]], new: list[dict[str, Any]], mark: str) -> None:
    """Replace all objects, and wait until the authorizer has seen the last of each kind."""
    for body in old:
        assert client.send(Request("DELETE", f"{path(body)}/{body['metadata']['name']}")).ok
    who = [{"kind": "User", "name": mark, "apiGroup": GROUP}]
    reads, writes = (
        [{"verbs": [verb], "apiGroups": [""], "resources": ["marks"]}] for verb in ("get", "update")
    )
    marks = [
        rbac("ClusterRole", mark, rules=reads),
        rbac("Role", mark, "one", rules=writes),
        rbac("ClusterRoleBinding", mark, roleRef=role("ClusterRole", mark), subjects=who),
        rbac("RoleBinding", mark, "one", roleRef=role("Role", mark), subjects=who),
    ]
    for body in (*new, *marks):
        answer = client.send(Request("POST", path(body), body))
        assert answer.ok, answer.message
    give_up = time.monotonic() + 30
    waited = [review(mark, "one", (verb, "", ("marks", ""), "")) for verb in ("get", "update")]
    while not all(client.send(one).body["status"]["allowed"] for one in waited):
        assert time.monotonic() < give_up
        time.sleep(0.02)


def role(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": GROUP, "kind": kind, "name": name}


def review(user: str, namespace: str, request: tuple[Any, ...]) -> Request:
    """Ask whether a user may do something."""
    spec: dict[str, Any] = {"user": user, "groups": sorted(PEOPLE.get(user, ()))}
    if len(request) == 2:
        spec["nonResourceAttributes"] = {"verb": request[0], "path": request[1]}
    else:
        verb, group, (resource, sub), name = request
        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": sub}
        spec["resourceAttributes"] = {**attributes, "name": name, "namespace": namespace}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return Request("POST", REVIEWS, body)


@pytest.mark.cluster
def test_the_api_server_allows_nothing_new_that_is_not_said(client: Client) -> None:
    chance = random.Random(17)
    everything = tuple(product(PEOPLE, ("", *NAMESPACES), enumerate(REQUESTS)))
    asked = flipped = 0
    held: list[dict[str, Any]] = []
    for number in range(PAIRS):
        old = accepted(some_objects(chance))
        new = accepted(changed(chance, old))
        sample = chance.sample(everything, SAMPLE // 2)
        fresh = [one for one in everything if gained(old, new, one)]
        sample += chance.sample(fresh, min(len(fresh), SAMPLE // 2))
        answers = []
        for side, bodies in (("old", old), ("new", new)):
            hold(client, held, bodies, f"mark-{number}-{side}")
            held = bodies
            reviews = (review(user, ns, request) for user, ns, (_, request) in sample)
            said = [a.body["status"]["allowed"] for a in client.send_all(reviews)]
            for allowed, (user, ns, (index, request)) in zip(said, sample, strict=True):
                judged = bool(granted(repr(bodies), user, ns) >> index & 1)
                judged = judged or by_default(user, request)
                assert allowed is judged, (bodies, user, ns, request)
            answers.append(said)
        about = {
            (c.subject.kind, "/".join(filter(None, (c.subject.namespace, c.subject.name))))
            for c in compare(state(old), state(new))
            if c.verdict is Verdict.WIDENED
        }
        for before, after, (user, ns, (_, request)) in zip(*answers, sample, strict=True):
            asked += 1
            if after and not before:
                flipped += 1
                assert about & named(user), ("unsound", old, new, user, ns, request)
    print(
        f"\nthe API server: {asked:,} requests on both sides, {flipped:,} newly allowed, all said"
    )
    assert flipped > SAMPLE // 2


def gained(old: list[dict[str, Any]], new: list[dict[str, Any]], asked: Any) -> bool:
    """Whether the judge of the property tests says that a request is newly allowed."""
    user, namespace, (index, _) = asked
    before, after = (granted(repr(bodies), user, namespace) for bodies in (old, new))
    return bool((after & ~before) >> index & 1)


@cache
def granted(text: str, user: str, namespace: str) -> int:
    return may(eval(text), user, namespace)  # noqa: S307 - the repr of our own objects


def by_default(user: str, request: tuple[Any, ...]) -> bool:
    """What Kubernetes lets everybody see."""
    if len(request) == 4 or request[0] != "get":
        return False
    discovery = request[1].startswith("/apis/") and "system:authenticated" in PEOPLE[user]
    return request[1] == "/healthz" or discovery


@pytest.mark.cluster
def test_the_roles_that_kubernetes_brings_are_those_that_are_known(client: Client) -> None:
    label = "kubernetes.io%2Fbootstrapping%3Drbac-defaults"
    served = {
        item["metadata"]["name"]: item
        for item in client.get(f"{ROOT}/clusterroles?labelSelector={label}").body["items"]
        if not item["metadata"]["name"].startswith("system:controller:")
    }
    known = {name: role.body for name, (role,) in defaults().items()}
    assert {*served} == {*known}
    for name, body in known.items():
        assert (served[name].get("rules") or []) == [*body.get("rules", ())], name
        assert served[name].get("aggregationRule") == body.get("aggregationRule"), name
    assert {key({**b, "kind": "ClusterRole"})[2] for b in known.values()} == {*known}
