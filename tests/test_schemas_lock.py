"""The lock file against the components of the blueprint."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from groundplan.schemas import lock
from tests.schema_sources import ROOT

COMPONENTS = sorted((ROOT / "blueprints" / "components").glob("*.yaml"))
BLOCK = re.compile(r"^(?:crds|chart):\n(?:  .*\n)+", re.MULTILINE)


def data_of(name: str) -> dict[str, Any]:
    """The CRD and chart data of a component, which hold no template tags."""
    text = (ROOT / "blueprints" / "components" / f"{name}.yaml").read_text("utf-8")
    return {
        key: value for block in BLOCK.findall(text) for key, value in yaml.safe_load(block).items()
    }


@pytest.mark.parametrize("name", [path.stem for path in COMPONENTS])
def test_crds_are_locked_as_the_component_has_them(name: str) -> None:
    crds = data_of(name).get("crds")
    if crds is None:
        return
    locked = lock.load().components[crds["component"]]
    module = locked.module and {
        "path": locked.module.module.path,
        "version": locked.module.module.version,
        "files": locked.module.files,
    }
    assert module == crds.get("module")
    assert locked.url == crds.get("url", "")
    assert locked.version in (crds.get("module") or crds)["version" if module else "url"]


@pytest.mark.parametrize("name", [path.stem for path in COMPONENTS])
def test_chart_defaults_are_locked_in_the_version_that_is_installed(name: str) -> None:
    chart = data_of(name).get("chart")
    charts = {one.name: one for one in lock.load().charts}
    if chart is None or chart["name"] not in charts:
        return
    locked = charts[chart["name"]]
    assert (locked.version, locked.repository) == (chart["version"], chart["repository"])


def test_every_entry_has_a_hash_and_a_licence() -> None:
    loaded = lock.load()
    entries = [*loaded.components.values(), *loaded.charts]
    assert [one.name for one in entries if len(one.sha256) != 64 or not one.license] == []
    assert {one.name for one in entries if not one.may_be_bundled} == {"flux-operator"}
