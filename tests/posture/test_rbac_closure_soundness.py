"""What somebody can come to, judged by trying every move in small clusters.

The judge plays the documentation's moves one by one until none gives anything new: making pods,
entering them, minting and reading tokens, impersonating, binding and escalating roles, reaching
kubelets. It knows requests, not rules, and shares nothing with what it judges but the matching of a
single rule, which has a judge of its own.
"""

from __future__ import annotations

import random
from functools import cache, reduce
from itertools import product
from operator import or_
from typing import Any

import pytest

from groundplan.posture.model import State
from groundplan.posture.rbac.access import Access, Principal
from groundplan.posture.rbac.escalation import Closures, gained
from groundplan.resources import Origin, Resource
from tests.draws import draws
from tests.posture.test_rbac_soundness import GROUP, allows, key, rbac

pytestmark = pytest.mark.brute_force
FAMILIES, VARIANTS, PAIRS = draws(120), 10, draws(120_000)
VERBS = ("get", "create", "patch", "bind", "escalate", "impersonate", "fresh")
CORE, APPS, FRESH = "", "apps", "fresh"
THINGS = (
    (CORE, ("pods", "")),
    (CORE, ("pods", "exec")),
    (CORE, ("secrets", "")),
    (CORE, ("serviceaccounts", "")),
    (CORE, ("serviceaccounts", "token")),
    (CORE, ("users", "")),
    (CORE, ("groups", "")),
    (CORE, ("nodes", "proxy")),
    (APPS, ("deployments", "")),
    (GROUP, ("clusterroles", "")),
    (GROUP, ("rolebindings", "")),
    (GROUP, ("clusterrolebindings", "")),
    (FRESH, ("fresh", "")),
)
NAMES = ("", "a", "b", "jane", "admins", "plain", "fresh")
REQUESTS = tuple((verb, *thing, name) for verb, thing, name in product(VERBS, THINGS, NAMES))
NUMBER = {request: number for number, request in enumerate(REQUESTS)}
ALL = (1 << len(REQUESTS)) - 1
EVERYWHERE = ""
NAMESPACES = ("one", "two", "fresh")
"""The last one is still to come, with an account of the name that every namespace has."""
SCOPED = {"nodes", "clusterrolebindings"}
CLUSTER = sum(1 << n for n, (_, _, thing, _) in enumerate(REQUESTS) if thing[0] in SCOPED)
SCOPES = (*NAMESPACES, EVERYWHERE)
Reach = dict[str, int]
"""The requests that are allowed, as the bits of a number, in each namespace and everywhere."""


@cache
def bits(text: str) -> int:
    rule = eval(text)  # noqa: S307 - the text is the repr of our own rule
    return sum(1 << number for number, request in enumerate(REQUESTS) if allows(rule, request))


def asked(verbs: str, group: str, thing: tuple[str, str], names: tuple[str, ...] = NAMES) -> int:
    return sum(1 << NUMBER[verb, group, thing, name] for verb in verbs.split() for name in names)


def can(reach: Reach, scope: str, wanted: int) -> bool:
    return bool((reach.get(scope, 0) | reach.get(EVERYWHERE, 0)) & wanted)


def joined(*some: Reach) -> Reach:
    return {scope: reduce(or_, (one.get(scope, 0) for one in some)) for scope in SCOPES}


