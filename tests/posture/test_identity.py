"""Cloud identities: patterns judged by trying texts, and documents that cover each other."""

from __future__ import annotations

import random
import re
from itertools import product
from typing import Any

import pytest

from groundplan.posture import identity
from groundplan.posture.identity.iam import document, included
from tests.draws import draws
from tests.posture.states import said

pytestmark = pytest.mark.brute_force
PAIRS = draws(60_000)
TEXTS = tuple("".join(letters) for size in range(6) for letters in product("abc", repeat=size))


def matched(pattern: str, known: dict[str, int]) -> int:
    """The texts that a pattern matches, as the bits of a number."""
    if pattern not in known:
        words = {"*": ".*", "?": "."}
        found = re.compile("".join(words.get(letter, letter) for letter in pattern))
        known[pattern] = sum(1 << i for i, text in enumerate(TEXTS) if found.fullmatch(text))
    return known[pattern]


def test_patterns_that_hold_others_are_found_without_mistake() -> None:
    chance, known = random.Random(5), {}
    contained = missed = 0
    for _ in range(PAIRS):
        inner, outer = ("".join(chance.choices("ab*?", k=chance.randint(0, 4))) for _ in range(2))
        truth = not matched(inner, known) & ~matched(outer, known)
        answer = included(inner, outer)
        assert truth or not answer, ("unsound", inner, outer)
        contained += truth
        missed += truth and not answer
    print(f"\npatterns: {PAIRS:,} pairs, {contained:,} contained, 0 unsound, {missed} missed")
    assert contained > PAIRS // 10
    assert not missed


@pytest.mark.parametrize(
    ("inner", "outer", "answer"),
    [
        ("arn:${aws:username}", "arn:*", True),
        ("arn:${aws:username}", "arn:${aws:username}", True),
        ("arn:jane", "arn:${aws:username}", False),
        ("${a}", "????", False),
    ],
)
def test_a_variable_may_be_anything(inner: str, outer: str, answer: bool) -> None:
    assert included(inner, outer) is answer


