"""What turns a good example into a bad one is done to an object that no policy is against."""

from __future__ import annotations

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundplan.verify.trials import _over, _turned, pair

GOOD = yaml.safe_load("""
apiVersion: v1
kind: Pod
metadata: {name: shop, namespace: shop}
spec:
  containers: [{name: shop, image: a, resources: {limits: {memory: 1Gi}, requests: {cpu: "1"}}}]
""")


def test_what_the_bad_example_lacks_is_taken_away():
    bad = yaml.safe_load(yaml.safe_dump(GOOD))
    del bad["spec"]["containers"][0]["resources"]["limits"]
    right, wrong = pair({"good": GOOD, "bad": bad}, "1.37")
    assert right["spec"]["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}
    assert "limits" not in wrong["spec"]["containers"][0]["resources"]
    assert wrong["spec"]["automountServiceAccountToken"] is False
    assert wrong["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_what_it_adds_is_added_and_the_rest_stays():
    bad = yaml.safe_load(yaml.safe_dump(GOOD))
    bad["spec"]["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]
    bad["spec"]["containers"][0]["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
    _, wrong = pair({"good": GOOD, "bad": bad}, "1.37")
    assert wrong["spec"]["volumes"] == bad["spec"]["volumes"]
    assert wrong["spec"]["containers"][0]["volumeMounts"] == [
        {"name": "host", "mountPath": "/host"}
    ]
    assert wrong["spec"]["securityContext"]["runAsNonRoot"] is True


def test_a_namespace_keeps_its_other_labels():
    label = "pod-security.kubernetes.io/enforce"
    good = {"kind": "Namespace", "metadata": {"name": "a", "labels": {label: "restricted"}}}
    bad = {"kind": "Namespace", "metadata": {"name": "a"}}
    _, wrong = pair({"good": good, "bad": bad}, "1.37")
    assert "labels" not in wrong["metadata"] or label not in wrong["metadata"]["labels"]


LEAVES = st.one_of(st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abcd"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from("abcd"), st.one_of(LEAVES, inner, st.lists(inner, max_size=2)), max_size=3
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OBJECTS, OBJECTS)
def test_turning_the_good_example_itself_gives_the_bad_one(good, bad):
    assert _turned(good, good, bad) == bad


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OBJECTS, OBJECTS)
def test_turning_nothing_changes_nothing(base, good):
    assert _turned(_over(base, good), good, good) == _over(base, good)
