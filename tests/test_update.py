"""`groundplan update`: a newer template in an edited repository, whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from groundplan import cli, copier_adapter, documents, template
from groundplan import releases as carried
from groundplan.errors import ExitCode
from groundplan.updates import checkout, migrations, proposal, writing
from tests import releases
from tests.plain_copier import copier
from tests.rendering import ENGINES, READY, TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundplan.template import Template

NAMESPACE = "components/cert-manager/namespace.yaml"


@pytest.fixture(autouse=True)
def carry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that carries the versions made for tests."""
    monkeypatch.setenv(carried.VARIABLE, str(releases.bundle()))


def render(version: str, folder: Path, **answers: Any) -> Path:
    ready = {"practices": READY, **answers}
    copier_adapter.render(carried.locate().template(version), ready, folder)
    return folder


def commit(folder: Path) -> Path:
    if not (folder / ".git").exists():
        releases.git(folder, "init", "--quiet", "--initial-branch=main")
    releases.git(folder, "add", "--all", "--force")
    releases.git(folder, "commit", "--quiet", "--allow-empty", "-m", "state")
    return folder


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(word) for word in words], prog_name="groundplan")


def update(folder: Path, *words: str) -> Result:
    return run("update", "--path", folder, *words)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def edit(folder: Path, path: str, old: str, new: str) -> None:
    text = (folder / path).read_text("utf-8")
    assert old in text
    (folder / path).write_text(text.replace(old, new, 1), "utf-8")


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """A committed repository at the oldest version."""
    return commit(render("v1.0.0", tmp_path / "platform"))


# --- the oracle


PAIRS = [
    pair
    for i, old in enumerate(releases.VERSIONS)
    for pair in product([old], releases.VERSIONS[i:])
]


@pytest.mark.parametrize(("old", "new"), PAIRS)
@pytest.mark.parametrize("engine", ENGINES)
def test_an_unedited_repository_becomes_what_the_new_version_renders(
    old: str, new: str, engine: str, tmp_path: Path
) -> None:
    folder = commit(render(old, tmp_path / "platform", engine=engine))

    done = update(folder, "--to", new)

    assert done.exit_code == ExitCode.CLEAN, done.output
    assert files(folder) == files(render(new, tmp_path / "fresh", engine=engine))


def test_updating_twice_changes_nothing(platform: Path) -> None:
    edit(platform, NAMESPACE, "  labels:\n", "  labels:\n    team: mine # ours\n")
    commit(platform)
    assert update(platform).exit_code == ExitCode.CLEAN
    once = files(commit(platform))

    done = update(platform)

    assert done.exit_code == ExitCode.CLEAN
    assert "nothing changes" in done.stdout
    assert files(platform) == once


# --- what people changed


def test_edits_follow_what_the_template_moved_split_and_renamed(platform: Path) -> None:
    edit(platform, "extras/two.yaml", 'size: "1"', 'size: "10" # ours')
    edit(platform, "extras/two.yaml", 'size: "2"', 'size: "20"')
    edit(platform, "extras/notes.md", "Another line.", "Our line.")
    commit(platform)

    done = update(platform)

    assert done.exit_code == ExitCode.CLEAN, done.output
    first = (platform / "extras/first.yaml").read_text("utf-8")
    assert 'size: "10" # ours\n  shape: round\n' in first
    assert "name: foremost" in first
    assert 'size: "20"' in (platform / "extras/second.yaml").read_text("utf-8")
    assert "Our line." in (platform / "extras/guide/start.md").read_text("utf-8")
    assert not (platform / "extras/two.yaml").exists()
    assert not (platform / "extras/notes.md").exists()
    assert "yours: 3 of 3 kept" in done.stdout


def test_a_renamed_question_keeps_its_answer(tmp_path: Path) -> None:
    folder = commit(render("v1.0.0", tmp_path / "platform", colour="green"))

    assert update(folder).exit_code == ExitCode.CLEAN

    answers = documents.load((folder / ".copier-answers.yml").read_bytes())
    assert answers["theme"] == "green"
    assert answers["_commit"] == "v2.0.0"
    assert answers["_src_path"] == "gh:groundplan/groundplan"
    assert "colour" not in answers


def test_conflicts_keep_your_side_and_list_the_templates(platform: Path) -> None:
    edit(platform, "extras/two.yaml", 'size: "1"', 'size: "1"\n  shape: square')
    commit(platform)

    done = update(platform, "--format", "json")

    assert done.exit_code == ExitCode.CONFLICTS
    [conflict] = json.loads(done.stdout)["conflicts"]
    assert conflict["path"] == "extras/first.yaml"
    assert (conflict["line"], conflict["pointer"]) == (10, "/data/shape")
    assert (conflict["yours"], conflict["template"]) == ("square", "round")
    assert conflict["owner"] == "@acme/platform"
    assert "shape: square" in (platform / "extras/first.yaml").read_text("utf-8")
    listed = documents.load((platform / ".groundplan/conflicts.yaml").read_bytes())
    assert [entry["template"] for entry in listed] == ["round"]


