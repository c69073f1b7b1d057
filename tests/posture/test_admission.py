"""Admission: requests that are looked at judged one by one, and what CEL texts have in common."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from groundplan.posture import admission
from groundplan.posture.admission.expressions import conjuncts
from groundplan.posture.admission.matching import OPERATIONS, Scope
from groundplan.tree import Tree
from tests.draws import draws
from tests.posture.states import said

pytestmark = pytest.mark.brute_force
PAIRS = draws(20_000)
REQUESTS = tuple(
    product(
        OPERATIONS,
        ("", "apps", "fresh"),
        ("v1", "fresh"),
        (
            ("pods", ""),
            ("pods", "exec"),
            ("pods", "fresh"),
            ("fresh", ""),
            ("fresh", "exec"),
            ("fresh", "fresh"),
        ),
        ("a", "fresh"),
    )
)


def looks_at(rules: list[dict[str, Any]], request: tuple[Any, ...]) -> bool:
    operation, group, version, (resource, sub), name = request
    for rule in rules:
        named = rule.get("resourceNames", ())
        if (
            {operation, "*"} & {*rule["operations"]}
            and {group, "*"} & {*rule["apiGroups"]}
            and {version, "*"} & {*rule["apiVersions"]}
            and any(matches(written, resource, sub) for written in rule["resources"])
            and (not named or name in named)
        ):
            return True
    return False


def matches(written: str, resource: str, sub: str) -> bool:
    first, _, second = written.partition("/")
    return first in {"*", resource} and second in {"*", sub}


def some_rule(chance: random.Random) -> dict[str, Any]:
    operations = chance.sample((*OPERATIONS, "*"), chance.randint(1, 3))
    resources = ("pods", "pods/exec", "pods/*", "*", "*/*", "*/exec")
    rule = {
        "operations": operations,
        "apiGroups": chance.sample(("", "apps", "*"), chance.randint(1, 2)),
        "apiVersions": chance.sample(("v1", "*"), 1),
        "resources": chance.sample(resources, chance.randint(1, 2)),
    }
    return rule | ({"resourceNames": ["a"]} if chance.random() < 0.2 else {})


def test_requests_that_are_no_longer_looked_at_are_found_without_mistake() -> None:
    chance = random.Random(13)
    contained = missed = 0
    for _ in range(PAIRS):
        old, new = ([some_rule(chance) for _ in range(chance.randint(1, 2))] for _ in range(2))
        old_scope, new_scope = (Scope.of({"resourceRules": rules}) for rules in (old, new))
        answer = not list(old_scope.missed(new_scope))
        truth = all(looks_at(new, r) for r in REQUESTS if looks_at(old, r)) if answer else None
        assert truth is not False, ("unsound", old, new)
        if truth is None:
            truth = all(looks_at(new, r) or not looks_at(old, r) for r in REQUESTS)
            missed += truth
        contained += truth
    print(f"\nrequests: {PAIRS:,} pairs, {contained:,} contained, 0 unsound, {missed} missed")
    assert contained > PAIRS // 20
    assert missed <= contained // 20


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a && b", "b\n  && (a)"),
        ("(a && (b && c))", "c && a && b"),
        ("a // why\n && b", "a&&b"),
        ("x.all(i, i && j)", "x.all( i , i&&j )"),
        ("(a || b) && c", "c && (a||b)"),
        ("a.?b.orValue(c) && d", "d && a.?b.orValue(c)"),
    ],
)
def test_the_same_in_other_words(one: str, other: str) -> None:
    assert conjuncts(one) == conjuncts(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a && b || c", "b && a || c"),
        ("a ? b && c : d", "a ? c && b : d"),
        ("'a && b'", "'b && a'"),
        ("'a  b'", "'a b'"),
        ("'// a'", "'// b'"),
        ('"""a\n""" && b', '"""a""" && b'),
        ("a && b", "a"),
    ],
)
def test_what_may_be_something_else(one: str, other: str) -> None:
    assert conjuncts(one) != conjuncts(other)


POLICY = """\
---
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}AdmissionPolicy
metadata: {{name: owned}}
spec:
  {spec}
  matchConstraints:
    resourceRules: [{{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}}]
