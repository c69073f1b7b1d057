"""`groundplan report --ai-conformance`: what is found, and that nothing else is claimed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from groundplan import checks, cli
from groundplan.conformance import Verdict, checklist, evidence, judge
from groundplan.errors import ExitCode
from groundplan.repository import Repository
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from tests.gitops_trees import gotk_sync
from tests.rendering import ROOT, rendered

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ROOT / "examples/inference-small/repository"
LIST = {one.id: one for one in checklist().requirements}


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["report", *words], prog_name="groundplan")


def repository(document: str) -> Repository:
    """A Flux repository with an object."""
    sync = "clusters/a/flux-system/gotk-sync.yaml"
    tree = Tree.of({sync: gotk_sync("a"), "clusters/a/app.yaml": document})
    return Repository.of(tree, schemas=default_store("1.37"), charts=default_charts())


POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: devices}}
spec:
  validations:
    - expression: "{expression}"
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: agent, namespace: default}}
spec:
  runtimeClassName: {runtime}
  containers: [{{name: agent, image: registry.example/agent:1.0.0}}]
"""


@pytest.mark.parametrize(
    ("requirement", "document", "found"),
    [
        (
            "security.secure_accelerator_access",
            POLICY.format(expression="!c.name.startsWith('nvidia.com/')"),
            ["devices"],
        ),
        (
            "security.secure_accelerator_access",
            POLICY.format(expression="object.spec.hostNetwork != true"),
            [],
        ),
        ("security.workload_sandboxing", POD.format(runtime="gvisor"), ["agent"]),
        ("security.workload_sandboxing", POD.format(runtime="nvidia"), []),
    ],
)
def test_evidence_is_what_an_object_says_and_not_only_its_kind(
    requirement: str, document: str, found: list[str]
) -> None:
    names = [one.name for one in evidence(repository(document), LIST[requirement])]

    assert names == found


def test_a_platform_without_models_declares_little() -> None:
    tree = rendered("flux", "small", ("kind",))
    loaded = Repository.of(tree, schemas=default_store("1.37"), charts=default_charts())

    declared = {row.requirement.id for row in judge(loaded) if row.verdict != Verdict.ABSENT}
    assert declared == {
        "networking.ai_inference",
        "observability.ai_service_metrics",
        "security.secure_accelerator_access",
    }


def test_a_fault_in_what_is_declared_is_said(tmp_path: Path) -> None:
    sources = {path: (SMALL / path).read_bytes() for path in Tree.read(SMALL).files}
    monitoring = "models/qwen3-8b/monitoring.yaml"
    sources[monitoring] = sources[monitoring].replace(b"port: http", b"port: web")
    for path, content in sources.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)

    done = run("--ai-conformance", "--format", "json", str(tmp_path))
    rows = {row["id"]: row for row in json.loads(done.stdout)["requirements"]}
    [wrong] = rows["observability.ai_service_metrics"]["wrong"]
    assert "MET003 PodMonitor assistant/qwen3-8b reads the port web" in wrong
    assert rows["observability.ai_service_metrics"]["verdict"] == "at fault"
    assert done.exit_code == ExitCode.FINDINGS


def test_text_and_table_say_of_each_requirement_what_is_left_to_show() -> None:
    text = run("--ai-conformance", str(SMALL))
    table = run("--ai-conformance", "--format", "markdown", str(SMALL))

    assert text.exit_code == table.exit_code == ExitCode.CLEAN
    assert "MUST    scheduling_orchestration.gang_scheduling: absent" in text.stdout
    assert "MET010 1 passed" in text.stdout
    assert "(not run by this report)" in text.stdout
    for one in LIST.values():
        assert one.provider in text.stdout
        assert f"| `{one.id}`: {one.title} | {one.level.upper()} |" in table.stdout


def test_the_checklist_names_checks_and_commands_that_there_are() -> None:
    known = {check.id for check in checks.registry()}
    flags = {"--on", "--simulate-gpus"}
    verify = CliRunner().invoke(cli.main, ["verify", "--help"]).stdout

    assert len(LIST) == 15
    assert known >= set().union(*(one.checks for one in LIST.values()))
    assert {w.strip("`:") for o in LIST.values() for w in o.proof.split() if "--" in w} == flags
    assert all(flag in verify for flag in flags)


def test_without_a_subject_there_is_no_report() -> None:
    done = run(str(SMALL))
    assert done.exit_code == ExitCode.USAGE
    assert (
        "say one thing to report; add --ai-conformance or --models [report.nothing]" in done.stderr
    )