def test_a_conflict_is_a_finding_until_it_is_decided(platform: Path) -> None:
    edit(platform, "extras/two.yaml", 'size: "1"', 'size: "1"\n  shape: square')
    commit(platform)
    update(platform, "--to", "v1.1.0")
    left = run("check", platform, "--only", "UPD001")
    assert left.exit_code == ExitCode.FINDINGS
    assert run("resolve", "--path", platform).exit_code == ExitCode.CONFLICTS
    assert "[resolve.no-such-conflict]" in run("resolve", "--path", platform, "a.yaml").stderr

    done = run("resolve", "--path", platform, "extras/first.yaml")

    assert (done.exit_code, done.stdout) == (ExitCode.CLEAN, "1 decided, 0 left\n")
    assert not (platform / ".groundplan/conflicts.yaml").exists()
    assert run("check", platform, "--only", "UPD001").exit_code == ExitCode.CLEAN
    commit(platform)
    assert update(platform).exit_code == ExitCode.CLEAN


def test_the_next_update_waits_for_the_conflicts_of_the_last_one(platform: Path) -> None:
    edit(platform, "extras/two.yaml", 'size: "1"', 'size: "1"\n  shape: square')
    commit(platform)
    assert update(platform, "--to", "v1.1.0").exit_code == ExitCode.CONFLICTS
    commit(platform)

    done = update(platform)

    assert done.exit_code == ExitCode.USAGE
    assert "[update.conflicts-left]" in done.stderr


def test_a_file_that_both_sides_removed_or_that_you_removed_stays_away(platform: Path) -> None:
    (platform / "extras/notes.md").unlink()
    (platform / "extras/two.yaml").unlink()
    commit(platform)

    done = update(platform, "--to", "v1.1.0", "--format", "json")

    assert not (platform / "extras/two.yaml").exists()
    assert json.loads(done.stdout)["files"]["extras/first.yaml"] == "added"


