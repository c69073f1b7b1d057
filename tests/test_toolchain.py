"""Where outside programs are looked for, and that what is got is what was asked for."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from groundplan import lifeline, process, toolchain
from groundplan.cli.doctor import command as doctor
from groundplan.errors import ToolError, UsageError
from groundplan.toolchain import Absent, Tool, gobuilds, recipes, releases

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "a" * 64
OTHER = "b" * 64


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path):
    """Nothing in PATH, in the cache or in the environment."""
    for name in os.environ:
        if name.startswith("GROUNDPLAN_") or name == "KUBEBUILDER_ASSETS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_says_what_is_absent_and_what_to_do():
    found = toolchain.find("docker")
    assert isinstance(found, Absent)
    assert found.fix.startswith("install Docker Engine")


def test_a_variable_wins_over_path(monkeypatch, tmp_path):
    program(tmp_path / "bin" / "etcd", "etcd Version: 3.6.0")
    mine = program(tmp_path / "mine", "etcd Version: 3.5.1")
    monkeypatch.setenv("GROUNDPLAN_ETCD", str(mine))
    assert toolchain.find("etcd") == Tool("etcd", mine, "3.5.1", "GROUNDPLAN_ETCD")


def test_a_variable_that_names_nothing_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("GROUNDPLAN_KUBE_APISERVER", str(tmp_path / "nothing"))
    with pytest.raises(ToolError) as caught:
        toolchain.find("kube-apiserver")
    assert caught.value.id == "toolchain.override"


def test_kubebuilder_assets_win_over_path(monkeypatch, tmp_path):
    program(tmp_path / "bin" / "kube-apiserver", "Kubernetes v1.37.2")
    mine = program(tmp_path / "assets" / "kube-apiserver", "Kubernetes v1.30.0")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    found = toolchain.find("kube-apiserver", "1.37")
    assert found == Tool("kube-apiserver", mine, "1.30.0", "KUBEBUILDER_ASSETS")


def test_the_cache_wins_over_another_minor_version_in_path(tmp_path):
    in_path = program(tmp_path / "bin" / "kube-apiserver", "Kubernetes v1.36.1")
    assert toolchain.find("kube-apiserver", "1.37").path == in_path
    version = recipes.kubernetes_release("1.37").version
    cached = toolchain.cache_folder() / "kube-apiserver" / version / "kube-apiserver"
    program(cached, f"Kubernetes v{version}")
    assert toolchain.find("kube-apiserver", "1.37").path == cached
    assert toolchain.find("kube-apiserver", "1.36").path == in_path


def test_a_program_that_does_not_run_is_not_found(tmp_path):
    broken = program(tmp_path / "bin" / "helm", "")
    broken.write_text("#!/bin/sh\nexit 1\n")
    assert isinstance(toolchain.find("helm"), Absent)


def test_an_unknown_kubernetes_is_refused():
    with pytest.raises(UsageError) as caught:
        toolchain.find("kube-apiserver", "1.2")
    assert caught.value.id == "toolchain.kubernetes"


def test_offline_gets_nothing(monkeypatch):
    monkeypatch.setattr(releases, "fetch", lambda *_: pytest.fail("it was downloaded"))
    with pytest.raises(ToolError) as caught:
        toolchain.ensure("kubeconform", offline=True)
    assert caught.value.id == "toolchain.missing"
    assert "nothing is downloaded when offline" in str(caught.value)


def refuse(*_: object) -> Path:
    raise ToolError("toolchain.download", "cannot be read", where="release")


def test_builds_once_when_two_ask_at_a_time(monkeypatch, tmp_path):
    built = []

    def install(go: Path, module: str, folder: Path) -> Path:
        time.sleep(0.2)
        built.append(module)
        return program(folder / "kubeconform", "v0.8.0")

    program(tmp_path / "bin" / "go", "go version go1.99.0 linux/amd64")
    monkeypatch.setattr(releases, "fetch", refuse)
    monkeypatch.setattr(gobuilds, "install", install)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(toolchain.ensure, ("kubeconform", "kubeconform"))
    assert one == two
    assert (one.version, one.source) == ("0.8.0", "cache")
    assert built == ["github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"]
    assert [p.name for p in one.path.parent.iterdir()] == ["kubeconform"]


def test_names_every_way_that_was_tried(monkeypatch, tmp_path):
    program(tmp_path / "bin" / "go", "go version go1.99.0 linux/amd64")
    monkeypatch.setattr(releases, "fetch", refuse)
    monkeypatch.setattr(gobuilds, "install", refuse)
    with pytest.raises(ToolError) as caught:
        toolchain.ensure("helm")
    assert str(caught.value).count("release: cannot be read") == 2
    assert not list((tmp_path / "cache").rglob("program"))


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (f"{DIGEST}  tool.tar.gz\n{OTHER}  other.tar.gz\n", DIGEST),
        (f"{DIGEST} *tool.tar.gz\n", DIGEST),
        (f"{DIGEST}\n", DIGEST),
        (f"{OTHER}  xtool.tar.gz\n", ""),
        (f"{DIGEST}  tool.tar.gz\n{OTHER}  tool.tar.gz\n", ""),
        ("not found\n", ""),
    ],
)
def test_finds_a_checksum_only_where_it_is_certain(published, expected):
    assert releases.expected_sha256(published, "tool.tar.gz") == expected


def test_refuses_a_download_that_is_not_what_was_published(monkeypatch, tmp_path):
    answers = {"https://x/sums": f"{DIGEST}  tool\n".encode(), "https://x/tool": b"evil"}
    monkeypatch.setattr(releases, "_open", lambda url: io.BytesIO(answers[url]))
    with pytest.raises(ToolError) as caught:
        releases.fetch("https://x/tool", "https://x/sums", "", tmp_path)
    assert caught.value.id == "toolchain.checksum"
    assert not (tmp_path / "program").exists()


def test_never_leaves_https(tmp_path):
    with pytest.raises(ToolError) as caught:
        releases.fetch("http://x/tool", "http://x/sums", "", tmp_path)
    assert caught.value.id == "toolchain.download"


def test_takes_one_file_out_of_an_archive_and_nothing_else(tmp_path):
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        for name, content in (("../escaped", b"no"), ("bin/tool", b"yes")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    (tmp_path / "in").mkdir()
    releases.extract(archive, "bin/tool", tmp_path / "in" / "program")
    assert (tmp_path / "in" / "program").read_bytes() == b"yes"
    assert not (tmp_path / "escaped").exists()


def test_refuses_a_link_in_place_of_a_program(tmp_path):
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        entry = tarfile.TarInfo("tool")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(entry)
    with pytest.raises(ToolError) as caught:
        releases.extract(archive, "tool", tmp_path / "program")
    assert caught.value.id == "toolchain.archive"


def test_replaces_what_kubernetes_replaces_by_folders_of_its_own():
    upstream = "go 1.26.0\n\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n"
    source = recipes.Module("k8s.io/kubernetes", "1.37.2", ("h1:a=", "h1:b="))
    assert gobuilds.go_mod(upstream, source) == (
        "module groundplan.invalid/build\n\ngo 1.26.0\n\n"
        "require k8s.io/kubernetes v1.37.2\n\nreplace k8s.io/api => k8s.io/api v0.37.2\n"
    )


def test_keeps_what_a_module_replaces_by_other_versions_and_leaves_folders_out():
    upstream = (
        "go 1.25.0\n\nreplace example.com/a => example.com/fork v1.2.3 // why\n\n"
        "replace (\n\t// why\n\texample.com/b => example.com/b v0.1.0\n"
        "\texample.com/c => ../c\n)\n"
    )
    source = recipes.Module("example.com/tool/v3", "3.2.1", ("h1:a=", "h1:b="))
    assert gobuilds.go_mod(upstream, source) == (
        "module groundplan.invalid/build\n\ngo 1.25.0\n\n"
        "require example.com/tool/v3 v3.2.1\n\nreplace example.com/a => example.com/fork v1.2.3\n"
        "replace example.com/b => example.com/b v0.1.0\n"
    )


def test_a_build_does_not_follow_the_users_flags(monkeypatch, tmp_path):
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOOS", "plan9")
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho "$GOFLAGS $GOOS $GOWORK" > "$GOBIN/tool"\n')
    go.chmod(0o755)
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    built = gobuilds.install(go, "example.com/tool@v1", tmp_path / "out")
    assert built.read_text() == f"-mod=mod -trimpath {recipes.host()[0]} off\n"


def test_every_recipe_can_be_filled_in():
    for name in (*recipes.names(), *recipes.node_names()):
        recipe = recipes.recipe(name)
        assert "{" not in recipe.release + recipe.checksums + recipe.member + recipe.module
        assert recipe.release == "" or recipe.checksums.startswith("https://")


def test_doctor_is_content_with_git_alone(tmp_path):
    program(tmp_path / "bin" / "git", "git version 2.50.1")
    result = CliRunner().invoke(doctor, ["--format", "json"], standalone_mode=False)
    assert result.return_value == 0
    tools = {tool["name"]: tool for tool in json.loads(result.output)["tools"]}
    assert tools["git"]["version"] == "2.50.1"
    assert tools["kube-apiserver"]["found"] is False
    assert "groundplan gets" in tools["kube-apiserver"]["fix"]


def test_doctor_misses_git():
    result = CliRunner().invoke(doctor, [], standalone_mode=False)
    assert result.return_value == 4
    assert "-> install git with the system's package manager" in result.output


def test_doctor_names_a_variable_that_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("GROUNDPLAN_HELM", str(tmp_path / "nothing"))
    result = CliRunner().invoke(doctor, [], standalone_mode=False)
    assert "GROUNDPLAN_HELM" in result.output


def test_a_server_is_gone_after_the_block(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    command = process.Command(("sleep", "600"))
    with process.serving(command, tmp_path / "log") as server:
        assert server.alive
    assert not server.alive


def test_a_folder_goes_whole_when_the_starter_dies(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for number in range(3_000):
        (scratch / str(number)).touch()
    argv = [sys.executable, "-I", "-S", lifeline.__file__, str(scratch), "/bin/sleep", "60"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as guard:
        guard.stdin.close()
        guard.wait(30)
    assert not scratch.exists()
