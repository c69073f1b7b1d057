"""`groundplan new`: the same files as copier, one commit, all or nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jinja2
import pytest
from click.testing import CliRunner, Result
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from groundplan import cli, copier_adapter, template
from groundplan.answers import Answers, checked, questions, read
from groundplan.cli import wizard
from groundplan.copier_adapter import compiled, quick
from groundplan.errors import AnswersError, ExitCode, TemplateError, ToolError, UsageError
from groundplan.plan import Plan
from groundplan.scaffold import create
from groundplan.schemas import cache
from groundplan.template import Template

VALID = Path(__file__).parent / "cases" / "valid"
BLUEPRINT = template.locate()
GIT = str(shutil.which("git"))
ENTER, DOWN = "\r", "\x1b[B"


@pytest.fixture(autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any git or copier configuration; the result is where it would be.

    Whoever has checked something before has compiled schemas, and so has this user.
    """
    home = tmp_path_factory.mktemp("home")
    schemas = cache.folder().parent
    schemas.mkdir(parents=True, exist_ok=True)
    (home / ".cache" / "groundplan").mkdir(parents=True)
    (home / ".cache" / "groundplan" / schemas.name).symlink_to(schemas)
    for name in [name for name in os.environ if name.startswith(("GIT_", "COPIER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


def files(root: Path) -> dict[str, tuple[bytes, bool]]:
    """Every file's content and whether it is executable."""
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), os.access(path, os.X_OK))
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


def assert_same_files(actual: Path, expected: Path) -> None:
    ours, theirs = files(actual), files(expected)
    assert sorted(theirs.keys() - ours.keys()) == [], "missing"
    assert sorted(ours.keys() - theirs.keys()) == [], "extra"
    assert [path for path in ours if ours[path] != theirs[path]] == [], "different"


def git(folder: Path, *words: str) -> str:
    done = subprocess.run([GIT, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["new", *words], prog_name="groundplan")


def toy(root: Path, question: str = "tier: small\n", body: str = "#{ tier }#\n") -> Template:
    """A template of one question and one file."""
    (root / "blueprints").mkdir(parents=True)
    (root / "overlays").mkdir()
    (root / "overlays" / "empty").write_text("")
    (root / "copier.yml").write_text(
        "_subdirectory: blueprints\n"
        "_envops: {variable_start_string: '#{', variable_end_string: '}#',"
        " block_start_string: '#%', block_end_string: '%#',"
        " comment_start_string: '#|', comment_end_string: '|#',"
        " undefined: jinja2.StrictUndefined}\n" + question
    )
    (root / "blueprints" / "file.txt.jinja").write_text(body)
    return Template(root, "v1.0.0")


# The same files as copier


@pytest.mark.parametrize("case", ["defaults", "argocd-on-eks"])
def test_the_files_are_those_of_plain_copier(case: str, tmp_path: Path) -> None:
    answers = VALID / f"{case}.yaml"
    origin = copier_adapter.published(BLUEPRINT, tmp_path / "origin")
    environment = {
        **os.environ,
        **copier_adapter.redirect(origin),
        "COPIER_CACHE_DIR": str(tmp_path / "cache"),
    }
    plain = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults"]
    plain += ["--data-file", str(answers), "--vcs-ref", BLUEPRINT.version]
    subprocess.run(
        [*plain, template.UPSTREAM, str(tmp_path / "plain")], env=environment, check=True
    )

    create(BLUEPRINT, read(answers), tmp_path / "ours")

    assert_same_files(tmp_path / "ours", tmp_path / "plain")
    assert len(files(tmp_path / "ours")) > 20


def test_the_slow_way_gives_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = read(VALID / "two-places.yaml").values
    copier_adapter.render(BLUEPRINT, answers, tmp_path / "quick")

    monkeypatch.setattr(copier_adapter, "familiar", lambda: False)
    copier_adapter.render(BLUEPRINT, answers, tmp_path / "slow")

    assert_same_files(tmp_path / "quick", tmp_path / "slow")


def test_an_unknown_inside_of_copier_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert copier_adapter.familiar()

    monkeypatch.delattr(quick.copier_main.Worker, "_render_context")

    assert not copier_adapter.familiar()


def test_rendering_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **_: object) -> None:
        raise AssertionError(words)

    monkeypatch.setattr(subprocess, "Popen", refuse)

    copier_adapter.render(BLUEPRINT, {}, tmp_path / "platform")

    assert (tmp_path / "platform" / ".copier-answers.yml").is_file()


def test_every_template_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []
    compile_template = jinja2.Environment.compile

    def count(self: object, source: str, *rest: object, **options: object) -> object:
        if isinstance(source, str):
            sources.append(source)
        return compile_template(self, source, *rest, **options)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", count)
    blueprint = toy(tmp_path / "toy", question="names: {type: yaml, default: [a, b, c, d]}\n")
    (blueprint.root / "blueprints" / "file.txt.jinja").unlink()
    folder = blueprint.root / "blueprints" / "#% yield name from names %##{ name }##% endyield %#"
    folder.mkdir()
    for file in "xyz":
        (folder / f"#{{ name }}#-{file}.jinja").write_text(f"#{{ name }}# {file}")

    copier_adapter.render(blueprint, {}, tmp_path / "out")

    assert (tmp_path / "out" / "d" / "d-z").read_text() == "d z"
    assert len(sources) == len(set(sources)) > 0

    sources.clear()
    copier_adapter.render(blueprint, {}, tmp_path / "again")

    assert_same_files(tmp_path / "again", tmp_path / "out")
    assert sources == []


@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_a_damaged_or_unwritable_cache_does_not_matter(
    damage: bytes | None, tmp_path: Path, nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint = toy(tmp_path / "toy")

    def render(name: str) -> Path:
        """As a process that has compiled nothing yet."""
        monkeypatch.setattr(compiled, "_codes", {})
        monkeypatch.setattr(compiled, "_stored", set())
        copier_adapter.render(blueprint, {}, tmp_path / name)
        return tmp_path / name

    first = render("first")
    [codes] = (nobody / ".cache" / "groundplan" / "templates").iterdir()
    assert_same_files(render("warm"), first)
    if damage is None:
        shutil.rmtree(nobody / ".cache")
        (nobody / ".cache").write_text("")
    else:
        codes.write_bytes(damage)

    assert_same_files(render("damaged"), first)


def test_a_users_copier_settings_do_not_decide(tmp_path: Path, nobody: Path) -> None:
    (nobody / ".config" / "copier").mkdir(parents=True)
    (nobody / ".config" / "copier" / "settings.yml").write_text("defaults: {tier: enterprise}\n")

    create(BLUEPRINT, Answers({}), tmp_path / "platform")

    assert read(tmp_path / "platform" / ".copier-answers.yml").values["tier"] == "small"


# Errors of copier, in our words


@pytest.mark.filterwarnings("ignore:Exception ignored in. <posix.ScandirIterator")  # copier's own
@pytest.mark.parametrize(
    ("question", "body", "expected"),
    [
        ("tier: small\n", "#{ teir }#", "template.render"),
        ("tier: small\n", "#% if %#", "template.render"),
        ("tier: small\n_tasks: [date]\n", "", "template.invalid"),
        ("tier: {type: strange, default: small}\n", "", "template.invalid"),
        ("_min_copier_version: '999'\n", "", "template.invalid"),
        ("tier: [\n", "", "template.invalid"),
    ],
)
def test_a_fault_of_the_template_is_a_template_error(
    question: str, body: str, expected: str, tmp_path: Path
) -> None:
    blueprint = toy(tmp_path / "toy", question, body)

    with pytest.raises(TemplateError) as caught:
        copier_adapter.render(blueprint, {}, tmp_path / "out")

    assert caught.value.id == expected
    assert caught.value.exit_code == ExitCode.TOOL


def test_git_trouble_is_a_template_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copier_adapter, "redirect", lambda _: {"GIT_ALLOW_PROTOCOL": "none"})

    with pytest.raises(TemplateError) as caught:
        copier_adapter.render_as_published(toy(tmp_path / "toy"), {}, tmp_path / "out")

    assert caught.value.id == "template.git"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("tier: {type: str, choices: [small], default: small}\n", "big"),
        ("tier: {type: str, default: a, validator: '#{ tier if tier == \"big\" }#'}\n", "big"),
        ("tier: {type: int, default: 1}\n", "big"),
    ],
)
def test_a_refused_answer_is_an_answers_error(question: str, answer: str, tmp_path: Path) -> None:
    with pytest.raises(AnswersError) as caught:
        copier_adapter.render(toy(tmp_path / "toy", question), {"tier": answer}, tmp_path / "out")

    assert [problem.id for problem in caught.value.problems] == ["answers.refused"]
    assert not (tmp_path / "out").exists()