class Cluster:
    """A state, and what each of its people may do by themselves."""

    def __init__(self, bodies: list[dict[str, Any]]) -> None:
        self.bodies = bodies
        self.roles = {
            b["metadata"]["name"]: b["rules"] for b in bodies if b["kind"] == "ClusterRole"
        }
        made = {where(b) for b in bodies if b["kind"] == "ServiceAccount"}
        self.running = {
            (b["metadata"]["namespace"], b["spec"]["template"]["spec"]["serviceAccountName"])
            for b in bodies
            if b["kind"] == "Deployment"
        }
        always = {(namespace, "default") for namespace in NAMESPACES}
        named = {
            (s["namespace"], s["name"])
            for b in bodies
            for s in b.get("subjects", ())
            if s["kind"] == "ServiceAccount"
        }
        self.accounts = made | self.running | always | named
        state = State("one", tuple(Resource.of(b, Origin("a", i)) for i, b in enumerate(bodies)))
        self.access = Access(state)
        self.closures = Closures(self.access)
        self._own: dict[Any, Reach] = {}
        self._reached: dict[Any, Reach] = {}

    def own(self, who: tuple[str, ...]) -> Reach:
        if who not in self._own:
            found: Reach = {}
            for binding in self.bodies:
                if any(is_about(subject, who) for subject in binding.get("subjects", ())):
                    scope = binding["metadata"].get("namespace", EVERYWHERE)
                    rules = self.roles.get(binding["roleRef"]["name"], ())
                    found[scope] = found.get(scope, 0) | self.granted(rules, scope)
            self._own[who] = found
        return self._own[who]

    @staticmethod
    def granted(rules: Any, scope: str) -> int:
        found = 0
        for rule in rules:
            found |= bits(repr(rule))
        return found if scope == EVERYWHERE else found & ~CLUSTER

    def reached(self, who: tuple[str, ...]) -> Reach:
        """Play every move until none gives anything new."""
        if who in self._reached:
            return self._reached[who]
        people, extra = {who}, {}
        while True:
            reach = joined(*map(self.own, people), extra)
            people |= {other for scope in SCOPES for other in self.moves(reach, scope)}
            for each in people:
                held = joined(self.own(each), extra)
                extra = joined(extra, {scope: self.roles_of(held, scope) for scope in SCOPES})
            if joined(*map(self.own, people), extra) == reach:
                self._reached[who] = reach
                return reach

    def moves(self, reach: Reach, scope: str) -> Any:
        """Whom somebody can become by what they may do in a scope."""
        if scope != EVERYWHERE:
            there = [(s, n) for s, n in self.accounts if s == scope]
            makes = asked("create", CORE, ("pods", "")) | asked(
                "create patch", APPS, ("deployments", "")
            )
            mints = can(reach, scope, asked("create patch", CORE, ("secrets", ""))) and can(
                reach, scope, asked("get", CORE, ("secrets", ""))
            )
            enters = can(reach, scope, asked("create get", CORE, ("pods", "exec")))
            for space, name in there:
                known = name if name in NAMES else "fresh"
                named = asked("create", CORE, ("serviceaccounts", "token"), (known,))
                named |= asked("impersonate", CORE, ("serviceaccounts", ""), (known,))
                runs = enters and (space, name) in self.running
                if can(reach, scope, makes) or mints or runs or can(reach, scope, named):
                    yield "ServiceAccount", space, name
            return
        if can(reach, scope, asked("create get", CORE, ("nodes", "proxy"))):
            yield from (("ServiceAccount", *account) for account in self.running)
        for kind, thing, name in (("User", "users", "jane"), ("Group", "groups", "admins")):
            if can(reach, scope, asked("impersonate", CORE, (thing, ""), (name,))):
                yield kind, name

    def roles_of(self, reach: Reach, scope: str) -> int:
        """What a requester can give to anybody in a scope by binding and changing roles."""
        writes = asked("create patch", GROUP, ("clusterroles", ""))
        if can(reach, scope, asked("escalate", GROUP, ("clusterroles", ""))) and can(
            reach, scope, writes
        ):
            return ALL if scope == EVERYWHERE else ALL & ~CLUSTER
        kind = "clusterrolebindings" if scope == EVERYWHERE else "rolebindings"
        if not can(reach, scope, asked("create patch", GROUP, (kind, ""))):
            return 0
        # Whoever may bind a role of any name binds cluster-admin.
        if can(reach, scope, asked("bind", GROUP, ("clusterroles", ""), ("fresh",))):
            return ALL if scope == EVERYWHERE else ALL & ~CLUSTER
        found = 0
        for name, rules in self.roles.items():
            known = name if name in NAMES else "fresh"
            if can(reach, scope, asked("bind", GROUP, ("clusterroles", ""), (known,))):
                found |= self.granted(rules, scope)
        return found


def where(body: dict[str, Any]) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def is_about(subject: dict[str, str], who: tuple[str, ...]) -> bool:
    if subject["kind"] != "Group":
        return tuple(subject[k] for k in ("kind", "namespace", "name") if k in subject) == who
    groups = {"system:authenticated"}
    if who[0] == "ServiceAccount":
        groups |= {"system:serviceaccounts", f"system:serviceaccounts:{who[1]}"}
    return subject["name"] in groups or who == ("Group", subject["name"])


MENU = (
    ("create", CORE, "pods", ()),
    ("patch", APPS, "deployments", ()),
    ("get", CORE, "pods/exec", ()),
    ("create", CORE, "serviceaccounts/token", ("a",)),
    ("create", CORE, "serviceaccounts/token", ()),
    ("impersonate", CORE, "serviceaccounts", ("b",)),
    ("impersonate", CORE, "users", ("jane",)),
    ("impersonate", CORE, "groups", ("admins",)),
    ("get", CORE, "secrets", ()),
    ("create get", CORE, "secrets", ()),
    ("get", CORE, "nodes/proxy", ()),
    ("bind", GROUP, "clusterroles", ("plain",)),
    ("create", GROUP, "rolebindings", ()),
    ("create", GROUP, "clusterrolebindings", ()),
    ("escalate patch", GROUP, "clusterroles", ()),
    ("fresh", FRESH, "fresh", ()),
    ("fresh", FRESH, "fresh", ("a",)),
    ("get", "*", "*", ()),
)