def allow(action: Any = "s3:Get*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


DENY = {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}
ORG = {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
DOCUMENTS: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "a narrower action": ([allow()], [allow("s3:GetObject")], []),
    "a wider action": ([allow("s3:GetObject")], [allow()], ["allows s3:Get* on *"]),
    "case of an action": ([allow("s3:getobject")], [allow("s3:GetObject")], []),
    "a condition more": ([allow()], [allow(**ORG)], []),
    "a condition less": ([allow(**ORG)], [allow()], ["allows s3:Get* on *"]),
    "a condition by pattern": (
        [allow(**ORG)],
        [allow(Condition={"StringLike": {"aws:PrincipalOrgID": "o-*"}})],
        ["allows s3:Get* on * if StringLike aws:principalorgid o-*"],
    ),
    "less denied": ([allow(), DENY], [allow()], ["no longer denies s3:Delete* on *"]),
    "more denied": ([allow()], [allow(), DENY], []),
    "what is not said": (
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        [],
    ),
    "what is not said, otherwise": (
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        [{"Effect": "Allow", "NotAction": "iam:Get*", "Resource": "*"}],
        ['allows {"Effect": "Allow", "NotAction": "iam:Get*", "Resource": "*"}'],
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents(case: str) -> None:
    old, new, expected = DOCUMENTS[case]
    before, after = (document({"Statement": statements}) for statements in (old, new))
    assert before is not None
    assert after is not None
    assert list(after.beyond(before)) == expected


ROLE = """\
apiVersion: iam.services.k8s.aws/v1alpha1
kind: Role
metadata: {{name: {name}, namespace: aws}}
spec:
  name: {name}
  inlinePolicies:
    main: '{{"Statement": {{"Effect": "Allow", "Action": "{action}", "Resource": "*"}}}}'
"""
ACCOUNT = """\
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
  namespace: shop
  annotations: {{eks.amazonaws.com/role-arn: "arn:aws:iam::1:role/{role}"}}
---
"""
ONE, TWO = (ROLE.format(name=n, action=a) for n, a in (("one", "s3:Get*"), ("two", "s3:GetObject")))


def test_another_role_is_compared_when_the_repository_has_both() -> None:
    roles = f"{ONE}---\n{TWO}"
    was, now = (ACCOUNT.format(role=name) + roles for name in ("one", "two"))
    says = {name: f"acts as AWS role arn:aws:iam::1:role/{name}" for name in ("one", "two")}
    assert said(identity, was, now) == {
        "narrowed": [f"ServiceAccount shop/web: {says['two']}; it was: {says['one']}"]
    }
    assert said(identity, now, was) == {
        "widened": [
            f"ServiceAccount shop/web: {says['one']}; it was: {says['two']}: allows s3:Get* on *"
        ]
    }
    unknown = ACCOUNT.format(role="other") + roles
    assert set(said(identity, was, unknown)) == {"incomparable"}
    assert set(said(identity, was, roles)) == {"narrowed"}


GOOGLE = """\
apiVersion: iam.cnrm.cloud.google.com/v1beta1
kind: IAMPolicyMember
metadata: {{name: web, namespace: shop}}
spec:
  member: {member}
  role: {role}
  resourceRef: {{kind: Project, external: projects/acme}}
  {more}
"""
WEB = "serviceAccount:acme.svc.id.goog[shop/web]"
CONDITION = "condition: {title: t, expression: 'request.time < x'}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("roles/editor", ""), ("roles/viewer", ""), {"narrowed"}),
        (("roles/viewer", ""), ("roles/editor", ""), {"widened"}),
        (("roles/a", ""), ("roles/b", ""), {"widened"}),
        (("roles/viewer", CONDITION), ("roles/viewer", ""), {"widened"}),
        (("roles/viewer", ""), ("roles/viewer", ""), set()),
    ],
)
def test_google(old: tuple[str, str], new: tuple[str, str], expected: set[str]) -> None:
    base, head = (GOOGLE.format(member=WEB, role=r, more=m) for r, m in (old, new))
    found = said(identity, base, head)
    assert set(found) == expected
    assert all(text.startswith("ServiceAccount shop/web:") for c in found.values() for text in c)


def test_everybody_on_google() -> None:
    text = GOOGLE.format(member="allUsers", role="roles/viewer", more="")
    assert said(identity, "", text) == {
        "widened": ["Member allUsers: has roles/viewer on Project projects/acme"]
    }


SPIFFE = """\
apiVersion: spire.spiffe.io/v1alpha1
kind: ClusterSPIFFEID
metadata: {{name: web}}
spec:
  spiffeIDTemplate: "spiffe://acme/ns/{{{{ .PodMeta.Namespace }}}}"
  podSelector: {{matchLabels: {{{labels}}}}}
  {more}
"""


@pytest.mark.parametrize(
    ("labels", "more", "expected"),
    [
        ("", "", {"widened"}),
        ("app: web, tier: one", "", {"narrowed"}),
        ("app: web", "admin: true", {"widened"}),
        ("app: web", "federatesWith: [other.example]", {"widened"}),
        ("app: web", "ttl: 1h", {"incomparable"}),
        ("app: web", "", set()),
    ],
)
def test_spiffe(labels: str, more: str, expected: set[str]) -> None:
    base = SPIFFE.format(labels="app: web", more="")
    assert set(said(identity, base, SPIFFE.format(labels=labels, more=more))) == expected


AZURE = """\
apiVersion: managedidentity.azure.com/v1api20230131
kind: FederatedIdentityCredential
metadata: {{name: web, namespace: azure}}
spec:
  owner: {{name: {owner}}}
  issuer: https://issuer.example
  subject: "system:serviceaccount:shop:web"
  audiences: [{audience}]
"""


def test_azure() -> None:
    base, other = (AZURE.format(owner=name, audience="a") for name in ("one", "two"))
    assert set(said(identity, base, other)) == {"incomparable"}
    assert set(said(identity, base, AZURE.format(owner="one", audience="b"))) == {"incomparable"}
    assert said(identity, "", base) == {
        "widened": [
            "ServiceAccount shop/web: acts as Azure identity one with a token for a by"
            " https://issuer.example"
        ]
    }


POD_IDENTITY = """\
apiVersion: eks.services.k8s.aws/v1alpha1
kind: PodIdentityAssociation
metadata: {{name: web, namespace: aws}}
spec:
  namespace: shop
  serviceAccount: web
  roleARN: arn:aws:iam::1:role/one
  {more}
"""
SESSION = 'policy: \'{"Statement": {"Effect": "Allow", "Action": "s3:%s", "Resource": "*"}}\''


def test_a_session_policy_holds_back() -> None:
    free, held, wide = (
        POD_IDENTITY.format(more=more) for more in ("", SESSION % "Get", SESSION % "*")
    )
    assert said(identity, held, free) == {
        "widened": ["PodIdentityAssociation aws/web: is no longer held back by a session policy"]
    }
    assert said(identity, held, wide) == {
        "widened": ["PodIdentityAssociation aws/web: allows s3:* on *"],
    }
    assert said(identity, free, held) == {}
