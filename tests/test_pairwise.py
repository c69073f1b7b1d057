"""Every two answers that can be together: rendered alike twice, strict, and nothing wrong."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import answers as asking
from groundplan import checks, copier_adapter, places, repository
from groundplan.answers import Answers, checked, questions
from groundplan.errors import AnswersError
from groundplan.findings import Severity
from groundplan.plan import Plan
from groundplan.template import Template
from tests.pairwise import Cover, Pair, Row, cover, pairs
from tests.rendering import CLUSTERS, EVERYTHING, PLACES, READY, ROOT, SIGNERS, TEAMS, render

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = Template(ROOT, "v0.0.0")
UNSAID = "unsaid"
"""The label of an answer that is left to the template."""
POOL = {
    "name": "gpu-l4",
    "cluster": "production",
    "accelerator": "l4",
    "per_node": 1,
    "most": 1,
    "capacity": ["on-demand"],
}
STANDING = {"minimum": 1, "topology": ["node"], "hour_cents": 100}
MODEL = {
    "name": "qwen3-8b",
    "namespace": "payments",
    "pool": "gpu-l4",
    "source": "hf://Qwen/Qwen3-8B@9c925d64d72725edaf899c6cb9c377fd0709d9c5",
    "parameters_m": 8190,
    "precision": "bf16",
    "layers": 36,
    "kv_heads": 8,
    "head_dim": 128,
    "context": 4096,
    "max_concurrency": 6,
    "ttft_ms": 1000,
}
ROUTED = {**MODEL, "serving": "llm-d", "access": "gateway"}
KEPT = {**MODEL, "serving": "kserve", "cache": "kserve"}
DISK: dict[str, dict[str, str]] = {"capi": {"weights_disk": "/mnt/nvme"}}
DELIVERED = {"repository": "https://github.com/acme/payments.git", "path": "deploy/all"}
RISK = {"what": "on_call", "owner": "@acme/cto", "reason": "We hire.", "expires": "2099-05-31"}
VALUES: dict[str, dict[str, Any]] = {
    "organisation": {"plain": "acme", "misread by YAML": "no"},
    "repository": {UNSAID: None, "ssh": "ssh://git@git.acme.example:7999/platform/all.git"},
    "domain": {UNSAID: None, "deep": "platform.acme.co.uk"},
    "sops_recipient": {UNSAID: None, "given": "age1" + "q" * 58},
    "artifact": {UNSAID: None, "with a port": "oci://registry.acme.example:5000/platform/all"},
    "posture_scan": {UNSAID: None, "given": EVERYTHING["posture_scan"]},
    "registry_mirror": {UNSAID: None, "given": "registry.acme.example/mirror"},
    "clusters": {
        **{
            place: [{**CLUSTERS[place], **DISK.get(place, {}), "name": "production"}]
            for place in PLACES
        },
        "with a gateway for models": [
            {**CLUSTERS["eks"], "name": "production", "model_gateway": "agentgateway"}
        ],
        "mixed": [CLUSTERS[place] for place in PLACES],
    },
    "teams": {
        "none": [],
        "two": TEAMS,
        "delivering": [{**TEAMS[0], **DELIVERED, "clusters": ["production"], "gpus": "2"}],
    },
    "signers": {UNSAID: None, "one": SIGNERS[:1]},
    "pools": {UNSAID: None, "one": [POOL], "standing": [POOL | STANDING]},
    "models": {UNSAID: None, "one": [MODEL], "behind a router": [ROUTED], "kept": [KEPT]},
    "contacts": {
        UNSAID: None,
        "given": {
            "platform": "#platform",
            "oncall": "https://oncall.acme.example",
            "security": "security@acme.example",
        },
    },
    "image_signatures": {UNSAID: None, "asked for": EVERYTHING["image_signatures"]},
    "practices": {"ready": READY, "nobody on call": READY | {"on_call": "nobody"}},
    "accepted_risks": {UNSAID: None, "nobody on call": [RISK]},
}
"""What is tried of questions that have no choices."""
AI = ("pools=one", "models=one", "models=behind a router", "models=kept")
PARTS = 8
"""Tests that the rows are dealt out to, so that several processes can share them."""
ASKED = tuple(question for question in questions(TEMPLATE) if not question.computed)


@cache
def values() -> dict[str, dict[str, Any]]:
    """What is tried of every question, by label."""
    return {
        question.name: {choice: choice for _, choice in question.choices}
        if question.choices
        else VALUES[question.name]
        for question in ASKED
    }


def answers(row: Row) -> dict[str, Any]:
    return {
        question: values()[question][label] for question, label in row.items() if label != UNSAID
    }


@cache
def planned(tier: str, practices: str) -> Plan:
    """What a tier counts on, of an organisation that is as far as this."""
    said = {"tier": tier, "practices": VALUES["practices"][practices]}
    return Plan.of(copier_adapter.plan(TEMPLATE, said))


@cache
def _faults(row: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    said = dict(row)
    plan = planned(said["tier"], said["practices"])
    try:
        checked(Answers(answers(said)), TEMPLATE, plan.namespaces, plan.prerequisites)
    except AnswersError as refusal:
        return tuple(error.id for error in refusal.problems)
    return ()


def faults(row: Row) -> int:
    return len(_faults(tuple(row.items())))


@cache
def covered() -> Cover:
    with pytest.MonkeyPatch.context() as patch:
        # The template is read once, not for each of some ten thousand rows.
        for name in ("questions", "practices", "hardware"):
            patch.setattr(asking, name, cache(getattr(asking, name)))
        patch.setattr(places, "read", cache(places.read))
        return cover({question: tuple(those) for question, those in values().items()}, faults)


def test_there_is_something_to_try_of_every_question() -> None:
    assert {question.name for question in ASKED if not question.choices} == set(VALUES)


def test_only_answers_that_contradict_each_other_are_refused_together() -> None:
    small = ("logs", "traces", "policy_reports", "policy_engine", "progressive_delivery")
    chosen = {"progressive_delivery": "argo-rollouts", "policy_reports": "kyverno"}
    chosen |= {"logs": "loki", "traces": "tempo", "policy_engine": "kyverno"}
    refused = {
        *({f"engine=argocd, {other}" for other in ("artifact=with a port", "promotion=oci")}),
        *({f"engine=argocd, {other}" for other in ("secrets=sops", "sops_recipient=given")}),
        *(f"{other}, signers=one" for other in ("engine=flux", "signatures=ignored")),
        *(f"{other}, signers=one" for other in ("promotion=oci", "secrets=sops")),
        *(f"{other}, signers=one" for other in ("artifact=with a port", "sops_recipient=given")),
        "secrets=eso, sops_recipient=given",
        "secrets=sops, sops_recipient=unsaid",
        *(f"promotion={way}, artifact=with a port" for way in ("branch", "trunk")),
        *(f"tier=small, {question}={chosen[question]}" for question in small),
        "tier=small, posture_scan=given",
        "tier=small, accelerator_queues=kueue",
        *(
            f"registry_mirror=unsaid, {how}"
            for how in ("registry_access=account", "registry_authority=own")
        ),
        *(f"tier={tier}, long_term_metrics=thanos" for tier in ("small", "growing")),
        *(f"tier={tier}, image_signatures=asked for" for tier in ("small", "growing")),
        "practices=nobody on call, accepted_risks=unsaid",
        "practices=ready, accepted_risks=nobody on call",
        # An accelerator needs a place that has it, and a team with a quota for it.
        *(f"clusters={place}, {what}" for place in ("aks", "kind") for what in AI),
        *(f"teams=none, {what}" for what in AI),
        *(f"{other}, {what}" for other in ("teams=two", "pools=unsaid") for what in AI[1:]),
        "tier=small, models=behind a router",
        "tier=small, models=kept",
        # Nodes stand where they are one's own, and queues look at them.
        *(f"clusters={place}, pools=standing" for place in VALUES["clusters"] if place != "capi"),
        "teams=none, pools=standing",
        "tier=small, pools=standing",
        "pools=standing, accelerator_queues=none",
        # And KServe keeps a model on their disks, by a policy that is stable from 1.36 on.
        *(f"clusters={place}, models=kept" for place in VALUES["clusters"] if place != "capi"),
        "kubernetes=1.35, models=kept",
    }

    assert {shown(pair) for pair in covered().refused} == refused


def shown(pair: Pair) -> str:
    return ", ".join("=".join(choice) for choice in pair)


def test_every_other_two_answers_are_together_in_a_row() -> None:
    everything = cover_all()

    found = {pair for row in covered().rows for pair in pairs(row)}
    assert found | covered().refused == everything
    assert found & covered().refused == set()


def cover_all() -> set[Pair]:
    return {
        ((one, a), (other, b))
        for one, other in combinations(values(), 2)
        for a in values()[one]
        for b in values()[other]
    }


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_answered_is_rendered_alike_and_right(part: int, tmp_path: Path) -> None:
    rows = covered().rows[part::PARTS]
    wrong = {}
    for number, row in enumerate(rows):
        tree = render(tmp_path / f"{number}a", **answers(row))
        report = checks.run(repository.of_tree(tree))
        unseen = {
            (result.check_id, outcome.subject, outcome.reason)
            for result in report.results
            for outcome in result.not_evaluated
            if result.check_id not in KNOWN
        }
        findings = report.at_least(Severity.LOW)
        found: list[object] = [*unseen]
        if {finding.check_id for finding in findings} != said(row):
            found.append(findings)
        if tree.files != render(tmp_path / f"{number}b", **answers(row)).files:
            found.append("rendered twice, it differs")
        if found:
            wrong[shown(tuple(row.items()))] = found

    assert len(rows) > 1
    assert wrong == {}


def said(row: Row) -> set[str]:
    """Checks that say what was chosen: artifacts that anybody may have pushed."""
    return {"FLX017"} if (row["promotion"], row["signatures"]) == ("oci", "ignored") else set()


KNOWN = {
    "CHT004": "the defaults of a chart",
    "GIT006": "what a chart whose defaults are not stored brings",
    "GPU020": "pools that are made where another repository is",
    "GPU023": "pools that are made where another repository is",
    "GPU031": "pools that are made where another repository is",
    "KUS008": "another repository",
    "MET003": "pods that a chart makes",
    "SCH002": "a schema that is not stored",
}
"""Checks that need what is not in the repository, and what that is."""
