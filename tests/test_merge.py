"""The three-way merge: what belongs together, who counts, and how the result is written."""

from __future__ import annotations

from typing import Any

import pytest

from groundplan import documents
from groundplan.errors import InternalError
from groundplan.merge import Cause, Fate, File, Merged, Mode, Renames, Rules, merge, trees
from groundplan.merge.keys import SchemaKeys

RULES = Rules(SchemaKeys("1.37"), Renames({}, {}))


def merged(base: str, yours: str, template: str, path: str = "file.yaml") -> Merged:
    sides = ({path: File(text.encode())} for text in (base, yours, template))
    return merge(*sides, RULES)


def text(found: Merged, path: str = "file.yaml") -> str:
    return found.files[path].content.decode()


def body(found: Merged) -> Any:
    return documents.load(text(found))


def causes(found: Merged) -> list[Cause]:
    return [conflict.cause for conflict in found.conflicts]


def swap(source: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in source
        source = source.replace(old, new, 1)
    return source


# --- what belongs together

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: dns, namespace: shop}
spec:
  ports:
    - port: 53
      protocol: UDP
      targetPort: 53
    - port: 53
      protocol: TCP
      targetPort: 53
"""
GATEWAY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  gatewayClassName: envoy
  listeners:
    - port: 80
      protocol: HTTP
      name: plain
    - port: 443
      protocol: HTTPS
      name: secure
"""
TWO = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data:
  size: "1"
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: shop}
data:
  size: "1"
"""


def test_list_items_are_told_apart_by_all_the_keys_of_the_schema() -> None:
    yours = swap(
        SERVICE, ("protocol: TCP\n      targetPort: 53", "protocol: TCP\n      targetPort: 5353")
    )
    template = swap(SERVICE, ("protocol: UDP", "protocol: UDP\n      appProtocol: dns"))

    ports = body(merged(SERVICE, yours, template))["spec"]["ports"]

    assert [(p["protocol"], p["targetPort"], p.get("appProtocol")) for p in ports] == [
        ("UDP", 53, "dns"),
        ("TCP", 5353, None),
    ]


def test_list_items_of_custom_resources_are_told_apart_by_their_definition() -> None:
    assert SchemaKeys("1.37")("gateway.networking.k8s.io/v1", "Gateway", ("spec", "listeners")) == (
        "name",
    )
    yours = swap(GATEWAY, ("port: 443", "port: 8443"))
    template = swap(GATEWAY, ("    - port: 80\n      protocol: HTTP\n      name: plain\n", ""))

    assert body(merged(GATEWAY, yours, template))["spec"]["listeners"] == [
        {"port": 8443, "protocol": "HTTPS", "name": "secure"}
    ]


def test_documents_are_told_apart_by_their_objects_in_any_order() -> None:
    first, second = TWO.split("---\n")
    one = 'size: "1"'
    mine, theirs = swap(first, (one, 'size: "2"')), swap(second, (one, 'size: "3"'))
    yours, template = f"{second}---\n{mine}", f"{first}---\n{theirs}"

    found = merged(TWO, yours, template)

    assert not found.conflicts
    parsed, _ = documents.parse("", text(found).encode())
    assert [(d.body["metadata"]["name"], d.body["data"]["size"]) for d in parsed] == [
        ("b", "3"),
        ("a", "2"),
    ]


READER = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: reader.v1
  namespace: shop
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get]
"""


def test_changes_of_the_template_reach_an_object_that_you_renamed() -> None:
    yours = swap(READER, ("reader.v1", "our-reader"))

    found = merged(READER, yours, swap(READER, ("[get]", "[get, list]")))

    assert text(found) == swap(yours, ("[get]", "[get, list]"))
    assert not found.conflicts


def test_they_reach_it_in_a_file_that_the_template_moved_too() -> None:
    yours = swap(READER, ("reader.v1", "our-reader"))
    template = swap(READER, ("[get]", "[get, list]"))
    here, mine, there = (File(side.encode()) for side in (READER, yours, template))

    found = merge({"here.yaml": here}, {"here.yaml": mine}, {"there.yaml": there}, RULES)

    assert set(found.files) == {"there.yaml"}
    assert found.files["there.yaml"].content.decode() == swap(yours, ("[get]", "[get, list]"))
    assert not found.conflicts


