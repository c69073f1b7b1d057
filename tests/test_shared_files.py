"""What clusters share is looked at once, and nothing is said that each alone would not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundplan.admission.judging import Judge
from groundplan.admission.policies import policies
from groundplan.posture.model import State
from groundplan.posture.network.policies import remembering
from groundplan.posture.network.scene import Scene
from groundplan.resources import Origin, Resource
from tests.fleets import fleet
from tests.rendering import ENGINES

if TYPE_CHECKING:
    from groundplan.repository import Repository

engines = pytest.mark.parametrize("engine", ENGINES)
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}
POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-shops"},
    "spec": {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"open": "yes"}},
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["configmaps"],
                }
            ],
        },
        "validations": [{"expression": "object.metadata.name != 'shop'"}],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "no-shops"},
    "spec": {"policyName": "no-shops", "validationActions": ["Deny"]},
}
SHOP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "shop", "namespace": "market"},
}


def clusters(repository: Repository) -> list[list[Resource]]:
    return [
        [resource for unit in cluster.units for resource in unit.resources]
        for cluster in repository.clusters
    ]


@engines
def test_policies_say_of_many_clusters_what_they_say_of_each(engine: str) -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    judge = Judge()
    for resources in clusters(fleet(engine, "enterprise")):
        bound = [*policies(resources)]

        together, alone = judge.verdicts(bound, resources), Judge().verdicts(bound, resources)
        assert [*together] == [*alone] != []


@engines
def test_network_policies_of_many_clusters_are_read_as_those_of_each(engine: str) -> None:
    read = remembering()
    for resources in clusters(fleet(engine, "enterprise")):
        state = State("one", tuple(resources))

        together, alone = Scene.of(state, read), Scene.of(state)
        assert together.policies == alone.policies != {}
        assert together.refused == alone.refused


def cluster(*, open: str = "yes", policy: dict = POLICY) -> list[Resource]:
    labels = {"name": "market", "labels": {"open": open}}
    bodies = (policy, BINDING, {**NAMESPACE, "metadata": labels}, SHOP)
    return [Resource.of(body, Origin("all.yaml", index)) for index, body in enumerate(bodies)]


def test_an_object_is_judged_anew_where_its_namespace_or_the_policies_differ() -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    laxer = {"validations": [{"expression": "true"}]}
    lax = {**POLICY, "spec": {**POLICY["spec"], **laxer}}
    judge = Judge()

    said = [
        [verdict.message for verdict in judge.verdicts([*policies(objects)], objects)]
        for objects in (cluster(), cluster(open="no"), cluster(policy=lax), cluster())
    ]
    refused = ["failed expression: object.metadata.name != 'shop'"]
    assert said == [refused, [], [""], refused]
