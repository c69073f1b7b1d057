"""What is said about RBAC, judged by asking for every request of a small universe.

Each universe has names that no rule knows, which stand for all that is still to come. The judge is
written from the documentation of the authorizer, one request at a time, and shares nothing with
what it judges.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import product
from typing import Any

import pytest

from groundplan.posture.model import State, Verdict
from groundplan.posture.rbac import compare
from groundplan.posture.rbac.rules import Permissions, atoms
from groundplan.resources import Origin, Resource
from tests.draws import draws

pytestmark = pytest.mark.brute_force
RULE_PAIRS = draws(100_000)
STATE_PAIRS = draws(6_000)

VERBS = ("get", "list", "create", "fresh")
GROUPS = ("", "apps", "fresh")
RESOURCES = (
    ("pods", ""),
    ("pods", "exec"),
    ("pods", "log"),
    ("deployments", ""),
    ("deployments", "scale"),
    ("fresh", ""),
    ("fresh", "exec"),
    ("fresh", "scale"),
    ("fresh", "fresh"),
)
NAMES = ("", "a", "b", "fresh")
PATHS = ("/", "/healthz", "/apis/", "/apis/v1", "/apis/*", "/fresh")
REQUESTS: tuple[tuple[str, ...], ...] = (
    *product(VERBS, GROUPS, RESOURCES, NAMES),
    *product(VERBS, PATHS),
)


def allows(rule: dict[str, Any], request: tuple[Any, ...]) -> bool:
    """Whether one rule allows one request."""
    verb = request[0]
    if verb not in rule["verbs"] and "*" not in rule["verbs"]:
        return False
    if len(request) == 2:
        return any(path_matches(url, request[1]) for url in rule.get("nonResourceURLs", ()))
    _, group, (resource, sub), name = request
    if "resources" not in rule or not {group, "*"} & {*rule["apiGroups"]}:
        return False
    whole = f"{resource}/{sub}" if sub else resource
    named = {whole, "*", f"*/{sub}"} if sub else {whole, "*"}
    names = rule.get("resourceNames", ())
    return bool(named & {*rule["resources"]}) and (not names or name in names)


def path_matches(url: str, path: str) -> bool:
    if url in {"*", path}:
        return True
    return url.endswith("*") and path.startswith(url.rstrip("*"))


def some_rule(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.15:
        urls = ("/healthz", "/apis/*", "*", "/*", "/", "/apis/**", "healthz")
        return {
            "verbs": sorted(chance.sample(("get", "list", "*"), chance.randint(1, 2))),
            "nonResourceURLs": sorted(chance.sample(urls, chance.randint(1, 2))),
        }
    resources = ("pods", "pods/exec", "pods/*", "*/*", "*/exec", "*/scale", "*", "deployments")
    rule = {
        "verbs": sorted(chance.sample(("get", "list", "create", "*"), chance.randint(1, 3))),
        "apiGroups": sorted(chance.sample(("", "apps", "*"), chance.randint(1, 2))),
        "resources": sorted(chance.sample(resources, chance.randint(1, 2))),
    }
    names = chance.choice(((), (), ("a",), ("a", "b"), ("",)))
    return rule | ({"resourceNames": list(names)} if names else {})


@cache
def allowed(text: str) -> int:
    """The requests that a rule allows, as the bits of a number."""
    rule = eval(text)  # noqa: S307 - the text is the repr of our own rule
    return sum(1 << i for i, request in enumerate(REQUESTS) if allows(rule, request))


def union(rules: list[dict[str, Any]]) -> int:
    bits = 0
    for rule in rules:
        bits |= allowed(repr(rule))
    return bits


def test_rules_that_cover_others_are_found_without_mistake() -> None:
    chance = random.Random(7)
    contained = missed = 0
    for _ in range(RULE_PAIRS):
        old, new = [some_rule(chance) for _ in range(chance.randint(1, 3))], some_rule(chance)
        held = Permissions(("", atom) for rule in old for atom in atoms(rule, namespaced=False))
        said = all(held.covers("", atom) for atom in atoms(new, namespaced=False))
        truth = not union([new]) & ~union(old)
        assert truth or not said, ("unsound", old, new)
        contained += truth
        missed += truth and not said
    assert contained > RULE_PAIRS // 50
    print(f"\nrules: {RULE_PAIRS:,} pairs, {contained:,} contained, 0 unsound, {missed} missed")
    assert not missed


GROUP = "rbac.authorization.k8s.io"
ACCOUNTS = (("one", "a"), ("one", "b"), ("two", "a"))
SUBJECTS: tuple[dict[str, str], ...] = (
    *({"kind": "ServiceAccount", "namespace": ns, "name": name} for ns, name in ACCOUNTS),
    {"kind": "ServiceAccount", "name": "a"},
    {"kind": "User", "name": "system:serviceaccount:one:a"},
    {"kind": "User", "name": "jane"},
    {"kind": "Group", "name": "admins"},
    {"kind": "Group", "name": "system:serviceaccounts"},
    {"kind": "Group", "name": "system:serviceaccounts:one"},
    {"kind": "Group", "name": "system:authenticated"},
)
NAMESPACES = ("one", "two", "fresh")
PEOPLE: dict[str, frozenset[str]] = {
    **{
        f"system:serviceaccount:{ns}:{name}": frozenset(
            {"system:serviceaccounts", f"system:serviceaccounts:{ns}", "system:authenticated"}
        )
        for ns, name in (*ACCOUNTS, ("one", "fresh"), ("fresh", "fresh"))
    },
    "jane": frozenset({"system:authenticated"}),
    "someone": frozenset({"admins", "system:authenticated"}),
    "system:anonymous": frozenset({"system:unauthenticated"}),
}


def some_objects(chance: random.Random) -> list[dict[str, Any]]:
    """A cluster: roles, one of them aggregated, and bindings."""
    found: list[dict[str, Any]] = []
    for name in ("plain", "labelled"):
        rules = [some_rule(chance) for _ in range(chance.randint(1, 2))]
        labels = {"to": chance.choice(("sum", "nothing"))}
        found.append(rbac("ClusterRole", name, rules=rules, labels=labels))
    found.append(
        rbac(
            "ClusterRole",
            "sum",
            aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"to": "sum"}}]},
        )
    )
    found += [
        rbac("Role", "local", namespace, rules=[some_rule(chance)])
        for namespace in ("one", "two")
        if chance.random() < 0.7
    ]
    for number in range(chance.randint(1, 3)):
        kind = chance.choice(("RoleBinding", "ClusterRoleBinding"))
        namespace = chance.choice(("one", "two")) if kind == "RoleBinding" else ""
        role = chance.choice(("plain", "labelled", "sum", "local"))
        reference = {"kind": "Role" if role == "local" else "ClusterRole", "name": role}
        subjects = chance.sample(SUBJECTS, chance.randint(1, 2))
        found.append(rbac(kind, f"b{number}", namespace, roleRef=reference, subjects=subjects))
    return found


def rbac(
    kind: str, name: str, namespace: str = "", labels: dict[str, str] | None = None, **body: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": labels or {}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, **body}


def changed(chance: random.Random, old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Most of a cluster as it was, some of it from another one."""
    kept = {key(o): o for o in old if chance.random() < 0.8}
    fresh = {key(o): o for o in some_objects(chance) if chance.random() < 0.3}
    return list((kept | fresh).values())