def test_an_object_that_both_renamed_is_one_object_with_your_name_and_listed() -> None:
    yours = swap(READER, ("reader.v1", "our-reader"))

    found = merged(READER, yours, swap(READER, ("reader.v1", "viewer"), ("[get]", "[get, list]")))

    assert text(found) == swap(yours, ("[get]", "[get, list]"))
    [conflict] = found.conflicts
    assert conflict.cause is Cause.BOTH_CHANGED
    assert (conflict.yours, conflict.template, conflict.base) == (
        "our-reader",
        "viewer",
        "reader.v1",
    )


def test_an_object_that_you_renamed_and_the_template_dropped_is_yours() -> None:
    other = swap(READER, ("kind: Role", "kind: RoleX"), ("reader.v1", "unlike"))
    yours = swap(READER, ("reader.v1", "our-reader"))

    assert "our-reader" in text(merged(READER, yours, other))


def test_a_flag_is_the_same_flag_with_another_value() -> None:
    base = "args:\n  - --level=info\n  - --port=80\n"
    yours = swap(base, ("info", "debug"))

    both = merged(base, yours, swap(base, ("80", "81")))
    assert body(both)["args"] == ["--level=debug", "--port=81"]
    clash = merged(base, yours, swap(base, ("info", "warn")))
    assert body(clash)["args"] == ["--level=debug", "--port=80"]
    assert causes(clash) == [Cause.BOTH_CHANGED]


def test_items_without_a_key_are_told_apart_by_likeness() -> None:
    first, second = (
        "  - from: [a, b]\n    to: x\n    deep: 1\n",
        "  - from: [c, d]\n    to: v\n    deep: 2\n",
    )
    base = f"rules:\n{first}{second}"
    yours = swap(base, ("to: v", "to: z"))
    template = swap(base, ("rules:\n", "rules:\n  - from: [e]\n    to: w\n    deep: 3\n"))

    assert [rule["to"] for rule in body(merged(base, yours, template))["rules"]] == ["w", "x", "z"]


# --- who counts


@pytest.mark.parametrize(
    ("key", "base", "yours", "template", "kept"),
    [
        ("image", "web:1.0", "web:1.3", "web:1.2", "web:1.3"),
        ("image", "web:1.0", "web:1.2", "web:1.10", "web:1.10"),
        ("tag", "v1.0.0", "v1.1.0-rc.1", "v1.1.0", "v1.1.0"),
        ("targetRevision", "1.0.0", "2.0.0", "1.9.9", "2.0.0"),
        ("runAsNonRoot", "false", "true", "null", None),
        ("allowPrivilegeEscalation", "null", "true", "false", False),
        ("automountServiceAccountToken", "null", "false", "true", False),
        (
            "pod-security.kubernetes.io/enforce",
            "baseline",
            "restricted",
            "privileged",
            "restricted",
        ),
        ("pod-security.kubernetes.io/warn", "privileged", "baseline", "restricted", "restricted"),
        ("failurePolicy", "null", "Ignore", "Fail", "Fail"),
        ("image", "web:1.2", "web:1.1", "web:1.3", None),
        ("image", "web:1.0", "shop:1.3", "web:1.2", None),
        ("image", "web:1.0", "web:latest", "web:1.2", None),
        ("replicas", "1", "2", "3", None),
    ],
)
def test_a_rule_decides_about_versions_and_posture_and_says_so(
    key: str, base: str, yours: str, template: str, kept: object
) -> None:
    sides = [f"{key}: {value}\n" for value in (base, yours, template)]

    found = merged(*sides)

    if kept is None:
        assert text(found) == sides[1]
        assert not found.decisions
        assert len(found.conflicts) == 1
    else:
        assert documents.load(text(found))[key] == kept
        [decision] = found.decisions
        assert (decision.kept == "yours") == (text(found) == sides[1])
        assert not found.conflicts


