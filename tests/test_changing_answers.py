"""`status`, `set`, `add`, `remove`, `promote`: what a repository is, and other answers for it."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner, Result

from groundplan import cli, copier_adapter, documents, places, template
from groundplan import releases as carried
from groundplan.answers import fields_of, questions
from groundplan.errors import ExitCode, TemplateError
from groundplan.template import Template
from groundplan.updates import checkout, dangers, renders, transitions
from groundplan.updates.dangers import Danger, Fate
from tests import releases
from tests.gitops_trees import flux, gotk_sync
from tests.rendering import ENGINES
from tests.test_update import carry, commit, edit, files, render  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

CLUSTER = (
    "place=kind",
    "environment=staging",
    "pod_cidr=10.64.0.0/16",
    "service_cidr=10.112.0.0/16",
)
TEAM = ("namespaces=[search]", "contact=@acme/search")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(word) for word in words], prog_name="groundplan")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed repository at the newest version, to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(carried.VARIABLE, str(releases.bundle()))
        return commit(render("v2.0.0", tmp_path_factory.mktemp("original") / "platform"))


@pytest.fixture
def platform(original: Path, tmp_path: Path) -> Path:
    """A committed repository at the newest version."""
    return shutil.copytree(original, tmp_path / "platform", symlinks=True)


def answers(folder: Path) -> Any:
    return documents.load((folder / ".copier-answers.yml").read_bytes())


def fresh(folder: Path) -> dict[str, bytes]:
    """What the recorded answers render to at the newest version."""
    return rendered((folder / ".copier-answers.yml").read_bytes())


@cache
def rendered(answers: bytes) -> dict[str, bytes]:
    with TemporaryDirectory() as place:
        return files(render("v2.0.0", Path(place, "fresh"), **checkout.recorded(answers)))


# --- status


def test_status_says_how_each_file_stands(tmp_path: Path) -> None:
    folder = commit(render("v1.0.0", tmp_path / "platform"))
    namespace = "components/cert-manager/namespace.yaml"
    edit(folder, namespace, "labels:\n", "labels:\n    ours: yes-it-is\n")
    edit(folder, "README.md", "#", "##")
    (folder / "extras/notes.md").unlink()
    (folder / "renovate.json").unlink()
    (folder / "CODEOWNERS").chmod(0o755)
    (folder / ".groundplan").mkdir()
    (folder / ".groundplan/owned").write_text("# ours\nextras/tw*\n", "utf-8")
    (folder / "own.md").write_text("ours\n", "utf-8")

    done = run("status", "--path", folder, "--format", "json")

    assert done.exit_code == ExitCode.CLEAN, done.output
    said = json.loads(done.stdout)
    assert (said["version"], said["newest"], said["behind"]) == ("v1.0.0", "v2.0.0", True)
    assert said["drifted"]
    assert said["own"] == 1
    states = {path: (found["state"], found["class"]) for path, found in said["files"].items()}
    assert states[namespace] == ("both", "merged")
    assert states["README.md"] == ("edited", "merged")
    assert states["CODEOWNERS"] == ("edited", "merged")
    assert states["renovate.json"] == ("missing", "merged")
    assert states["extras/notes.md"] == ("unchanged", "merged")
    assert states["extras/two.yaml"] == ("owned", "owned")
    assert states["extras/first.yaml"] == ("upstream", "merged")
    assert states[".copier-answers.yml"] == ("unchanged", "generated")
    assert states["components/cert-manager/values.yaml"] == ("unchanged", "merged")


def test_status_renders_nothing_once_it_knows_the_hashes(
    platform: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("status", "--path", platform)
    monkeypatch.setattr(copier_adapter, "render", lambda *_: pytest.fail("rendered"))

    done = run("status", "--path", platform, "--exit-code")

    assert done.exit_code == ExitCode.CLEAN, done.output
    assert "at v2.0.0, the newest" in done.stdout


def test_a_lock_that_was_damaged_is_made_anew(platform: Path) -> None:
    run("status", "--path", platform)
    for lock in (platform / ".git/groundplan/locks").iterdir():
        lock.write_text("{", "utf-8")

    assert run("status", "--path", platform, "--exit-code").exit_code == ExitCode.CLEAN


def test_drift_is_told_by_the_exit_code(platform: Path) -> None:
    edit(platform, "README.md", "#", "##")

    assert run("status", "--path", platform, "--exit-code").exit_code == ExitCode.CHANGES


def test_a_new_repository_comes_with_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROUNDPLAN_RELEASES")
    assert run("new", tmp_path / "platform", "--defaults").exit_code == ExitCode.CLEAN
    found = checkout.find(tmp_path / "platform")

    known = renders.recall(found.private, found.version, found.answers.values)

    assert known is not None
    assert known.blobs.keys() == found.tracked.keys()


# --- other answers


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("set", "contacts.oncall", "pager@acme.example"), ("contacts", "oncall")),
        (("set", "domain", "acme.test"), ("domain",)),
        (("add", "cluster", "staging", *CLUSTER), ("clusters",)),
        (("add", "team", "search", *TEAM), ("teams",)),
        (("promote", "growing"), ("tier",)),
    ],
)
def test_changed_answers_give_what_a_fresh_render_of_them_gives(
    words: tuple[str, ...], what: tuple[str, ...], platform: Path
) -> None:
    before = answers(platform)

    done = run(words[0], "--path", platform, *words[1:])

    assert done.exit_code == ExitCode.CLEAN, done.output
    assert before[what[0]] != answers(platform)[what[0]]
    assert files(platform) == fresh(platform)


WALK = ("growing", "enterprise", "small", "enterprise", "growing", "small")
"""From a small platform, by every way from one tier to another."""


@pytest.mark.parametrize("engine", ENGINES)
def test_from_every_tier_and_engine_to_every_other(engine: str, tmp_path: Path) -> None:
    folder = commit(render("v2.0.0", tmp_path / "platform", engine=engine))
    other = next(one for one in ENGINES if one != engine)
    changes = [*(("promote", tier) for tier in WALK), ("set", "engine", other)]

    for change in changes:
        done = run(*change, "--path", folder, "--allow-removals")

        assert done.exit_code == ExitCode.CLEAN, done.output
        commit(folder)
        assert files(folder) == fresh(folder)


def test_a_pool_and_a_model_come_and_go(tmp_path: Path) -> None:
    values = documents.load((releases.ROOT / "examples/inference-small/answers.yaml").read_bytes())
    values["teams"][0]["gpus"] = "2"
    folder = commit(render("v2.0.0", tmp_path / "platform", **values))
    before = files(folder)
    pool = ("cluster=production", "accelerator=l4", "per_node=1", "most=1", "capacity=[spot]")
    model = {**values["models"][0], "pool": "spare"}
    del model["name"]

    for words in (
        ("add", "pool", "spare", *pool),
        (
            "add",
            "model",
            "qwen3-spare",
            *(f"{key}={json.dumps(value)}" for key, value in model.items()),
        ),
    ):
        done = run(*words, "--path", folder)
        assert done.exit_code == ExitCode.CLEAN, done.output
        commit(folder)
    assert [model["name"] for model in answers(folder)["models"]] == ["qwen3-8b", "qwen3-spare"]
    assert files(folder) == fresh(folder)

    for words in (("remove", "model", "qwen3-spare"), ("remove", "pool", "spare")):
        done = run(*words, "--path", folder)
        assert done.exit_code == ExitCode.CLEAN, done.output
        commit(folder)
    assert files(folder) == before


def test_edits_survive_a_change_of_the_answers(platform: Path) -> None:
    edit(platform, "components/cert-manager/namespace.yaml", "labels:\n", "labels:\n    a: b\n")
    commit(platform)

    done = run("promote", "growing", "--path", platform)

    assert done.exit_code == ExitCode.CLEAN, done.output
    assert "    a: b\n" in (platform / "components/cert-manager/namespace.yaml").read_text()


def test_a_plan_of_a_promotion_says_what_comes_and_what_is_expected(platform: Path) -> None:
    before = files(platform)

    done = run("promote", "growing", "--path", platform, "--plan", "--format", "json")

    said = json.loads(done.stdout)
    assert said["answers"]["changed"]["tier"] == {"from": "small", "to": "growing"}
    assert said["components"]["added"]
    assert said["prerequisites"]
    before_, after = (said["needs"][side]["kind"]["memory"] for side in ("before", "after"))
    assert before_ < after
    assert not said["written"]
    assert files(platform) == before


def test_going_down_has_to_be_agreed_to(tmp_path: Path) -> None:
    folder = commit(render("v2.0.0", tmp_path / "platform", tier="growing"))
    before = files(folder)

    refused = run("promote", "small", "--path", folder)
    assert refused.exit_code == ExitCode.USAGE
    assert "[update.removals]" in refused.stderr
    assert files(folder) == before
    plan = run("promote", "small", "--path", folder, "--plan")
    assert "DANGER" in plan.stdout

    done = run("promote", "small", "--path", folder, "--allow-removals")

    assert done.exit_code == ExitCode.CLEAN, done.output
    assert files(folder) == fresh(folder)


def test_removing_a_team_keeps_what_was_edited_and_says_what_is_left_to_do(
    tmp_path: Path,
) -> None:
    teams = [{"name": "search", "namespaces": ["search"], "contact": "@acme/search"}]
    folder = commit(render("v2.0.0", tmp_path / "platform", teams=teams))
    edited = "tenants/search/search/quota.yaml"
    assert (folder / edited).is_file()
    (folder / edited).write_text((folder / edited).read_text() + "# ours\n")
    commit(folder)

    done = run("remove", "team", "search", "--path", folder, "--allow-removals", "--format", "json")

    assert done.exit_code == ExitCode.CONFLICTS, done.output
    said = json.loads(done.stdout)
    assert [(c["path"], c["cause"]) for c in said["conflicts"]] == [(edited, "removed-by-template")]
    assert (folder / edited).is_file()
    assert not (folder / "tenants/search/search/namespace.yaml").exists()
    assert "delete its namespaces by hand" in said["manual"][0]["steps"][0]
    assert ("namespace", "orphaned") in {(d["danger"], d["fate"]) for d in said["dangers"]}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("set", "engin", "flux"), "answers.unknown-key"),
        (("set", "tier", "huge"), "answers.not-a-choice"),
        (("set", "clusters.local.pod_cidr", "10.9.0.0/16"), "answers.immutable"),
        (("set", "clusters.lcal.pod_cidr", "10.9.0.0/16"), "answers.no-such-item"),
        (("set", "domain.name", "x"), "answers.no-such-item"),
        (("set", "kubernetes", '"1.36"'), "answers.unsupported-change"),
        (("set", "domain", "a: b: c"), "yaml.syntax"),
        (("add", "clutser", "x"), "answers.no-such-kind"),
        (("add", "cluster", "x", "place"), "answers.not-a-field"),
        (("add", "cluster", "local", *CLUSTER), "answers.duplicate-cluster"),
        (("add", "cluster", "x", "colour=red"), "answers.unknown-key"),
        (("remove", "team", "search"), "answers.no-such-item"),
        (("promote", "smal"), "answers.not-a-choice"),
    ],
)
def test_answers_that_cannot_be_are_refused_before_anything_is_written(
    words: tuple[str, ...], error: str, platform: Path
) -> None:
    before = files(platform)

    done = run(words[0], "--path", platform, *words[1:])

    assert done.exit_code == ExitCode.USAGE, done.output
    assert f"[{error}]" in done.stderr
    assert files(platform) == before


def test_every_transition_is_about_a_question_and_a_field_that_there_are() -> None:
    blueprint = template.locate()
    asked = {question.name for question in questions(blueprint)}
    facts = {fact.name for place in places.read(blueprint) for fact in place.facts}

    for rule in transitions.read(blueprint):
        assert rule.question in asked
        if rule.field:
            known = fields_of(blueprint, {})[rule.question].item.fields  # type: ignore[union-attr]
            assert rule.field in known or (rule.question == "clusters" and rule.field in facts)


def test_a_rule_that_is_none_is_a_fault_of_the_template(tmp_path: Path) -> None:
    (tmp_path / "blueprints").mkdir()
    (tmp_path / transitions.FILE).write_text("- question: tier\n  rule: perhaps\n", "utf-8")

    with pytest.raises(TemplateError) as raised:
        transitions.read(Template(tmp_path, "v1.0.0"))

    assert raised.value.id == "template.invalid"


# --- dangers


def risks(before: str, after: str) -> list[tuple[str, str, str | None]]:
    from groundplan.posture.comparison import Side
    from groundplan.tree import Tree

    sides = [Side.of(Tree.of({**ENTRY, "apps/web.yaml": text})) for text in (before, after)]
    return [(risk.danger, risk.subject, risk.fate) for risk in dangers.find(*sides)]


ENTRY = {
    "clusters/a/flux-system/gotk-sync.yaml": gotk_sync("a"),
    "clusters/a/apps.yaml": flux("apps", "./apps"),
}
CLAIM = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: shop}\n"
KEPT = CLAIM.replace(
    "namespace: shop",
    'namespace: shop, annotations: {"kustomize.toolkit.fluxcd.io/prune": disabled}',
)
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n"
BINDING = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n"
    "metadata: {name: web, namespace: shop}\n"
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ROLE}\n"
)


def test_what_would_cost_data_is_a_danger() -> None:
    claim = "PersistentVolumeClaim shop/data"
    assert risks(f"{CLAIM}---\n{OTHER}", OTHER) == [(Danger.DATA_LOSS, claim, Fate.PRUNED)]
    assert risks(f"{KEPT}---\n{OTHER}", OTHER) == [(Danger.DATA_LOSS, claim, Fate.ORPHANED)]
    assert risks(f"{OTHER}---\n{CLAIM}", CLAIM) == []


def test_what_the_server_would_refuse_is_a_danger() -> None:
    view, admin = (BINDING.replace("ROLE", name) for name in ("view", "admin"))

    assert risks(view, admin) == [(Danger.IMMUTABLE, "RoleBinding shop/web", None)]
    assert risks(view, view) == []


def test_a_clone_is_asked_about_as_well_as_the_original(platform: Path, tmp_path: Path) -> None:
    releases.git(tmp_path, "clone", "--quiet", os.fspath(platform), "clone")

    done = run("status", "--path", tmp_path / "clone", "--exit-code")

    assert done.exit_code == ExitCode.CLEAN, done.output
