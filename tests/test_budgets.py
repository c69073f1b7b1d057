"""`groundplan report --models`: what each model needs, and where the numbers are from."""

from __future__ import annotations

import json
from math import ceil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from groundplan import checks, cli, copier_adapter, documents, repository
from groundplan.errors import ExitCode
from groundplan.findings import Severity
from groundplan.template import Template
from tests.rendering import EVERYTHING, ROOT
from tests.test_inference import kept

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = [
    ROOT / "examples" / name / "repository" for name in ("inference-small", "inference-enterprise")
]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["report", "--models", *words], prog_name="groundplan")


@pytest.mark.parametrize("repository", EXAMPLES, ids=["small", "enterprise"])
def test_the_report_says_what_the_repositorys_catalogue_says(repository: Path) -> None:
    catalogue = documents.load((repository / "models/catalog.yaml").read_bytes(), "catalog.yaml")

    done = run(str(repository), "--format", "json")

    assert done.exit_code == ExitCode.CLEAN, done.output
    models = json.loads(done.stdout)["models"]
    assert [one["name"] for one in models] == [one["name"] for one in catalogue["models"]]
    for reported, listed in zip(models, catalogue["models"], strict=True):
        parts = {part["part"]: part["seconds"] for part in reported["start"]}
        total = {"total": reported["seconds"]}
        objective = {"objective": reported["objective"]} if reported["objective"] else {}
        assert parts | total | objective == listed["cold_start"]
        assert reported["style"] == listed["cache"]["style"]
        assert round(reported["memory"]["weights"], 1) == float(listed["memory"]["weights"])
        assert reported["memory"]["left"] >= 0


def test_every_number_has_a_source_or_is_called_assumed() -> None:
    [_, enterprise] = EXAMPLES
    models = json.loads(run(str(enterprise), "--format", "json").stdout)["models"]

    said = {(m["cluster"], p["part"]): p["source"] for m in models for p in m["start"]}
    assert said["dublin", "node"].startswith("https://")
    assert said["hall", "node"] == "assumed"
    assert {source for (_, part), source in said.items() if part == "image"} != {"assumed"}


def test_people_read_the_rule_the_memory_and_the_seconds() -> None:
    [small, _] = EXAMPLES

    text, table = run(str(small)).stdout, run(str(small), "--format", "markdown").stdout

    assert "weights  volume: one server has the volume for itself, and the model is small" in text
    assert "memory   20.1 of 20.2 GiB on each: weights 15.3" in text
    assert "node       150 s  https://" in text
    assert table.count("\n") == 3
    assert "weights 15.3" in table


def test_what_kserve_keeps_goes_with_kyverno_and_a_scan_and_its_start_is_said(
    tmp_path: Path,
) -> None:
    """A new node fetches at 250 MiB/s what its disk then reads at 2000."""
    more = {"policy_engine": "kyverno", "posture_scan": EVERYTHING["posture_scan"]}
    rendered = tmp_path / "rendered"
    copier_adapter.render(Template(ROOT, "v0.0.0"), kept() | more, rendered)

    found = checks.run(repository.load(rendered)).at_least(Severity.LOW)
    assert [str(finding) for finding in found] == []
    text = run(str(rendered)).stdout
    assert "weights  kserve: the answers say so" in text
    assert f"weights  {ceil(16 * 1024 / 250 + 16 * 1024 / 2000):>5} s  assumed" in text


def test_a_folder_that_nobody_rendered_has_no_models_to_report(tmp_path: Path) -> None:
    done = run(str(tmp_path))

    assert done.exit_code == ExitCode.USAGE
    assert "[report.not-rendered]" in done.stderr