def test_a_version_that_was_held_back_is_not_lifted() -> None:
    found = merged("image: web:1.2\n", "image: web:1.1\n", "image: web:1.3\n")

    assert causes(found) == [Cause.HELD_BACK]


ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web, namespace: shop}
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, delete]
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {}
  ingress:
    - from:
        - podSelector: {matchLabels: {app: a}}
        - podSelector: {matchLabels: {app: b}}
"""


@pytest.mark.parametrize(
    ("base", "tighter", "wider"),
    [
        (ROLE, ("[get, list, delete]", "[get, list]"), ("[get, list, delete]", '["*"]')),
        (ROLE, ("[get, list, delete]", "[get, list]"), ("delete]", "delete, patch]")),
        (
            POLICY,
            ("        - podSelector: {matchLabels: {app: b}}\n", ""),
            ("app: b}}\n", "app: b}}\n        - podSelector: {}\n"),
        ),
    ],
)
def test_a_tightened_permission_is_never_widened_without_a_word(
    base: str, tighter: tuple[str, str], wider: tuple[str, str]
) -> None:
    yours, template = swap(base, tighter), swap(base, wider)

    found = merged(base, yours, template)

    assert text(found) == yours
    assert Cause.POSTURE in causes(found)


def test_permissions_that_both_sides_took_away_are_both_gone() -> None:
    found = merged(ROLE, swap(ROLE, (", delete", "")), swap(ROLE, (", list", "")))

    assert not found.conflicts
    assert body(found)["rules"][0]["verbs"] == ["get"]


# --- how it is written


def test_what_nobody_touched_keeps_its_bytes() -> None:
    base = "a: 1\nlist:\n- x\n- w\nb: {c: 1}\n"
    yours = "# mine\na:    1   # one\nlist:\n    - 'x'\n\n    - \"w\"\nb: {c: 1}\n"
    template = "a: 1\nlist:\n- x\n- z\n- w\nb: {c: 1, d: 2}\nnew:\n- k: v\n"

    assert text(merged(base, yours, template)) == (
        "# mine\na:    1   # one\nlist:\n    - 'x'\n    - z\n\n    - \"w\"\n"
        "b: {c: 1, d: 2}\nnew:\n- k: v\n"
    )


def test_lists_change_from_one_line_to_several_and_back() -> None:
    base = "a: []\nb:\n  - x\n"
    yours = "a: [] # none\nb:\n  - x\nc: 1\n"
    template = "a:\n  - y\nb: []\n"

    assert text(merged(base, yours, template)) == "a: # none\n  - y\nb: []\nc: 1\n"


def test_the_lines_of_a_text_are_merged() -> None:
    base = "data:\n  run: |\n    one\n    two\n    three\n    four\n"
    found = merged(base, swap(base, ("one", "eins")), swap(base, ("four", "vier")))

    assert text(found) == swap(base, ("one", "eins"), ("four", "vier"))


def test_comments_of_both_sides_are_kept() -> None:
    base = "# about a\na: 1\nb: 2\n"
    yours = "# about a\na: 1 # mine\nb: 2\n"
    template = "# about the letter a\na: 1\n# about b\nb: 2\n"

    assert text(merged(base, yours, template)) == (
        "# about the letter a\na: 1 # mine\n# about b\nb: 2\n"
    )


def test_a_comment_that_both_changed_is_a_conflict() -> None:
    found = merged("# a\nx: 1\n", "# b\nx: 1\n", "# c\nx: 1\n")

    assert text(found) == "# b\nx: 1\n"
    assert [(c.yours, c.template, c.line) for c in found.conflicts] == [("# b", "# c", 2)]


def test_json_is_merged_like_yaml() -> None:
    base = '{\n  "extends": ["a"],\n  "x": 1\n}\n'
    yours = '{\n  "extends": ["a", "b"],\n  "x": 1\n}\n'
    template = '{\n  "extends": ["a"],\n  "x": 2,\n  "y": 3\n}\n'

    found = merged(base, yours, template, "renovate.json")

    assert text(found, "renovate.json") == '{\n  "extends": ["a", "b"],\n  "x": 2,\n  "y": 3\n}\n'


@pytest.mark.parametrize(
    "base",
    [
        "a: &x 1\nb: *x\nc: 1\nd: 1\ne: 1\nf: 1\n",
        "a: !!str 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\n",
        "%YAML 1.1\n---\na: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\n",
        "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\nf: 1\r\n",
    ],
)
def test_what_cannot_be_cut_into_slots_is_merged_by_lines(base: str) -> None:
    found = merged(base, swap(base, ("a:", "mine: 1\na:")), swap(base, ("f: 1", "f: 2")))

    assert "mine: 1" in text(found)
    assert "f: 2" in text(found)
    assert not found.conflicts


# --- files


def whole(**sides: dict[str, File]) -> Merged:
    return merge(sides["base"], sides["yours"], sides["template"], RULES)


def test_the_executable_bit_is_an_edit_too() -> None:
    plain, marked = File(b"#!/bin/sh\n"), File(b"#!/bin/sh\n", Mode.EXECUTABLE)
    longer = File(b"#!/bin/sh\ntrue\n")

    found = whole(base={"run": plain}, yours={"run": marked}, template={"run": longer})

    assert found.files["run"] == File(longer.content, Mode.EXECUTABLE)


@pytest.mark.parametrize("odd", [File(b"target", Mode.LINK), File(b"\0\1")])
def test_what_is_no_text_is_kept_whole(odd: File) -> None:
    found = whole(base={"f": File(b"a\n")}, yours={"f": odd}, template={"f": File(b"b\n")})

    assert found.files["f"] == odd
    assert causes(found) == [Cause.BOTH_CHANGED]


def test_a_file_that_you_moved_is_updated_where_you_put_it() -> None:
    old = File(TWO.encode())
    new = File(swap(TWO, ('size: "1"', 'size: "2"')).encode())

    found = whole(base={"a.yaml": old}, yours={"mine/a.yaml": old}, template={"a.yaml": new})

    assert found.files == {"mine/a.yaml": new}
    assert [(move.source, move.target, move.by) for move in found.moves] == [
        ("a.yaml", "mine/a.yaml", "you")
    ]


def test_a_file_that_both_moved_stays_where_you_put_it_and_is_listed() -> None:
    old = File(TWO.encode())
    new = File(swap(TWO, ('size: "1"', 'size: "2"')).encode())

    found = whole(base={"a.yaml": old}, yours={"mine/a.yaml": old}, template={"b.yaml": new})

    assert found.files == {"mine/a.yaml": new}
    assert causes(found) == [Cause.BOTH_MOVED]


def test_a_file_that_you_removed_stays_away_and_is_listed_when_the_template_changed_it() -> None:
    old, new = File(b"a: 1\n"), File(b"a: 2\n")

    assert whole(base={"f": old}, yours={}, template={"f": old}).conflicts == ()
    found = whole(base={"f": old}, yours={}, template={"f": new})
    assert found.files == {}
    assert causes(found) == [Cause.REMOVED_BY_YOU]


def test_what_is_yours_alone_is_left_as_it_is() -> None:
    rules = Rules(SchemaKeys("1.37"), Renames({}, {}), lambda path: path == "f")
    old, new, mine = (File(f"a: {n}\n".encode()) for n in range(3))

    found = merge({"f": old}, {"f": mine}, {"f": new}, rules)

    assert found.files == {"f": mine}
    assert found.fates == {"f": Fate.OWNED}


def test_a_result_that_would_lose_an_edit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = File(b"a: 2\n")
    losing = trees._One(File(b"a: 1\n"))
    monkeypatch.setattr(trees, "_file", lambda *_: (Fate.YOURS, losing))

    with pytest.raises(InternalError) as raised:
        whole(base={"f": File(b"a: 1\n")}, yours={"f": mine}, template={"f": File(b"a: 1\n")})

    assert raised.value.id == "merge.lost"