def test_the_report_judges_components_that_move_to_another_version(
    platform: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.git(tmp_path, "clone", "--quiet", str(releases.repository()), "template")
    data = tmp_path / "template/blueprints/components/cert-manager.yaml"
    said = documents.load(data.read_bytes())["chart"]["version"]
    major, _, rest = said.removeprefix("v").partition(".")
    newer = said.replace(f"{major}.{rest}", f"{int(major) + 70}.{rest}")
    edit(tmp_path / "template", "blueprints/components/cert-manager.yaml", said, newer)
    releases.git(tmp_path / "template", "commit", "--quiet", "--all", "-m", "v2.1.0")
    releases.git(tmp_path / "template", "tag", "v2.1.0")
    assert carried.write_bundle(tmp_path / "template", tmp_path / "bundle")
    monkeypatch.setenv(carried.VARIABLE, str(tmp_path / "bundle"))

    found = json.loads(update(platform, "--plan", "--format", "json").stdout)

    moves = [(one["move"]["component"], one["verdict"]) for one in found["upgrades"]]
    assert moves == [("cert-manager", "unknown")]
    assert found["components"]["changed"]["cert-manager"] == {"from": said, "to": newer}
    assert f"upgrade     cert-manager {said} -> {newer}: unknown" in update(platform).stdout


# --- plan, abort, and a run that is killed


def test_a_plan_writes_nothing(platform: Path) -> None:
    before = files(platform)

    done = update(platform, "--plan", "--exit-code")

    assert done.exit_code == ExitCode.CHANGES
    assert "planned; nothing was written" in done.stdout
    assert files(platform) == before
    assert releases.git(platform, "status", "--porcelain") == ""


def test_abort_puts_everything_back(platform: Path) -> None:
    edit(platform, "extras/two.yaml", 'size: "1"', 'size: "10"')
    before = files(commit(platform))
    assert update(platform).exit_code == ExitCode.CLEAN
    assert files(platform) != before

    done = update(platform, "--abort")

    assert done.exit_code == ExitCode.CLEAN, done.output
    assert files(platform) == before
    assert releases.git(platform, "status", "--porcelain") == ""


def test_abort_does_not_undo_what_was_edited_since(platform: Path) -> None:
    update(platform)
    edit(platform, "extras/guide/start.md", "One line.", "One more line.")

    done = update(platform, "--abort")

    assert done.exit_code == ExitCode.USAGE
    assert "[update.edited-since]" in done.stderr
    assert "extras/guide/start.md" in done.stderr


@pytest.mark.parametrize("committed", [True, False])
def test_abort_says_when_there_is_nothing_to_abort(platform: Path, committed: bool) -> None:
    if committed:
        update(platform)
        commit(platform)

    done = update(platform, "--abort")

    assert done.exit_code == ExitCode.USAGE
    assert "[update.nothing-to-abort]" in done.stderr


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_run_that_was_killed_can_be_taken_back(
    platform: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(platform)
    put, count = writing._put, iter(range(100))

    def killed(*words: Any) -> None:
        if next(count) == after:
            raise KeyboardInterrupt
        put(*words)

    monkeypatch.setattr(writing, "_put", killed)
    proposed = proposal.propose(checkout.find(platform), carried.locate(), "v2.0.0")
    with pytest.raises(KeyboardInterrupt):
        writing.write(proposed)
    monkeypatch.setattr(writing, "_put", put)

    refused = update(platform)
    assert "[update.interrupted]" in refused.stderr
    assert update(platform, "--abort").exit_code == ExitCode.CLEAN
    assert files(platform) == before
    assert update(platform).exit_code == ExitCode.CLEAN


# --- refusals, before anything is written


def _answers(pattern: str, instead: str) -> Any:
    def change(folder: Path) -> None:
        file = folder / ".copier-answers.yml"
        file.write_text(re.sub(pattern, instead, file.read_text("utf-8")), "utf-8")
        commit(folder)

    return change


def _untracked(folder: Path) -> None:
    (folder / "new.yaml").write_text("a: 1\n", "utf-8")


def _ignored(folder: Path) -> None:
    (folder / ".gitignore").write_text("extras/first.yaml\n", "utf-8")
    commit(folder)
    (folder / "extras/first.yaml").write_text("mine: true\n", "utf-8")


def _linked(folder: Path) -> None:
    shutil.move(folder / "extras", folder.parent / "outside")
    (folder / "extras").symlink_to(folder.parent / "outside")
    commit(folder)


def _no_answers(folder: Path) -> None:
    (folder / ".copier-answers.yml").unlink()


def _no_git(folder: Path) -> None:
    shutil.rmtree(folder / ".git")


REFUSALS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "update.newer": (_answers("_commit: .*", "_commit: v9.0.0"), ()),
    "update.other-template": (_answers("_src_path: .*", "_src_path: gh:acme/other"), ()),
    "update.unknown-version": (_answers("_commit: .*", "_commit: 3fa9c2d"), ()),
    "update.no-such-version": (_answers("_commit: .*", "_commit: v1.0.7"), ()),
    "update.downgrade": (lambda _: None, ("--to", "v0.1.0")),
    "update.dirty": (_untracked, ()),
    "update.in-the-way": (_ignored, ()),
    "update.not-rendered": (_no_answers, ()),
    "update.not-git": (_no_git, ()),
}


@pytest.mark.parametrize("error", REFUSALS)
def test_what_cannot_be_updated_is_refused_before_anything_is_written(
    error: str, platform: Path
) -> None:
    spoil, words = REFUSALS[error]
    spoil(platform)
    before = files(platform)

    done = update(platform, *words)

    assert done.exit_code == ExitCode.USAGE, done.output
    assert f"[{error}]" in done.stderr
    assert files(platform) == before


def test_nothing_is_written_through_a_link(platform: Path) -> None:
    _linked(platform)

    done = update(platform)

    assert done.exit_code == ExitCode.USAGE, done.output
    assert "[update.unsafe-path]" in done.stderr
    assert sorted(p.name for p in (platform.parent / "outside").iterdir()) == [
        "notes.md",
        "two.yaml",
    ]


def test_a_bundle_that_is_not_there_is_named(platform: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(carried.VARIABLE, "/nowhere/releases.bundle")

    done = update(platform)

    assert done.exit_code == ExitCode.USAGE
    assert "[update.no-such-bundle]" in done.stderr


def test_an_answer_that_a_version_would_lose_is_refused(
    platform: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.git(tmp_path, "clone", "--quiet", str(releases.repository()), "template")
    template_ = tmp_path / "template"
    edit(template_, "blueprints/questions/99-colour.yaml", "theme:", "theme:\n  when: false")
    releases.git(template_, "commit", "--quiet", "--all", "-m", "v3.0.0")
    releases.git(template_, "tag", "v3.0.0")
    assert carried.write_bundle(template_, tmp_path / "bundle")
    monkeypatch.setenv(carried.VARIABLE, str(tmp_path / "bundle"))

    done = update(platform)

    assert done.exit_code == ExitCode.USAGE, done.output
    assert "[answers.computed-key]" in done.stderr
    assert releases.git(platform, "status", "--porcelain") == ""


# --- a folder of a larger repository


def test_two_platforms_in_one_git_repository_do_not_meet(tmp_path: Path) -> None:
    folders = [render("v1.0.0", tmp_path / "repo" / name) for name in ("one", "two")]
    commit(tmp_path / "repo")

    assert update(folders[0]).exit_code == ExitCode.CLEAN
    said = run("status", "--path", folders[0], "--format", "json").stdout
    assert json.loads(said)["files"]["extras/first.yaml"]["state"] == "unchanged"
    refused = update(folders[0])
    assert "[update.dirty]" in refused.stderr
    assert "has changes that are not committed: .copier-answers.yml" in refused.stderr
    assert "[update.nothing-to-abort]" in update(folders[1], "--abort").stderr
    assert update(folders[1]).exit_code == ExitCode.CLEAN
    assert update(folders[0], "--abort").exit_code == ExitCode.CLEAN

    assert (folders[0] / "extras/two.yaml").is_file()
    assert not (folders[1] / "extras/two.yaml").exists()


# --- two doors


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Plain copier finds the template's address at the tagged repository."""
    for name, value in copier_adapter.redirect(releases.repository()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.usefixtures("upstream")
def test_copier_updates_what_groundplan_rendered_and_the_reverse(tmp_path: Path) -> None:
    ours, theirs = render("v1.0.0", tmp_path / "ours"), tmp_path / "theirs"
    (tmp_path / "answers.yaml").write_text(documents.dump({"practices": READY}), "utf-8")
    words = ("--vcs-ref", "v1.0.0", "--data-file", tmp_path / "answers.yaml")
    assert copier("copy", "gh:groundplan/groundplan", theirs, *words) == 0
    assert files(ours) == files(theirs)
    for folder in (ours, theirs):
        edit(folder, "extras/two.yaml", "# Two objects", "# Just two objects")
        commit(folder)

    assert copier("update", ours, "--vcs-ref", "v1.1.0") == 0
    assert update(theirs, "--to", "v1.1.0").exit_code == ExitCode.CLEAN
    commit(ours), commit(theirs)
    assert ours.joinpath(".copier-answers.yml").read_bytes() == files(theirs)[".copier-answers.yml"]

    assert update(ours).exit_code == ExitCode.CLEAN
    assert copier("update", theirs) == 0
    fresh = files(render("v2.0.0", tmp_path / "fresh"))
    for folder in (ours, theirs):
        found = files(folder)
        assert {path for path in fresh if fresh[path] != found.get(path)} <= {"extras/first.yaml"}
        assert found[".copier-answers.yml"] == fresh[".copier-answers.yml"]


def test_the_bundle_is_the_same_every_time_and_holds_the_template_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert carried.write_bundle(releases.repository(), tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    releases.git(tmp_path, "clone", "--quiet", "one", "clone")
    names = {path.name for path in (tmp_path / "clone").iterdir() if path.name != ".git"}
    assert names == set(template.PARTS)


def test_a_repository_without_releases_has_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    commit(tmp_path)

    assert not carried.write_bundle(tmp_path, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


# --- names that users store


def choices(version: Template) -> dict[str, set[str]]:
    from groundplan.answers import questions

    return {
        question.name: {str(value) for _, value in question.choices}
        for question in questions(version)
        if not question.computed
    }


def versions() -> Iterator[tuple[Template, Template]]:
    """Each released version beside the next one, those of this repository and those of tests."""
    made = carried.locate()
    yield from pairwise(made.template(version) for version in releases.VERSIONS)
    os.environ.pop(carried.VARIABLE)
    own = carried.locate()
    yield from pairwise(own.template(version) for version in own.versions)


def test_no_question_or_choice_vanishes_without_a_migration() -> None:
    for old, new in versions():
        steps = migrations.between(new, old.version)
        now = choices(new)
        for name, values in choices(old).items():
            for value in values or {"anything"}:
                kept = migrations.answers({name: value}, steps)
                assert all(
                    key in now and (not now[key] or said in now[key]) for key, said in kept.items()
                )
                assert kept or any(name in step.dropped for step in steps)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "tier", "to"), list(product(ENGINES, TIERS, TIERS)))
def test_every_pair_of_tiers_equals_a_fresh_render(
    engine: str, tier: str, to: str, tmp_path: Path
) -> None:
    folder = commit(
        render("v1.0.0", tmp_path / "platform", engine=engine, tier=tier, practices=READY)
    )
    found = checkout.find(folder)
    proposed = proposal.propose(
        found, carried.locate(), "v2.0.0", lambda values: {**values, "tier": to}
    )
    writing.write(proposed)

    assert proposed.answers["tier"] == to
    fresh = render("v2.0.0", tmp_path / "fresh", **proposed.answers)
    assert files(folder) == files(fresh)
