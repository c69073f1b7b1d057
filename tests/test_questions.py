"""The questions take answers that can be rendered, and say in a sentence why not the others."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from groundplan.errors import AnswersError
from tests.rendering import (
    CLUSTERS,
    ENGINES,
    READY,
    SIGNERS,
    TEAMS,
    answers_of,
    one,
    parsed,
    render,
    render_plainly,
    without_origin,
)

if TYPE_CHECKING:
    from pathlib import Path


RISK = {"what": "on_call", "owner": "@acme/cto", "reason": "We hire.", "expires": "2099-05-31"}
SIGNED = {"signatures": "required", "engine": "argocd"}
LACKING = {"practices": READY | {"on_call": "nobody"}}
WITHOUT_BUCKET = {
    "tier": "growing",
    "practices": READY,
    "clusters": [{k: v for k, v in CLUSTERS["capi"].items() if k != "backup_url"}],
}


@pytest.mark.parametrize("engine", ENGINES)
def test_names_that_yaml_misreads_stay_strings(engine: str, tmp_path: Path) -> None:
    cluster = CLUSTERS["capi"] | {"name": "no", "environment": "1e3", "region": "on"}
    clusters = [cluster, CLUSTERS["eks"]]
    team = {"name": "on", "namespaces": ["123", "y"], "contact": "@acme/on"}
    tree = render(tmp_path, engine=engine, clusters=clusters, teams=[team])

    facts = one(tree, "clusters/no/cluster.yaml")
    assert (facts["name"], facts["environment"], facts["region"]) == ("no", "1e3", "on")
    assert one(tree, "clusters/production/cluster.yaml")["account"] == "012345678901"
    names = [
        document["metadata"][key]
        for path in tree.files
        if path.startswith("tenants/") and path.endswith(".yaml")
        for document in parsed(tree, path)
        for key in ("name", "namespace")
        if key in document.get("metadata", {})
    ]
    assert {type(name) for name in names} == {str}
    assert one(tree, ".copier-answers.yml")["clusters"] == clusters


def test_defaults_give_the_small_tier_with_flux_on_one_cluster(tmp_path: Path) -> None:
    answers = answers_of(render(tmp_path))

    assert (answers["engine"], answers["tier"], answers["teams"]) == ("flux", "small", [])
    assert [cluster["place"] for cluster in answers["clusters"]] == ["kind"]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"organisation": "Acme"}, '"Acme" is no DNS label'),
        ({"repository": "acme/platform"}, '"acme/platform" is no Git address'),
        ({"domain": "acme"}, '"acme" is no domain name'),
        ({"secrets": "sops", "engine": "argocd"}, "Argo CD does not decrypt SOPS files"),
        ({"secrets": "sops", "sops_recipient": "age1x"}, '"age1x" is no age public key'),
        ({"promotion": "oci", "engine": "argocd"}, "finds the clusters in a Git repository"),
        ({"promotion": "oci", "artifact": "ghcr.io/acme"}, "is no OCI address"),
        ({"registry_mirror": "oci://registry.acme.example"}, "is no registry; write it as HOST"),
        ({"registry_mirror": "mirror"}, '"mirror" is no registry'),
        (SIGNED, "Name a signer of this repository"),
        (SIGNED | {"signers": [SIGNERS[0] | {"id": "2779"}]}, 'has the id "2779"; write the 16'),
        (SIGNED | {"signers": [SIGNERS[0] | {"public_key": "mDME"}]}, "has no public_key"),
        (SIGNED | {"signers": [SIGNERS[0], SIGNERS[0]]}, "Two signers have the same id"),
        (SIGNED | {"signers": SIGNERS}, 'of the team "payments", which has no repository'),
        ({"tier": "growing", "posture_scan": "acme/scan:1"}, "is no image by digest"),
        ({"clusters": []}, "Give a list with at least one cluster"),
        ({"clusters": [CLUSTERS["kind"]] * 2}, "Two clusters have the same name"),
        ({"clusters": [CLUSTERS["kind"] | {"place": "moon"}]}, 'Cluster "laptop" has no place'),
        ({"clusters": [CLUSTERS["eks"] | {"region": ""}]}, "is on EKS but has no region"),
        ({"clusters": [CLUSTERS["eks"] | {"account": "1"}]}, "is on EKS but has no account"),
        ({"clusters": [CLUSTERS["eks"] | {"account": 210987654321}]}, "give it in quotes"),
        ({"clusters": [CLUSTERS["gke"] | {"project": "A"}]}, "is on GKE but has no project"),
        ({"clusters": [CLUSTERS["aks"] | {"key_vault": ""}]}, "is on AKS but has no key_vault"),
        (WITHOUT_BUCKET, "has no backup_url"),
        ({"clusters": [CLUSTERS["aks"] | {"client_id": {"cert-manager": "1"}}]}, "no client_id"),
        ({"clusters": [CLUSTERS["capi"] | {"storage": "tape"}]}, "has no storage"),
        ({"clusters": [CLUSTERS["kind"] | {"pod_cidr": "all"}]}, "has no pod_cidr"),
        ({"teams": [{"name": "a", "namespaces": "a", "contact": "a@b.c"}]}, "has no namespaces"),
        ({"teams": [{"name": "a", "namespaces": ["A"], "contact": "a@b.c"}]}, "is no DNS label"),
        ({"teams": [{"name": "platform", "namespaces": ["a"], "contact": "a@b.c"}]}, "already"),
        ({"teams": [{"name": "a", "namespaces": ["kube-system"], "contact": "@a/b"}]}, "own"),
        ({"teams": [TEAMS[1] | {"clusters": ["moon"]}]}, 'on the cluster "moon", which is not'),
        ({"teams": [TEAMS[1] | {"repository": "acme/search"}]}, "which is no Git address"),
        ({"teams": [TEAMS[1] | {"path": "../search"}]}, "which is no folder of a repository"),
        ({"teams": [TEAMS[1] | {"gpus": 4}]}, "has no number of gpus"),
        ({"contacts": {"platform": "@acme/platform"}}, 'Contact "oncall" is missing'),
        ({"contacts": {"platform": "@a\n- b", "oncall": "c", "security": "d"}}, "give in one line"),
        ({"organisation": "acme\n"}, "is no DNS label"),
        ({"practices": ["on_call"]}, "Give a mapping"),
        ({"practices": {"oncall": "always"}}, 'No practice is called "oncall"'),
        ({"practices": {"on_call": "sometimes"}}, 'Practice "on_call" is "sometimes"'),
        ({"practices": {"regions": "many"}}, 'Practice "regions" is "many"; give a number'),
        ({"tier": "growing"}, "tier growing needs on_call: always, and it is working_hours"),
        ({"tier": "growing", "practices": {}}, "component policies needs security: contact"),
        ({"accepted_risks": [RISK]}, '"on_call" needs no acceptance'),
        ({**LACKING, "accepted_risks": [RISK, RISK]}, "are about the same practice"),
        ({**LACKING, "accepted_risks": [RISK | {"owner": ""}]}, 'risk "on_call" has no owner'),
        ({**LACKING, "accepted_risks": [RISK | {"reason": "a\nb"}]}, "has no reason"),
        ({**LACKING, "accepted_risks": [RISK | {"expires": "soon"}]}, "does not expire"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_rendered_is_refused_in_a_sentence(
    answers: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    """By us, and by plain copier, which some people use."""
    with pytest.raises(AnswersError, match=re.escape(sentence)):
        render(tmp_path / "refused", **answers)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        render_plainly(tmp_path / "refused", **answers)
    assert not (tmp_path / "refused").exists()


def test_an_accepted_risk_is_in_the_repository_and_its_readme(tmp_path: Path) -> None:
    tree = render(tmp_path, **LACKING, accepted_risks=[RISK])

    exception = one(tree, "posture/exceptions/on-call.yaml")
    assert exception["kind"] == "PostureException"
    assert exception["spec"] == {
        "policies": ["prerequisite/on_call"],
        "scope": {"clusters": ["local"]},
        "owner": "@acme/cto",
        "reason": "We hire.",
        "expiresAt": "2099-05-31",
    }
    text = tree.files["posture/exceptions/on-call.yaml"].decode()
    assert "# Tier small counts on on_call: working_hours" in text
    assert "| @acme/cto | 2099-05-31 | We hire. |" in tree.files["README.md"].decode()
    assert answers_of(tree)["accepted_risks"] == [RISK]


def test_plain_copier_renders_a_date_that_yaml_reads_as_one_to_the_same_file(
    tmp_path: Path,
) -> None:
    """Among other answers that are not what they look like."""
    team = {"name": "on", "namespaces": ["123", "y"], "contact": "@acme/on"}
    cluster = CLUSTERS["capi"] | {"name": "no", "environment": "1e3", "region": "on"}
    given = LACKING | {"clusters": [cluster], "teams": [team]}
    dated = RISK | {"expires": date(2099, 5, 31)}

    plain = render_plainly(tmp_path / "plain", **given, accepted_risks=[dated])

    as_text, as_date = (
        render(tmp_path / name, **given, accepted_risks=[risk])
        for name, risk in (("text", RISK), ("date", dated))
    )
    assert without_origin(plain) == without_origin(as_date)
    exception = "posture/exceptions/on-call.yaml"
    assert as_text.files[exception] == as_date.files[exception]


def test_numbers_stay_numbers_in_the_answers(tmp_path: Path) -> None:
    practices = answers_of(render(tmp_path))["practices"]

    assert practices["platform_people"] == 1