def key(body: dict[str, Any]) -> tuple[str, ...]:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def rules_of(objects: dict[tuple[str, ...], dict[str, Any]], binding: dict[str, Any]) -> Any:
    """The rules of the role that a binding refers to, or None when nobody knows them."""
    kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
    namespace = binding["metadata"].get("namespace", "") if kind == "Role" else ""
    role = objects.get((kind, namespace, name))
    if role is None or (kind == "Role" and not namespace):
        return []
    if "aggregationRule" in role:
        return [
            rule
            for other in objects.values()
            if other["kind"] == "ClusterRole" and other["metadata"]["labels"].get("to") == "sum"
            for rule in other.get("rules", ())
        ]
    # The API server refuses a Role with URLs.
    return [r for r in role["rules"] if kind == "ClusterRole" or "nonResourceURLs" not in r]


def is_subject(subject: dict[str, str], user: str, namespace: str) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in PEOPLE[user]
    if subject["kind"] == "User":
        return subject["name"] == user
    where = subject.get("namespace") or namespace
    return bool(where) and user == f"system:serviceaccount:{where}:{subject['name']}"


URLS = sum(1 << i for i, request in enumerate(REQUESTS) if len(request) == 2)


def may(bodies: list[dict[str, Any]], user: str, namespace: str) -> int:
    """Everything that a user may do in a namespace; in none, it is what they may do anywhere."""
    objects = {key(body): body for body in bodies}
    bits = 0
    for body in bodies:
        if not body["kind"].endswith("Binding"):
            continue
        where = body["metadata"].get("namespace", "")
        if where not in {"", namespace}:
            continue
        if any(is_subject(subject, user, where) for subject in body["subjects"]):
            granted = union(rules_of(objects, body))
            bits |= granted & ~URLS if where else granted
    return bits


def state(bodies: list[dict[str, Any]]) -> State:
    origins = (Origin("a.yaml", index) for index in range(len(bodies)))
    return State("one", tuple(map(Resource.of, bodies, origins)))


def named(user: str) -> set[tuple[str, str]]:
    """Everybody that a change may be about so that it is about this user."""
    groups = {("Group", group) for group in PEOPLE[user]}
    if user.startswith("system:serviceaccount:"):
        return groups | {("ServiceAccount", "/".join(user.split(":")[2:]))}
    return groups | {("User", user)}


def test_nothing_new_is_allowed_that_is_not_said() -> None:
    chance = random.Random(11)
    wider = silent = needless = 0
    for _ in range(STATE_PAIRS):
        old = some_objects(chance)
        new = changed(chance, old)
        said = [
            change
            for change in compare(state(old), state(new))
            if change.verdict in {Verdict.WIDENED, Verdict.INCOMPARABLE}
        ]
        about = {
            (c.subject.kind, "/".join(filter(None, (c.subject.namespace, c.subject.name))))
            for c in said
        }
        truth = False
        for user, namespace in product(PEOPLE, ("", *NAMESPACES)):
            if may(new, user, namespace) & ~may(old, user, namespace):
                truth = True
                assert about & named(user), ("unsound", old, new, user, namespace)
        wider += truth
        silent += not said
        widened = [change for change in said if change.verdict is Verdict.WIDENED]
        needless += bool(widened) and not truth
    print(f"\nclusters: {STATE_PAIRS:,} pairs, {wider:,} wider, 0 unsound, {silent:,} silent,")
    print(f"{needless:,} said to be wider where no request of the universe shows it")
    assert wider > STATE_PAIRS // 10
    assert silent > STATE_PAIRS // 20
    assert needless < STATE_PAIRS // 100
