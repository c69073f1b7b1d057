"""What a registry of one's own must have: listed whole, or said to be incomplete."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundplan.catalogue import Pulled
from groundplan.cli import main
from groundplan.errors import ExitCode
from groundplan.needed import Needed, needs
from groundplan.repository import Repository
from groundplan.schemas import ChartStore, Missing, Provenance, SchemaStore
from groundplan.schemas.chart_files import ChartFiles
from groundplan.schemas.charts import StoredChart, documents
from groundplan.tree import Tree
from tests.gitops_trees import flux

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: shop}
spec:
  chart:
    spec:
      chart: web
      version: 1.2.3
      sourceRef: {kind: HelmRepository, name: charts}
  values: {%s}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: shop}
spec: {url: https://charts.example.com}
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      initContainers: [{name: init, image: "registry.example.com:5000/init@sha256:%s"}]
      containers: [{name: web, image: registry.example.com:5000/web:1.0.0}, {name: x, image: x}]
"""


class Pack:
    """A compiled file that exists in memory only."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        chart_files = ChartFiles("web", "1.2.3", values, None, {}, ())
        chart = StoredChart(chart_files, "1.2.3", Provenance("web", "1.2.3", "", "", ""))
        self._documents = documents([chart])

    @property
    def index(self) -> Any:
        return self.read("index.json")

    def read(self, name: str) -> Any:
        return json.loads(json.dumps(self._documents[name]))


def files(content: str) -> dict[str, str]:
    return {"clusters/one/apps.yaml": flux("apps", "./apps"), "apps/web.yaml": content}


def write(root: Path, content: str) -> None:
    for path, text in files(content).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def repository(content: str, values: Mapping[str, Any] | None = None) -> Repository:
    packs = () if values is None else (Pack(values),)
    schemas = SchemaStore.open("1.37", core=Missing("none in this test"), crds=[])
    return Repository.of(Tree.of(files(content)), schemas=schemas, charts=ChartStore(packs))


def named(found: tuple[Needed, ...], kind: str) -> set[tuple[str, str]]:
    return {(each.source, each.version) for each in found if each.kind == kind}


def test_images_of_pods_are_listed_with_tag_or_digest() -> None:
    digest = "a" * 64
    found = needs(repository(DEPLOYMENT % digest))

    assert named(found.found, "image") == {
        ("registry.example.com:5000/init", f"sha256:{digest}"),
        ("registry.example.com:5000/web", "1.0.0"),
        ("x", "latest"),
    }
    assert found.unknown == ()


def test_images_of_a_chart_come_from_its_values_under_ours() -> None:
    values = {
        "image": {"registry": "quay.io", "repository": "acme/web", "tag": "v1"},
        "sidecar": {"image": "quay.io/acme/sidecar:v2"},
        "off": {"enabled": False, "image": {"repository": "acme/off", "tag": "v3"}},
    }
    found = needs(repository(RELEASE % "image: {tag: v9}", values))

    assert named(found.found, "chart") == {("https://charts.example.com/web", "1.2.3")}
    assert named(found.found, "image") == {
        ("quay.io/acme/web", "v9"),
        ("quay.io/acme/sidecar", "v2"),
    }
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (None, "not stored"),
        ({"replicas": 1}, "name no image"),
        ({"image": {"repository": "acme/web", "tag": ""}}, "templates complete it (/image)"),
        ({"image": {"repository": "", "name": "web", "tag": "v1"}}, "templates complete it"),
    ],
)
def test_what_the_files_do_not_name_is_said(values: dict[str, Any] | None, reason: str) -> None:
    found = needs(repository(RELEASE % "", values))

    assert named(found.found, "image") == set()
    [unknown] = found.unknown
    assert reason in unknown.reason
    assert "web" in unknown.subject


def test_what_is_noted_of_a_chart_counts_and_our_values_count_more() -> None:
    values = {"image": {"repository": "acme/web", "tag": ""}, "unused": {"image": "acme/old:1"}}
    noted = Pulled("web", "1.2.3", "https://charts.example.com", ("acme/web:v1", "acme/job"))

    for given, tag in (("", "v1"), ("image: {tag: v9}", "v9")):
        found = needs(repository(RELEASE % given, values), [noted])
        assert named(found.found, "image") == {("acme/web", tag)}
        assert [unknown.subject for unknown in found.unknown] == [
            "image acme/job of chart web 1.2.3"
        ]
    found = needs(repository(RELEASE % "extra: [{image: acme/side:2}]", None), [noted])
    assert named(found.found, "image") == {("acme/web", "v1"), ("acme/side", "2")}


def test_what_is_noted_of_another_version_does_not_count() -> None:
    noted = Pulled("web", "1.2.4", "https://charts.example.com", ("acme/web:v1",))
    found = needs(repository(RELEASE % "", None), [noted])

    assert named(found.found, "image") == set()
    assert "not stored" in found.unknown[0].reason


def test_images_of_the_own_registry_stay_where_they_are() -> None:
    content = DEPLOYMENT % ("a" * 64)
    mirrored = replace(
        repository(content), answers={"registry_mirror": "registry.example.com:5000"}
    )
    targets = {each.source: each.target for each in needs(mirrored).found}

    assert targets == {
        "registry.example.com:5000/init": "registry.example.com:5000/init",
        "registry.example.com:5000/web": "registry.example.com:5000/web",
        "x": "registry.example.com:5000/docker.io/library/x",
    }


def test_the_command_says_by_its_exit_code_that_the_list_is_incomplete(tmp_path: Path) -> None:
    for content, code in ((RELEASE % "", ExitCode.NOT_EVALUATED), (DEPLOYMENT % "b", 0)):
        write(tmp_path, content)
        listed = CliRunner().invoke(main, ["mirror", "list", str(tmp_path), "--format", "json"])

        assert listed.exit_code == code, listed.output
        said = json.loads(listed.stdout)
        assert said["complete"] is (code == 0)
        unknown = [each["subject"] for each in said["unknown"]]
        assert unknown == (["chart web 1.2.3"] if code else [])
        assert said["found"]


def test_the_text_has_a_line_for_each_thing(tmp_path: Path) -> None:
    write(tmp_path, RELEASE % "")
    listed = CliRunner().invoke(main, ["mirror", "list", str(tmp_path)])

    assert "chart     https://charts.example.com/web:1.2.3" in listed.stdout
    assert "Incomplete: 1 not known" in listed.stdout
