"""`groundplan check` from outside: what it prints, writes and returns, also for bad input."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

import groundplan
from groundplan import checks, repository
from groundplan.cli import main
from groundplan.errors import ExitCode
from groundplan.toolchain import Absent

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: default\n"
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer}}}
---
apiVersion: example.com/v1
kind: Widget
metadata:
  name: one
spec:
  size: 3
"""
"""An object that can be validated on a machine that has no schemas at all."""


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDPLAN_UPSTREAM", raising=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "platform"
    folder.mkdir()
    (folder / "widget.yaml").write_text(DEFINITION)
    return folder


def check(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["check", "--no-kubeconform", *map(str, words)])


def said(*words: str | Path) -> tuple[int, str]:
    """The exit code, and where which check found something."""
    done = check(*words, "--format", "json")
    assert done.stderr == ""
    found = [f"{f['path']}:{f['line']} {f['check']}" for f in json.loads(done.stdout)["findings"]]
    return done.exit_code, " ".join(found)


def test_a_folder_that_is_no_git_repository_is_fine(place: Path) -> None:
    done = check(place)
    assert (done.exit_code, done.stderr) == (ExitCode.CLEAN, "")
    assert not done.stdout.startswith("0 objects validated")
    assert "; no findings\n" in done.stdout


def test_a_finding_is_exit_code_1(place: Path) -> None:
    (place / "again.yaml").write_text("a: 1\na: 2\n")
    done = check(place)
    assert done.exit_code == ExitCode.FINDINGS
    assert done.stdout.startswith("again.yaml\n      2  high    YAML001  key `a` is on line 1")


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ("info", ExitCode.FINDINGS),
        ("low", ExitCode.FINDINGS),
        ("medium", ExitCode.CLEAN),
        ("high", ExitCode.CLEAN),
    ],
)
def test_fail_on_decides_from_which_severity(place: Path, fail_on: str, code: ExitCode) -> None:
    (place / "release.yaml").write_text(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
        "metadata: {name: charts, namespace: default}\n"
        "spec: {type: oci, url: 'oci://registry.example.com/charts', interval: 1h}\n"
    )
    assert check(place, "--fail-on", fail_on).exit_code == code


def test_nothing_to_evaluate_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Nothing here yet.\n")
    done = check(tmp_path)
    assert done.exit_code == ExitCode.NOT_EVALUATED
    assert "0 objects validated / 0 not evaluated" in done.stdout


def test_no_object_could_be_validated_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "thing.yaml").write_text(
        "apiVersion: unknown.example.com/v1\nkind: Thing\nmetadata:\n  name: a\n"
    )
    done = check(tmp_path)
    assert done.exit_code == ExitCode.NOT_EVALUATED
    assert "0 objects validated / 1 not evaluated" in done.stdout
    assert "unknown.example.com/v1 Thing: " in done.stdout


def test_only_one_check(place: Path) -> None:
    (place / "again.yaml").write_text("a: 1\na: 2\n")
    done = check(place, "--only", "YAML002")
    assert (done.exit_code, done.stdout) == (ExitCode.CLEAN, "1 check ran; no findings\n")


REFUSED = {
    "check.no-such-path": ["nowhere"],
    "check.unknown-id": [".", "--only", "GIT999"],
    "check.kubernetes": [".", "--kubernetes", "1.7"],
    "check.output-folder": [".", "--output", "nowhere/report.txt"],
    "io.no-space": [".", "--output", "/dev/full"],
}


@pytest.mark.parametrize("id", REFUSED)
def test_refusals_are_one_line(id: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    done = check(*REFUSED[id])
    assert done.exit_code == ExitCode.USAGE
    assert done.stdout == ""
    assert done.stderr.endswith(f" [{id}]\n")
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in place.iterdir()) == ["widget.yaml"]


def test_a_file_is_no_repository(place: Path) -> None:
    done = check(place / "widget.yaml")
    assert done.exit_code == ExitCode.USAGE
    assert done.stderr.endswith("[check.no-such-path]\n")


def test_a_full_disk_behind_standard_output(place: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "groundplan", "check", "--no-kubeconform", str(place)],
            env={**os.environ, "PYTHONPATH": str(Path(groundplan.__file__).parents[1])},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.endswith(" [io.no-space]\n")
    assert done.stderr.count("\n") == 1


