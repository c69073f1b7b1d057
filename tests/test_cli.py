"""The command line as a whole: quick, lazy, and with one way of failing."""

from __future__ import annotations

import errno
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import groundplan
from groundplan import cli
from groundplan.errors import AnswersError, ExitCode, ToolError, UsageError

HEAVY = ("copier", "yaml", "jinja2", "rich", "questionary", "pydantic", "jsonschema_rs")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command that raises what is put into the list."""
    errors: list[BaseException] = []

    @click.command("fail")
    def fail() -> None:
        raise errors[0]

    monkeypatch.setattr(cli.CommandLine, "get_command", lambda *_: fail)
    return errors


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.main, words, prog_name="groundplan")
    return result.exit_code, result.stdout, result.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys\n"
        "from groundplan.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert loaded.isdisjoint(HEAVY)
    assert "groundplan" in loaded


@pytest.mark.parametrize("name", ["new", "explain"])
def test_help_lists_and_explains_every_command(name: str) -> None:
    assert name in run("--help")[1]

    code, out, _ = run(name, "--help")

    assert code == 0
    assert out.startswith(f"Usage: groundplan {name}")


def test_modules_without_a_command_are_no_commands() -> None:
    code, _, err = run("wizard")

    assert code == ExitCode.USAGE
    assert "No such command 'wizard'" in err
    assert "wizard" not in run("--help")[1]


def test_version() -> None:
    assert run("--version") == (0, f"groundplan {groundplan.__version__}\n", "")


def test_the_module_runs_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "groundplan", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.endswith(f"{groundplan.__version__}\n")


def test_an_error_is_one_line_on_stderr(failing: list[BaseException]) -> None:
    failing.append(ToolError("tool.missing", "git was not found", fix="install git"))

    assert run("fail") == (ExitCode.TOOL, "", "git was not found; install git [tool.missing]\n")


def test_answers_are_one_line_each(failing: list[BaseException]) -> None:
    faults = tuple(UsageError(f"answers.{n}", n, where="a", fix="f") for n in ("one", "two"))
    failing.append(AnswersError(faults))

    code, _, err = run("fail")

    assert code == ExitCode.USAGE
    assert err.splitlines() == ["a: one; f [answers.one]", "a: two; f [answers.two]"]


def test_debug_shows_where_an_error_came_from(failing: list[BaseException]) -> None:
    failing.append(ToolError("tool.missing", "git was not found", fix="install git"))

    code, _, err = run("--debug", "fail")

    assert code == ExitCode.TOOL
    assert err.startswith("Traceback")
    assert err.endswith("git was not found; install git [tool.missing]\n")


def test_an_unexpected_error_asks_for_a_report(failing: list[BaseException]) -> None:
    failing.append(KeyError("spec"))

    code, out, err = run("fail")

    assert (code, out) == (ExitCode.INTERNAL, "")
    assert cli.ISSUES in err.splitlines()[0]
    assert groundplan.__version__ in err
    assert "KeyError: 'spec'" in err
    assert err.endswith("[internal]\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_has_its_own_code(
    error: BaseException, failing: list[BaseException]
) -> None:
    failing.append(error)

    code, _, err = run("fail")

    assert code == ExitCode.INTERRUPTED
    assert err.strip() == "interrupted"


def test_a_full_disk_is_one_line(failing: list[BaseException]) -> None:
    failing.append(OSError(errno.ENOSPC, "No space left on device", "/data/platform"))

    code, _, err = run("fail")

    assert code == ExitCode.USAGE
    assert err.startswith("/data/platform: no space left on device; ")
    assert err.endswith("[io.no-space]\n")


def test_an_unknown_option_is_a_usage_error() -> None:
    code, _, err = run("new", "--nonsense")

    assert code == ExitCode.USAGE
    assert "--nonsense" in err
