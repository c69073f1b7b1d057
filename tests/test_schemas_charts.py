"""The values of releases against the defaults of their charts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan.schemas import (
    ChartDefaults,
    ChartStore,
    Missing,
    Provenance,
    ValuesVerdict,
    chart_files,
    charts,
    default_charts,
    packs,
    unknown_values,
)
from tests.schema_sources import CORPUS, mirror

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["mirror"]

VALUES_CORPUS = CORPUS.parent / "values"

VALUES = """\
# Keys that are only there as comments are keys too.
# nameOverride: ""
replicas: 1
image:
  # Both parts of a name, or a whole one.
  # registry: example.com
  # Like those of Docker Hub.
  repository: example.com/a
  tag: ""
  # digest: sha256:...
resources:
  limits: {cpu: 1}
podLabels: {}
extraArgs: []
settings:
  timeout: 5s
  ## mode: fast
params:
  server.insecure: false
routes:
  main: {enabled: false}
files:
  app.ini:
    server: {port: 1}
nothing:
storage:
  trace: {backend: local}
configFile: |
  storage:
    {{- toYaml .Values.storage | nindent 4 }}
"""


def write_chart(
    folder: Path,
    values: str = VALUES,
    *,
    name: str = "it",
    version: str = "1.2.3",
    schema: Any = None,
    **about: Any,
) -> Path:
    """Write a chart's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "values.yaml").write_text(values)
    (folder / "Chart.yaml").write_text(yaml.safe_dump({"name": name, "version": version, **about}))
    if schema is not None:
        (folder / "values.schema.json").write_text(json.dumps(schema))
    return folder


def stored(folder: Path) -> charts.StoredChart:
    files = chart_files.read(folder)
    assert files is not None
    about = Provenance(files.name, files.version, "a test", files.sha256, "MIT")
    return charts.StoredChart(files, files.version, about)


def store_of(tmp_path: Path, *folders: Path) -> ChartStore:
    path = tmp_path / "charts.zip"
    packs.write(path, charts.documents(stored(folder) for folder in folders))
    return ChartStore.open([path])


def verdict_on(tmp_path: Path, values: dict[str, Any], **chart: Any) -> ValuesVerdict:
    store = store_of(tmp_path, write_chart(tmp_path / "it", **chart))
    defaults = store.lookup("oci://example.com", "it", "1.2.3")
    assert isinstance(defaults, ChartDefaults)
    return unknown_values(values, defaults)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"replicas": 3},
        {"replicas": None, "image": None},
        {"nameOverride": "x"},
        {"image": {"digest": "sha256:1", "registry": "example.com"}},
        {"resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": 1}, "claims": []}},
        {"podLabels": {"any": "thing"}},
        {"extraArgs": [{"any": "thing"}]},
        {"settings": {"mode": "fast"}},
        {"params": {"server.rootpath": "/"}},
        {"nothing": {"at": "all"}},
        {"storage": {"trace": {"backend": "s3", "s3": {"bucket": "a"}}}},
        {"routes": {"other": {"enabled": True}}},
        {"files": {"app.ini": {"server": {"host": "a"}}, "more.ini": {}}},
        {"global": {"any": {"thing": 1}}},
    ],
)
def test_values_that_the_chart_may_read_pass(tmp_path: Path, values: dict[str, Any]) -> None:
    assert verdict_on(tmp_path, values) == ValuesVerdict((), ())


@pytest.mark.parametrize(
    ("values", "pointer", "message"),
    [
        (
            {"replica": 1},
            "/replica",
            'the chart has no value "replica"; did you mean "replicas"?',
        ),
        ({"zzz": {"a": 1}}, "/zzz", 'the chart has no value "zzz"'),
        (
            {"image": {"repo": "x", "tags": "y"}},
            "/image/tags",
            'the chart has no value "tags"; did you mean "tag"?',
        ),
        (
            {"routes": {"main": {"enable": True}}},
            "/routes/main/enable",
            'the chart has no value "enable"; did you mean "enabled"?',
        ),
        ({"image": "example.com/a:1"}, "/image", "the chart has an object here"),
        (
            {"settings": {"timout": 1}},
            "/settings/timout",
            'the chart has no value "timout"; did you mean "timeout"?',
        ),
        (
            {"namOverride": 1},
            "/namOverride",
            'the chart has no value "namOverride"; did you mean "nameOverride"?',
        ),
    ],
)
def test_values_that_the_chart_never_reads_are_found(
    tmp_path: Path, values: dict[str, Any], pointer: str, message: str
) -> None:
    assert (pointer, message) in verdict_on(tmp_path, values).errors


SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$ref": "#/$defs/values",
    "$defs": {
        "values": {
            "type": "object",
            "required": ["replicas"],
            "properties": {
                "replicas": {"type": "integer", "maximum": 5},
                "hidden": {"type": "string"},
                "image": {"type": "object"},
            },
        }
    },
}


def test_the_schema_of_a_chart_is_applied_to_the_values_over_the_defaults(tmp_path: Path) -> None:
    assert verdict_on(tmp_path, {"hidden": "known", "image": {}}, schema=SCHEMA).errors == ()
    assert verdict_on(tmp_path, {"replicas": 9}, schema=SCHEMA).errors == (
        ("/replicas", "9 is too large: the limit is 5"),
    )
    assert verdict_on(tmp_path, {"replicas": None}, schema=SCHEMA).errors == (
        ("", '"replicas" is missing'),
    )


def test_values_that_are_not_there_are_told_from_those_that_are_refused(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, {"replicas": 9, "replica": 1}, schema=SCHEMA)
    assert [pointer for pointer, _ in verdict.errors] == ["/replica", "/replicas"]
    assert verdict.unknown == {"/replica"}