# The commit


def test_everything_is_in_one_commit(tmp_path: Path) -> None:
    commit = create(BLUEPRINT, Answers({}), tmp_path / "platform").commit

    folder = tmp_path / "platform"
    assert git(folder, "rev-parse", "--short", "HEAD") == commit
    assert git(folder, "rev-list", "--count", "HEAD") == "1"
    assert git(folder, "symbolic-ref", "--short", "HEAD") == "main"
    assert git(folder, "status", "--porcelain", "--ignored") == ""
    assert set(git(folder, "-c", "core.quotePath=off", "ls-files").splitlines()) == set(
        files(folder)
    )


def test_somebody_commits_when_the_user_has_no_name(tmp_path: Path) -> None:
    create(BLUEPRINT, Answers({}), tmp_path / "platform")

    assert git(tmp_path / "platform", "log", "-1", "--format=%an %ae") == (
        "groundplan groundplan@localhost"
    )
    assert "user" not in (tmp_path / "platform" / ".git" / "config").read_text()


def test_the_users_own_name_is_kept(tmp_path: Path, nobody: Path) -> None:
    (nobody / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@acme.example\n")

    create(BLUEPRINT, Answers({}), tmp_path / "platform")

    assert git(tmp_path / "platform", "log", "-1", "--format=%an %cn %ae") == (
        "Ada Ada ada@acme.example"
    )


def test_hooks_signing_ignore_files_and_line_endings_of_the_user_do_not_matter(
    tmp_path: Path, nobody: Path
) -> None:
    hook = nobody / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (nobody / "ignored").write_text("*.yaml\n")
    (nobody / ".gitconfig").write_text(
        f"[core]\nhooksPath = {hook.parent}\nexcludesFile = {nobody / 'ignored'}\n"
        "autocrlf = true\nsafecrlf = true\n[commit]\ngpgsign = true\n[gpg]\nprogram = false\n"
    )

    create(BLUEPRINT, Answers({}), tmp_path / "platform")

    folder = tmp_path / "platform"
    assert set(git(folder, "ls-files").splitlines()) == set(files(folder))
    assert "i/crlf" not in git(folder, "ls-files", "--eol")


def test_a_git_hook_that_calls_us_keeps_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git" / "index"))

    create(BLUEPRINT, Answers({}), tmp_path / "platform")

    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert git(outer, "rev-list", "--all") == ""
    assert git(tmp_path / "platform", "rev-list", "--count", "HEAD") == "1"


def test_without_git_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))

    result = invoke(str(tmp_path / "platform"), "--defaults")

    assert result.exit_code == ExitCode.TOOL
    assert result.stderr == "git was not found; install git 2.31 or newer [tool.missing]\n"
    assert list(tmp_path.iterdir()) == []


