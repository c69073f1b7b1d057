"""What clusters share is looked at once, and nothing is said that each alone would not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundplan.admission.judging import Judge
from groundplan.admission.policies import policies
from groundplan.posture.model import State
from groundplan.posture.network.scene import Scene
from groundplan.resources import Origin, Resource
from groundplan.sharing import once
from tests.fleets import fleet
from tests.rendering import ENGINES

if TYPE_CHECKING:
    from collections.abc import Sequence

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


@engines
def test_policies_say_of_many_clusters_what_they_say_of_each(engine: str) -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    judge = Judge()
    for units in clusters(fleet(engine, "enterprise")):
        bound = [*policies(resource for resources in units for resource in resources)]

        together, alone = judge.verdicts(bound, units), Judge().verdicts(bound, units)
        assert [*together] == [*alone] != []


@engines
def test_networks_of_many_clusters_are_read_as_that_of_each(engine: str) -> None:
    repository = fleet(engine, "enterprise")
    for together, units in zip(repository.scenes, clusters(repository), strict=True):
        state = State("one", tuple(resource for resources in units for resource in resources))

        alone = Scene.of(state)
        assert together.policies == alone.policies != {}
        assert together.refused == alone.refused
        assert together.workloads.keys() == alone.workloads.keys() != set()
        assert (together.namespaces, together.present) == (alone.namespaces, alone.present)


@engines
def test_what_clusters_share_is_worked_out_once(engine: str) -> None:
    worked: list[Sequence[Resource]] = []
    share = once(worked.append)
    units = [resources for each in clusters(fleet(engine, "enterprise")) for resources in each]
    for resources in (*units, *units):
        share(resources)
    assert len(worked) < len(units)
    assert {id(r) for found in worked for r in found} == {id(r) for found in units for r in found}


def clusters(repository: Repository) -> list[list[tuple[Resource, ...]]]:
    return [[unit.resources for unit in cluster.units] for cluster in repository.clusters]


def cluster(*, open: str = "yes", policy: dict = POLICY) -> list[Resource]:
    labels = {"name": "market", "labels": {"open": open}}
    bodies = (policy, BINDING, {**NAMESPACE, "metadata": labels}, SHOP)
    return [Resource.of(body, Origin("all.yaml", index)) for index, body in enumerate(bodies)]


def test_an_object_is_judged_anew_where_its_namespace_or_the_policies_differ() -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    laxer = {"validations": [{"expression": "true"}]}
    lax = {**POLICY, "spec": {**POLICY["spec"], **laxer}}
    judge = Judge()

    every = (cluster(), cluster(open="no"), cluster(policy=lax), cluster())
    said = [
        (verdicts.content, [verdict.message for verdict in verdicts.others])
        for objects in every
        for verdicts in judge.verdicts([*policies(objects)], [objects])
    ]
    refused = ({}, ["failed expression: object.metadata.name != 'shop'"])
    assert said == [refused, ({}, []), ({"no-shops": 1}, []), refused]


def test_objects_that_clusters_share_are_judged_by_the_namespaces_of_each() -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    (*guards, _, shop), (*_, closed, _) = cluster(), cluster(open="no")
    (*_, opened, _) = cluster()
    bound, shared = [*policies(guards)], (shop,)
    judge = Judge()

    said = [
        [len(verdicts.others) for verdicts in judge.verdicts(bound, [shared, (namespace,)])]
        for namespace in (opened, closed, opened)
    ]
    assert said == [[1, 0], [0, 0], [1, 0]]
