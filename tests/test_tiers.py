"""The larger tiers whole: nothing is wrong with them, and an API server takes every object."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from groundplan import checks, repository, toolchain
from groundplan.errors import ToolError
from groundplan.findings import Severity
from groundplan.runners.apiserver import Binaries, running
from groundplan.verify import verify
from tests.rendering import ENGINES, PLACES, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.repository import Repository

engines = pytest.mark.parametrize("engine", ENGINES)
larger = pytest.mark.parametrize("tier", ["growing", "enterprise"])


def loaded(engine: str, tier: str, folder: Path) -> Repository:
    """A platform with a cluster at each place, from disk as a user has it."""
    for path, content in rendered(engine, tier, PLACES).files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return repository.load(folder)


@larger
@engines
def test_nothing_is_wrong_with_a_larger_tier(engine: str, tier: str, tmp_path: Path) -> None:
    report = checks.run(loaded(engine, tier, tmp_path))

    assert report.at_least(Severity.LOW) == ()


@pytest.mark.cluster
@larger
@engines
def test_an_api_server_takes_a_larger_tier_whole(engine: str, tier: str, tmp_path: Path) -> None:
    offline = not os.environ.get("GROUNDPLAN_BUILD")
    try:
        etcd = toolchain.ensure("etcd", offline=offline)
        kube_apiserver = toolchain.ensure("kube-apiserver", offline=offline)
    except ToolError as error:
        pytest.skip(f"no control plane here: {error}; set GROUNDPLAN_BUILD=1 to get one")

    done = verify(
        loaded(engine, tier, tmp_path),
        partial(running, Binaries(etcd.path, kube_apiserver.path)),
    )

    assert done.report.findings == ()
    assert len(done.timings) == len(PLACES)