def some_rule(chance: random.Random) -> dict[str, Any]:
    verbs, group, resource, names = chance.choice(MENU)
    rule = {"verbs": verbs.split(), "apiGroups": [group], "resources": [resource]}
    return rule | ({"resourceNames": list(names)} if names else {})


SUBJECTS: tuple[dict[str, str], ...] = (
    {"kind": "ServiceAccount", "namespace": "one", "name": "a"},
    {"kind": "ServiceAccount", "namespace": "one", "name": "b"},
    {"kind": "ServiceAccount", "namespace": "two", "name": "a"},
    {"kind": "User", "name": "jane"},
    {"kind": "Group", "name": "admins"},
    {"kind": "Group", "name": "system:serviceaccounts"},
    {"kind": "Group", "name": "system:serviceaccounts:one"},
)
PEOPLE = tuple(tuple(s[k] for k in ("kind", "namespace", "name") if k in s) for s in SUBJECTS[:5])


def some_objects(chance: random.Random) -> list[dict[str, Any]]:
    bodies = [
        rbac("ClusterRole", name, rules=[some_rule(chance) for _ in range(chance.randint(1, 2))])
        for name in ("plain", "other", "third")
    ]
    for number in range(chance.randint(1, 4)):
        kind = chance.choice(("RoleBinding", "RoleBinding", "ClusterRoleBinding"))
        namespace = chance.choice(("one", "two")) if kind == "RoleBinding" else ""
        reference = {"kind": "ClusterRole", "name": chance.choice(("plain", "other", "third"))}
        subjects = chance.sample(SUBJECTS, chance.randint(1, 2))
        bodies.append(rbac(kind, f"b{number}", namespace, roleRef=reference, subjects=subjects))
    for namespace, name in (("one", "a"), ("one", "b"), ("two", "a")):
        metadata = {"namespace": namespace, "name": name}
        if chance.random() < 0.3:
            spec = {"template": {"spec": {"serviceAccountName": name, "containers": []}}}
            body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
            bodies.append({**body, "spec": spec})
        elif chance.random() < 0.5:
            bodies.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    return bodies


def family(chance: random.Random) -> list[Cluster]:
    """Clusters that have most objects in common, as two revisions do."""
    common = some_objects(chance)
    found = [Cluster(common)]
    for _ in range(VARIANTS - 1):
        kept = {key(body): body for body in common if chance.random() < 0.9}
        other = {key(body): body for body in some_objects(chance) if chance.random() < 0.25}
        found.append(Cluster(list((kept | other).values())))
    return found


def said(old: Cluster, new: Cluster, who: Principal) -> tuple[bool, bool]:
    """Whether it is said that somebody got something, by themselves or by becoming others."""
    before = old.access.held(who)
    direct = any(not before.covers(*what) for what in new.access.held(who))
    further = gained(who, [old.closures.of(who)], new.closures.of(who), new.access)
    return direct, next(further, None) is not None


def test_nobody_comes_to_more_than_is_said() -> None:
    chance = random.Random(17)
    families = [family(chance) for _ in range(FAMILIES)]
    wider = further = silent = needless = 0
    for _ in range(PAIRS):
        old, new = chance.sample(chance.choice(families), 2)
        person = chance.choice(PEOPLE)
        who = Principal(*person) if len(person) == 3 else Principal(person[0], "", person[1])
        direct, more = said(old, new, who)
        before, after = old.reached(person), new.reached(person)
        everywhere = before.get(EVERYWHERE, 0)
        truth = any(found & ~(before.get(scope, 0) | everywhere) for scope, found in after.items())
        assert direct or more or not truth, ("unsound", old.bodies, new.bodies, person)
        wider += truth
        further += truth and not direct
        silent += not (direct or more)
        needless += (direct or more) and not truth
    rate = 100 * silent / (silent + needless)
    print(f"\nwhat people come to: {PAIRS:,} pairs, {wider:,} wider, {further:,} of them only by")
    print(f"becoming others, 0 unsound; of the {silent + needless:,} others {rate:.1f} % silent")
    assert further > PAIRS // 100
    assert silent > PAIRS // 10