def test_a_git_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho git version 2.20.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")

    with pytest.raises(ToolError) as caught:
        create(BLUEPRINT, Answers({}), tmp_path / "platform")

    assert caught.value.id == "tool.git-too-old"
    assert not (tmp_path / "platform").exists()


# All or nothing


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "mine.txt").write_text("mine")

    result = invoke(str(tmp_path / "platform"), "--defaults")

    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.endswith("[new.not-empty]\n")
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["platform", "mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "platform").mkdir()

    create(BLUEPRINT, Answers({}), tmp_path / "platform")

    assert (tmp_path / "platform" / ".copier-answers.yml").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["platform"]


def test_missing_parents_are_made(tmp_path: Path) -> None:
    create(BLUEPRINT, Answers({}), tmp_path / "teams" / "ours" / "platform")

    assert (tmp_path / "teams" / "ours" / "platform" / ".git").is_dir()


@pytest.mark.parametrize("kind", ["file", "link", "here"])
def test_what_cannot_become_a_repository_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "platform"
    if kind == "file":
        place.write_text("")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.mkdir()
        monkeypatch.chdir(place)

    with pytest.raises(UsageError) as caught:
        create(BLUEPRINT, Answers({}), place)

    assert caught.value.id == ("new.current-folder" if kind == "here" else "new.not-a-folder")


@pytest.mark.parametrize("below", ["file/platform", "file/teams/platform"])
def test_a_place_below_a_file_is_refused(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")

    with pytest.raises(UsageError) as caught:
        create(BLUEPRINT, Answers({}), tmp_path / below)

    assert caught.value.id == "new.no-parent"
    assert (tmp_path / "file").read_text() == "kept"


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object, __: object, folder: Path, ___: object) -> None:
        folder.mkdir()
        (folder / "half").write_text("")
        raise TemplateError("template.render", "no")

    monkeypatch.setattr(copier_adapter, "render", fail)
    with pytest.raises(TemplateError):
        create(BLUEPRINT, Answers({}), tmp_path / "platform")

    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, time
from pathlib import Path
from groundplan import copier_adapter, template
from groundplan.answers import Answers
from groundplan.plan import Plan
from groundplan.scaffold import create

def render(_, __, folder, ___):
    folder.mkdir()
    (folder / "half").write_text("")
    Path(sys.argv[2]).write_text("")
    time.sleep(60)

copier_adapter.render = render
create(template.locate(), Answers({}), Path(sys.argv[1]))
"""


def test_a_killed_run_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    place, begun = tmp_path / "all", tmp_path / "begun"
    place.mkdir()
    words = [sys.executable, "-c", KILLED, str(place / "platform"), str(begun)]
    with subprocess.Popen(words) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    left = [path.name for path in place.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".groundplan-new-")

    create(BLUEPRINT, Answers({}), place / "platform")

    assert [path.name for path in place.iterdir()] == ["platform"]


def test_a_run_that_is_still_alive_is_left_alone(tmp_path: Path) -> None:
    stage = tmp_path / ".groundplan-new-other"
    stage.mkdir()
    with (stage / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        create(BLUEPRINT, Answers({}), tmp_path / "platform")

    assert stage.is_dir()


# The command


def test_new_renders_commits_checks_and_says_what_to_do_next(tmp_path: Path) -> None:
    result = invoke(str(tmp_path / "platform"), "--defaults", "--engine", "argocd")

    assert (result.exit_code, result.stderr) == (ExitCode.CLEAN, "")
    assert result.stdout.startswith(f"{tmp_path / 'platform'}: ")
    assert f"\nNext:\n  1. cd {tmp_path / 'platform'}\n  2. groundplan " in result.stdout
    assert "git remote add origin https://github.com/acme/platform.git" in result.stdout
    answers = read(tmp_path / "platform" / ".copier-answers.yml").values
    assert (answers["engine"], answers["tier"]) == ("argocd", "small")


def test_options_win_over_the_answers_file(tmp_path: Path) -> None:
    case = VALID / "argocd-on-eks.yaml"

    invoke(str(tmp_path / "platform"), "--answers", str(case), "--engine", "flux")

    answers = read(tmp_path / "platform" / ".copier-answers.yml").values
    assert (answers["engine"], answers["kubernetes"]) == ("flux", "1.36")


def test_an_unknown_engine_is_an_error_of_the_answers(tmp_path: Path) -> None:
    result = invoke(str(tmp_path / "platform"), "--defaults", "--engine", "argo")

    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == (
        'engine: "argo" is not one of the choices; did you mean argocd? [answers.not-a-choice]\n'
    )
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_somebody_must_say_the_answers(tmp_path: Path) -> None:
    result = invoke(str(tmp_path / "platform"))

    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.endswith("[new.no-terminal]\n")
    assert "--answers FILE" in result.stderr
    assert "--defaults" in result.stderr


@pytest.mark.parametrize("option", ["engine", "tier"])
def test_the_help_names_every_choice(option: str) -> None:
    choices = next(q.choices for q in questions(BLUEPRINT) if q.name == option)
    help_text = " ".join(invoke("--help").stdout.split())

    assert all(value in help_text for _, value in choices)


# The wizard


def answer(keys: str, given: dict[str, Any]) -> dict[str, Any]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(keys)
        pipe.close()  # so that one question too many is a failure, not a wait
        return dict(wizard.ask(BLUEPRINT, given).values)


def test_the_wizard_takes_the_defaults() -> None:
    """Twelve questions, a cluster, no team, three contacts, three practices."""
    clusters = ENTER * 5 + "n"
    keys = ENTER * 12 + clusters + "n" + ENTER * 3 + ENTER * 3

    found = answer(keys, {})

    resolved = copier_adapter.resolve(BLUEPRINT, {})
    assert found == {name: resolved[name] for name in found}
    assert "sops_recipient" not in found
    assert {"organisation", "engine", "clusters", "teams", "contacts"} <= found.keys()


def test_the_wizard_asks_what_a_place_needs() -> None:
    up = "\x1b[A"
    clusters = ENTER + up + ENTER * 4 + "acme-production" + ENTER + "europe-west3" + ENTER + "n"
    keys = ENTER * 12 + clusters + "n" + ENTER * 3 + ENTER * 3

    [cluster] = answer(keys, {})["clusters"]

    assert (cluster["place"], cluster["project"]) == ("gke", "acme-production")
    assert list(cluster)[-2:] == ["project", "region"]


def test_the_wizard_asks_what_depends_on_an_answer() -> None:
    key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    backspace = "\x7f"
    keys = backspace * 4 + "globex" + ENTER + ENTER * 5
    keys += DOWN + ENTER + key + ENTER + ENTER * 4
    keys += ENTER * 5 + "n" + "y" + "search" + ENTER + "search index" + ENTER
    keys += "search@globex.example" + ENTER + "n" + "n" + ENTER * 3 + ENTER * 3

    found = answer(keys, {"engine": "flux"})

    assert found["organisation"] == "globex"
    assert found["repository"] == "https://github.com/globex/platform.git"
    assert found["domain"] == "globex.example"
    assert (found["secrets"], found["sops_recipient"]) == ("sops", key)
    assert found["teams"] == [
        {"name": "search", "namespaces": ["search", "index"], "contact": "search@globex.example"}
    ]
    assert found["contacts"]["oncall"] == "platform-oncall@globex.example"


def test_the_wizard_asks_for_what_the_tier_counts_on_and_who_accepts_what_is_missing() -> None:
    resolved = copier_adapter.resolve(BLUEPRINT, {})
    asked = {question.name for question in questions(BLUEPRINT) if not question.computed}
    left_out = {"practices", "accepted_risks", "sops_recipient", "artifact"}
    given = {name: resolved[name] for name in asked - left_out}
    people, first, others = "\x7f" + "2" + ENTER, ENTER, ENTER * 8
    accepted = "y" + "@acme/cto" + ENTER + "We hire." + ENTER + "2099-05-31" + ENTER

    found = answer(
        first + people + others + accepted + accepted + "n" * 7, {**given, "tier": "growing"}
    )

    assert found["practices"]["platform_people"] == 2
    assert found["practices"]["on_call"] == "working_hours"
    risk = {"owner": "@acme/cto", "reason": "We hire.", "expires": "2099-05-31"}
    assert found["accepted_risks"] == [
        {"what": "investment", **risk},
        {"what": "platform_people", **risk},
    ]
    with pytest.raises(AnswersError) as caught:
        checked(Answers(found), BLUEPRINT, prerequisites=plan_of(found).prerequisites)
    assert {problem.id for problem in caught.value.problems} == {"answers.prerequisite-unmet"}


def plan_of(answers: dict[str, Any]) -> Plan:
    return Plan.of(copier_adapter.plan(BLUEPRINT, answers))
