"""`groundplan upgrade-check`: what is recorded, and that unknown is never safe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as some

from groundplan import cli, template, upgrades, versions
from groundplan.errors import ExitCode
from groundplan.upgrades import Move, Record, Verdict, judge
from tests.rendering import ENGINES, ROOT, rendered
from tests.test_blueprints import component_data

if TYPE_CHECKING:
    from pathlib import Path

BLUEPRINT = template.locate()
KNOWN = [
    Record.of({"from": "1.1", "to": "1.1", "verdict": "safe", "why": "patches", "source": "a"}),
    Record.of({"from": "1.1", "to": "1.2", "verdict": "safe", "why": "small", "source": "b"}),
    Record.of(
        {
            "from": "1.2",
            "to": "1.3",
            "verdict": "manual",
            "why": "large",
            "source": "c",
            "steps": {"all": ["read"], "flux": ["suspend"], "argocd": ["sync"]},
        }
    ),
    Record.of({"from": "1.3", "to": "2", "verdict": "blocked", "why": "broken", "source": "d"}),
]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["upgrade-check", *words], prog_name="groundplan")


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("1.1.0", "1.1.4", "safe"),
        ("v1.1.0", "v1.2.0", "safe"),
        ("1.2.0", "1.3.1", "manual"),
        ("1.1.0", "1.3.0", "manual"),
        ("1.3.0", "2.7.1", "blocked"),
        ("1.1.0", "2.0.0", "blocked"),
        ("1.2.0", "1.2.1", "unknown"),
        ("2.0.0", "2.0.1", "unknown"),
        ("1.1.4", "1.1.0", "unknown"),
        ("1.10.0", "1.11.0", "unknown"),
        ("1.1.0", "main", "unknown"),
        ("1.1.0", "1.2.0-rc.1", "unknown"),
        ("", "1.1.0", "added"),
        ("1.1.0", "", "removed"),
    ],
)
def test_a_move_is_judged_by_what_is_recorded(old: str, new: str, verdict: str) -> None:
    assert judge(Move("it", old, new), KNOWN).verdict == verdict


def test_a_way_over_several_records_stops_on_the_way_and_is_never_just_safe() -> None:
    way = [
        KNOWN[1],
        Record.of({"from": "1.2", "to": "1.3", "verdict": "safe", "why": "x", "source": "e"}),
    ]

    found = judge(Move("it", "1.1.0", "1.3.0"), way)

    assert found.verdict == Verdict.MANUAL
    assert "Stop at 1.2 until it is ready everywhere" in found.steps[0]
    assert found.sources == ("b", "e")


@pytest.mark.parametrize(
    ("engine", "steps"),
    [
        ("flux", ("read", "suspend")),
        ("argocd", ("read", "sync")),
        ("", ("read", "suspend", "sync")),
    ],
)
def test_steps_are_those_of_the_engine(engine: str, steps: tuple[str, ...]) -> None:
    assert judge(Move("it", "1.2.0", "1.3.0"), KNOWN, engine).steps == steps


NUMBER = some.integers(0, 99)
RELEASE = some.builds("v{}.{}.{}".format, NUMBER, NUMBER, NUMBER)


@given(RELEASE, RELEASE | some.sampled_from(["", "main", "1.2.0-rc.1", "latest"]))
def test_without_a_record_nothing_is_safe(old: str, new: str) -> None:
    assert judge(Move("it", old, new), ()).verdict in {Verdict.UNKNOWN, Verdict.REMOVED}


@pytest.mark.parametrize("name", component_data())
def test_records_lead_forward_and_have_a_source(name: str) -> None:
    for record in upgrades.records(BLUEPRINT)[name]:
        assert record.old <= record.new
        assert record.verdict in {Verdict.SAFE, Verdict.MANUAL, Verdict.BLOCKED}
        assert record.source.startswith("https://")
        assert record.why
        assert record.steps.keys() <= {"all", *ENGINES}
        assert bool(record.steps) == (record.verdict == Verdict.MANUAL)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_pin_of_a_rendered_repository_is_found(engine: str) -> None:
    found, kept_by = versions.of_tree(rendered(engine, "enterprise", ("eks",)), BLUEPRINT)
    data = component_data()
    pinned = {
        name: source
        for name in found.keys() & data.keys()
        if (source := data[name].get("chart") or data[name].get("git"))
    }

    assert kept_by == engine
    assert {"cert-manager", "gateway-api", "envoy-gateway-crds", "envoy-gateway"} <= found.keys()
    assert ("flux" in found) == (engine == "flux")
    for name, source in pinned.items():
        assert found[name] == {"production": str(source.get("version") or source.get("tag"))}
    assert found.keys() - data.keys() <= {"flux"}


def test_lists_are_compared(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("cert-manager: v1.20.0\nkeda: 2.20.0\nloki: 1.0.0\n")
    new.write_text("cert-manager: v1.21.2\nkeda: 2.21.0\nloki: 1.0.0\n")

    done = run(str(old), str(new))

    assert done.exit_code == ExitCode.NOT_EVALUATED
    assert "MANUAL   cert-manager v1.20.0 -> v1.21.2\n" in done.stdout
    assert "UNKNOWN  keda 2.20.0 -> 2.21.0\n" in done.stdout
    assert "loki" not in done.stdout
    assert done.stdout.endswith("2 moves: 1 manual, 1 unknown\n")


def test_what_is_blocked_fails(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("gateway-api: v1.6.1\n")
    new.write_text("gateway-api: v1.7.0\n")

    done = run(str(old), str(new), "--format", "json")

    assert done.exit_code == ExitCode.FINDINGS
    [move] = json.loads(done.stdout)["moves"]
    assert (move["verdict"], move["move"]["new"]) == ("blocked", "v1.7.0")


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--fail-on", "manual"), 1)])
def test_manual_fails_when_asked_to(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("envoy-gateway: v1.8.2\n")
    new.write_text("envoy-gateway: v1.9.1\n")

    assert run(str(old), str(new), *words).exit_code == code


@pytest.mark.parametrize("name", ["startup-flux", "startup-argocd"])
def test_folders_of_repositories_are_compared(name: str, tmp_path: Path) -> None:
    repository = ROOT / "examples" / name / "repository"
    listed, _ = versions.read(str(repository), tmp_path, BLUEPRINT)
    older = tmp_path / "older"
    for path in repository.rglob("*"):
        if path.is_file():
            target = older / path.relative_to(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes().replace(b"v1.21.2", b"v1.20.1"))

    same, moved = run(str(repository), str(repository)), run(str(older), str(repository))

    assert listed["cert-manager"] == {"production": "v1.21.2"}
    assert (same.exit_code, same.stdout) == (ExitCode.CLEAN, "no component moves\n")
    assert moved.exit_code == ExitCode.CLEAN
    assert moved.stdout.startswith("MANUAL   cert-manager v1.20.1 -> v1.21.2 on production\n")


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text("- cert-manager\n")

    done = run(str(file), str(file))

    assert done.exit_code == ExitCode.USAGE
    assert done.stderr.endswith("[upgrade.not-a-list]\n")