def test_output_is_replaced_whole(place: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("old " * 10_000)
    done = check(place, "--format", "json", "--output", report)
    assert (done.exit_code, done.stdout, done.stderr) == (ExitCode.CLEAN, "", "")
    assert json.loads(report.read_text())["schema"] == "groundplan.dev/report/v1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["platform", "report.json"]


def test_output_that_cannot_be_written_leaves_the_old_one(place: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.mkdir()
    done = check(place, "--output", report)
    assert done.exit_code == ExitCode.USAGE
    assert "is a directory" in done.stderr
    assert list(report.iterdir()) == []


def test_unreadable_yaml_is_told_with_its_line(place: Path) -> None:
    (place / "a.yaml").write_text('a: 1\nb: "c\n')
    assert said(place) == (ExitCode.FINDINGS, "a.yaml:3 YAML002")


def test_binary_file(place: Path) -> None:
    (place / "a.yaml").write_bytes(b"a: 1\nb: \0\xff\n")
    assert said(place) == (ExitCode.FINDINGS, "a.yaml:2 YAML003")


def test_file_of_50_megabytes(place: Path) -> None:
    (place / "a.yaml").touch()
    os.truncate(place / "a.yaml", 50 * 1024 * 1024)
    assert said(place) == (ExitCode.FINDINGS, "a.yaml:0 TREE003")


def test_links_that_lead_in_a_circle(place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    assert said(place) == (ExitCode.FINDINGS, "a:0 TREE002 b:0 TREE002")


def test_link_out_of_the_tree_is_not_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("a: 1\na: 2\n")
    (place / "a.yaml").symlink_to("../secret.yaml")
    assert said(place) == (ExitCode.FINDINGS, "a.yaml:0 TREE001")


def test_helm_template_among_manifests(place: Path) -> None:
    (place / "a.yaml").write_text(GOOD.replace("name: web", "name: {{ .Release.Name }}"))
    assert said(place) == (ExitCode.FINDINGS, "a.yaml:4 YAML004")


SYNC = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: "ssh://git@git.example.com/platform"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1h
  timeout: 5m
  path: ./clusters/a
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def cluster(place: Path, kustomization: str) -> None:
    folder = place / "clusters" / "a"
    folder.mkdir(parents=True)
    (folder / "gotk-sync.yaml").write_text(SYNC)
    (folder / "kustomization.yaml").write_text("resources: [gotk-sync.yaml]\n" + kustomization)


def test_plugin_is_not_run(place: Path) -> None:
    cluster(place, "generators: [run.yaml]\n")
    (place / "clusters/a/run.yaml").write_text(
        "apiVersion: example.com/v1\nkind: Run\nmetadata:\n  name: run\n  annotations:\n"
        "    config.kubernetes.io/function: |\n      exec:\n        path: ./run.sh\n"
    )
    script = place / "clusters/a/run.sh"
    script.write_text(f"#!/bin/sh\ntouch {place}/it-was-run\n")
    script.chmod(0o755)
    assert said(place) == (ExitCode.FINDINGS, "clusters/a/kustomization.yaml:2 KUS003")
    assert not (place / "it-was-run").exists()


def test_remote_base_is_not_fetched(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(place, "components: [https://git.example.com/base]\n")

    def refuse(*_: object) -> None:
        raise AssertionError("something was looked for on the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert said(place) == (ExitCode.FINDINGS, "clusters/a/kustomization.yaml:2 KUS002")


def test_kustomization_outside_the_tree_is_not_read(place: Path) -> None:
    cluster(place, "components: [../../../elsewhere]\n")
    (place.parent / "elsewhere").mkdir()
    (place.parent / "elsewhere/kustomization.yaml").write_text("a: 1\na: 2\n")
    assert said(place) == (ExitCode.FINDINGS, "clusters/a/kustomization.yaml:2 KUS004")


def test_kubeconform_that_cannot_be_had_is_told(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "groundplan.second_opinion.find", lambda _: Absent("kubeconform", "not here", "install it")
    )
    done = CliRunner().invoke(main, ["check", str(place)])
    assert done.exit_code == ExitCode.CLEAN
    assert "  KCF001  kubeconform: not here; install it\n" in done.stdout


def test_garbage_is_not_collected_while_a_repository_is_checked(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collecting = []
    for module, name in ((repository, "load"), (checks, "run")):
        whole = getattr(module, name)

        def noted(
            *words: object, whole: Callable[..., object] = whole, **options: object
        ) -> object:
            collecting.append(gc.isenabled())
            return whole(*words, **options)

        monkeypatch.setattr(module, name, noted)
    assert check(place).exit_code == ExitCode.CLEAN
    assert collecting == [False, False]
    assert gc.isenabled()