"""
BINDING = """\
---
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}AdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: owned, {more}}}
"""


def policy(spec: str = "validations: [{expression: a}]", kind: str = "Validating") -> str:
    return POLICY.format(kind=kind, spec=spec)


def bound(
    more: str = "validationActions: [Deny]", name: str = "b", kind: str = "Validating"
) -> str:
    return BINDING.format(kind=kind, name=name, more=more)


OWNED = "ValidatingAdmissionPolicy owned:"
TENANTS = "validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {t: a}}}"
CASES: dict[str, tuple[str, str, dict[str, list[str]]]] = {
    "a binding by another name": (policy() + bound(), policy() + bound(name="c"), {}),
    "a second binding": (policy() + bound(), policy() + bound() + bound(TENANTS, "c"), {}),
    "a binding for fewer": (
        policy() + bound(),
        policy() + bound(TENANTS),
        {"widened": [f"{OWNED} looks at fewer namespaces: t is a"]},
    ),
    "a new policy": ("", policy() + bound(), {"narrowed": [f"{OWNED} is new: it refuses more"]}),
    "a policy that only reported": (
        policy() + bound("validationActions: [Warn]"),
        "",
        {"widened": [f"{OWNED} is gone: what it reported is not seen"]},
    ),
    "a stricter policy": (
        policy("failurePolicy: Ignore") + bound("validationActions: [Audit]"),
        policy() + bound(),
        {
            "narrowed": [
                f"{OWNED} undone: lets everything through when it cannot be evaluated",
                f"{OWNED} undone: no longer asks: a",
                f"{OWNED} undone: only reports what it refused",
            ]
        },
    ),
    "a binding to a policy from elsewhere": (
        bound(),
        bound("validationActions: [Warn]"),
        {"widened": ["ValidatingAdmissionPolicyBinding b: only reports what it refused"]},
    ),
    "what a mutation sets": (
        policy("mutations: [{patchType: JSONPatch, jsonPatch: {expression: a}}]", "Mutating")
        + bound("", kind="Mutating"),
        policy("mutations: []", "Mutating") + bound("", kind="Mutating"),
        {"widened": ["MutatingAdmissionPolicy owned: no longer asks: set a"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_policies(case: str) -> None:
    base, head, expected = CASES[case]
    assert said(admission, base, head) == expected


CONFIG = """\
apiVersion: config.gatekeeper.sh/v1alpha1
kind: Config
metadata: {{name: config, namespace: gatekeeper-system}}
spec: {{match: [{{excludedNamespaces: [{names}], processes: ["*"]}}]}}
"""


def test_what_gatekeeper_leaves_out() -> None:
    base, head = (CONFIG.format(names=names) for names in ("kube-*", "kube-*, shop"))
    subject = "Config gatekeeper-system/config:"
    assert said(admission, base, head) == {"widened": [f"{subject} leaves out shop in *"]}
    assert said(admission, head, base) == {"narrowed": [f"{subject} undone: leaves out shop in *"]}


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("ignore-check.kube-linter.io/no-read-only-root-fs: why", "kube-linter/no-read-only"),
        ("checkov.io/skip1: CKV_K8S_1=why", "checkov/CKV_K8S_1"),
        ("polaris.fairwinds.com/exempt: 'true'", "polaris/exempt"),
        ("kube-score/ignore: pod-networkpolicy", "kube-score/pod-networkpolicy"),
    ],
)
def test_scanners_that_are_told_to_look_away(annotation: str, words: str) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, annotations: {{{}}}}}\n"
    found = said(admission, text.format(""), text.format(annotation))
    assert len(found["widened"]) == 1
    assert f"Pod p: is passed over by {words}" in found["widened"][0]
    assert set(said(admission, text.format(annotation), text.format(""))) == {"narrowed"}


EXCEPTION = """\
apiVersion: posture.groundplan.dev/v1
kind: PostureException
metadata: {{name: {name}}}
spec:
  policies: [{policies}]
  scope: {{namespaces: [shop], names: [{names}]}}
  owner: shop
  expiresAt: "{until}"
"""


def exceptions(
    policies: str = "POD-004", names: str = "web", until: str = "2026-12-31", name: str = "e"
) -> Tree:
    text = EXCEPTION.format(name=name, policies=policies, names=names, until=until)
    return Tree.of({f"posture/exceptions/{name}.yaml": text})


SPARED = "spares * shop * web from POD-004 until 2026-12-31"


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (Tree.of({}), exceptions(), [("widened", SPARED)]),
        (exceptions(), Tree.of({}), [("narrowed", f"no longer {SPARED}")]),
        (exceptions(), exceptions(name="other"), []),
        (
            exceptions(),
            exceptions(until="2027-01-01"),
            [
                ("widened", SPARED.replace("2026-12-31", "2027-01-01")),
            ],
        ),
        (exceptions(), exceptions(until="2026-12-01"), [("narrowed", f"no longer {SPARED}")]),
        (
            exceptions(),
            exceptions(names="web, job"),
            [("widened", SPARED.replace("web", "job,web"))],
        ),
        (
            exceptions(),
            exceptions(policies="POD-004, POD-005"),
            [("widened", SPARED.replace("POD-004", "POD-005"))],
        ),
    ],
)
def test_exceptions_spare_more_or_longer(base: Tree, head: Tree, expected: list) -> None:
    found = admission.compare_files(base, head)
    assert [(change.verdict, change.atom) for change in found] == expected


def test_a_comment_that_moves_is_silent() -> None:
    comment = "# checkov:skip=CKV_K8S_8 why\na: b\n"
    base, moved = (Tree.of({path: comment}) for path in ("one.yaml", "two.yaml"))
    assert admission.compare_files(base, moved) == ()
    both = Tree.of({"one.yaml": comment, "two.yaml": comment})
    (change,) = admission.compare_files(base, both)
    assert (str(change.subject), change.detail) == ("Check checkov/CKV_K8S_8", "two.yaml")
