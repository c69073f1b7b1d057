"""What the project says about itself, held to what it is."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path

import pytest

from groundplan.errors import ExitCode

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "generator" / "groundplan"
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if "examples" not in path.parts
)

ONLY_IMPORTED_BY = {
    "subprocess": ("process.py",),
    "copier": ("copier_adapter/",),
    "click": ("cli/",),
    "questionary": ("cli/",),
    "rich": ("cli/",),
}
"""The impure ends, and the modules that stand there."""


def imports(module: str) -> set[str]:
    """The top-level names that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / module).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_the_readme_lists_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| ", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [int(code) for code in rows] == [code.value for code in ExitCode]


@pytest.mark.parametrize("module", MODULES)
def test_only_the_named_ends_are_impure(module: str) -> None:
    wrong = [
        name
        for name in imports(module) & ONLY_IMPORTED_BY.keys()
        if not module.startswith(ONLY_IMPORTED_BY[name])
    ]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_too_long_to_read_at_once(module: str) -> None:
    assert len((PACKAGE / module).read_text("utf-8").splitlines()) <= 400


def test_the_core_does_not_know_the_command_line() -> None:
    users = [
        module
        for module in MODULES
        if not module.startswith(("cli/", "__main__"))
        and "groundplan.cli" in (PACKAGE / module).read_text("utf-8")
    ]
    assert users == []


def test_the_two_set_up_commands_are_what_ci_and_the_readme_say() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.findall(r"^python3 dev\.py (\w+)", readme, re.MULTILINE) == ["demo", "test"]
    assert (ROOT / ".ci" / "run").read_text("utf-8").endswith(" dev.py test\n")


def test_ci_runs_every_session_that_guards_main() -> None:
    run = runpy.run_path(str(ROOT / "dev.py"))["SESSIONS"]["test"]
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    [listed] = re.findall(r"^nox\.options\.sessions = (.+)$", noxfile, re.MULTILINE)
    assert sorted(name for group in run for name in group) == sorted(json.loads(listed))


def test_the_readme_leads_to_every_guide() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    guides = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/how-to").glob("*.md")]
    assert [guide for guide in guides if f"]({guide})" not in readme] == []