def test_what_is_wrong_with_the_defaults_themselves_is_not_told(tmp_path: Path) -> None:
    schema = {"properties": {"extraArgs": {"type": "string"}, "replicas": {"type": "integer"}}}
    assert verdict_on(tmp_path, {"replicas": "1"}, schema=schema).errors == (
        ("/replicas", 'expected integer, found string "1"'),
    )


@pytest.mark.parametrize(
    "schema", [{"$ref": "https://example.com/schema.json"}, {"type": "no such type"}]
)
def test_a_schema_that_cannot_be_used_is_told_and_never_fetched(
    tmp_path: Path, schema: dict[str, Any]
) -> None:
    verdict = verdict_on(tmp_path, {"replica": 1}, schema=schema)
    assert [pointer for pointer, _ in verdict.errors] == ["/replica"]
    ((pointer, reason),) = verdict.not_evaluated
    assert pointer == ""
    assert reason.startswith("the schema of it 1.2.3 cannot be used: ")


def parent(tmp_path: Path) -> Path:
    """A chart with two others, of which one has an alias."""
    values = "crds: {enabled: true}\nbelow:\n  size: 2\n  added: {}\nother:\n  known: 1\n"
    dependencies = [
        {"name": "child", "alias": "below", "version": "0.1.0"},
        {"name": "other", "version": "9.9.9"},
    ]
    return write_chart(tmp_path / "parent", values, name="parent", dependencies=dependencies)


def test_a_chart_below_is_judged_by_its_own_defaults(tmp_path: Path) -> None:
    child = write_chart(tmp_path / "child", "size: 1\n", name="child", version="0.1.0")
    defaults = store_of(tmp_path, parent(tmp_path), child).lookup("", "parent", "1.2.3")
    assert isinstance(defaults, ChartDefaults)
    values = {"below": {"enabled": True, "size": 3, "added": {"x": 1}, "sise": 1, "global": {}}}
    assert unknown_values(values, defaults) == ValuesVerdict(
        (("/below/sise", 'the chart has no value "sise"; did you mean "size"?'),),
        unknown=frozenset({"/below/sise"}),
    )


def test_a_chart_below_without_defaults_is_accepted_with_a_reason(tmp_path: Path) -> None:
    defaults = store_of(tmp_path, parent(tmp_path)).lookup("", "parent", "1.2.3")
    assert isinstance(defaults, ChartDefaults)
    values = {"other": {"enabled": True, "known": 3, "unknown": 1}, "below": {"x": {"y": 1}}}
    verdict = unknown_values(values, defaults)
    assert verdict.errors == ()
    assert [pointer for pointer, _ in verdict.not_evaluated] == ["/below/x", "/other/unknown"]
    assert verdict.not_evaluated[1][1] == (
        "the defaults of other 9.9.9 are not stored, nor those of another version"
    )


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
def test_a_version_is_the_same_with_and_without_v(tmp_path: Path, version: str) -> None:
    store = store_of(tmp_path, write_chart(tmp_path / "it"))
    assert isinstance(store.lookup("", "it", version), ChartDefaults)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.2.4", "the defaults of it 1.2.4 are not stored, only those of 1.2.3"),
        ("1.x", "it 1.x is not one exact version"),
        ("", "it without a version is not one exact version"),
    ],
)
def test_defaults_of_another_version_are_not_used(
    tmp_path: Path, version: str, reason: str
) -> None:
    store = store_of(tmp_path, write_chart(tmp_path / "it"))
    assert store.lookup("", "it", version) == Missing(reason)


REAL = {
    "argo-cd": "10.1.1",
    "cert-manager": "v1.21.2",
    "external-secrets": "2.9.0",
    "gateway-helm": "v1.9.1",
    "kube-prometheus-stack": "88.5.3",
    "metrics-server": "3.13.1",
}


def real(mirror: Path, chart: str) -> ChartDefaults:
    defaults = default_charts(mirror).lookup("", chart, REAL[chart])
    assert isinstance(defaults, ChartDefaults)
    return defaults


@pytest.mark.parametrize("chart", REAL)
def test_real_charts_accept_their_own_defaults(mirror: Path, chart: str) -> None:
    defaults = real(mirror, chart)
    assert unknown_values(defaults.values, defaults).errors == ()
    (wrong,) = unknown_values({"resorces": {}}, defaults).errors
    assert wrong[0] == "/resorces"


@pytest.mark.parametrize("chart", REAL)
def test_values_that_people_set_are_not_called_unknown(mirror: Path, chart: str) -> None:
    values = yaml.safe_load((VALUES_CORPUS / f"{chart}.yaml").read_text("utf-8"))
    assert unknown_values(values, real(mirror, chart)).errors == ()


@pytest.mark.parametrize(
    ("chart", "values", "pointer"),
    [
        (
            "kube-prometheus-stack",
            {"prometheus": {"prometheusSpec": {"retension": "1d"}}},
            "/prometheus/prometheusSpec/retension",
        ),
        (
            "kube-prometheus-stack",
            {"grafana": {"persistance": {"enabled": True}}},
            "/grafana/persistance",
        ),
        ("argo-cd", {"server": {"rbacConfig": {}}}, "/server/rbacConfig"),
        ("cert-manager", {"webhook": {"replicas": 2}}, "/webhook/replicas"),
        ("external-secrets", {"replicas": 2}, "/replicas"),
        ("gateway-helm", {"deployment": {"replicaCount": 2}}, "/deployment/replicaCount"),
        ("metrics-server", {"replicaCount": 2}, "/replicaCount"),
    ],
)
def test_values_that_real_charts_lack_are_found(
    mirror: Path, chart: str, values: dict[str, Any], pointer: str
) -> None:
    assert [found for found, _ in unknown_values(values, real(mirror, chart)).errors] == [pointer]
