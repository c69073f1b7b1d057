"""Every tier with every engine at every place: an API server takes all of it."""

from __future__ import annotations

import contextlib
import shutil
from functools import cache, partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from groundplan import repository
from groundplan.runners.apiserver import Binaries, running
from groundplan.runners.definitions import define
from groundplan.verify import verify
from tests import control_planes
from tests.rendering import CLUSTERS, ENGINES, PLACES, TIERS, put, rendered

if TYPE_CHECKING:
    from groundplan.repository import Repository

EACH = [*product(ENGINES, TIERS, [(place,) for place in PLACES])]
pytestmark = pytest.mark.cluster


@cache
def loaded(engine: str, tier: str, places: tuple[str, ...]) -> Repository:
    """A platform with a cluster at each of these places, from disk as a user has it."""
    with TemporaryDirectory() as folder:
        put(rendered(engine, tier, places), Path(folder))
        return repository.load(Path(folder))


@pytest.fixture(scope="module")
def begun(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What etcd keeps when the kinds in use are defined and an engine's namespace is there.

    It is what `verify` would do first on each server, from the same store; defining the kinds is
    most of its work.
    """
    data = tmp_path_factory.mktemp("begun") / "etcd"
    everything = [loaded(*each) for each in EACH]
    kinds = {
        (resource.id.group, resource.id.kind)
        for one in everything
        for unit in one.clusters[0].units
        for resource in unit.resources
    }
    found = [everything[0].schemas.crd_for(*kind) for kind in sorted(kinds) if "." in kind[0]]
    with running(binaries, data=data) as server:
        control_planes.with_engines(server.client)
        define(server.client, [one for one in found if isinstance(one, dict)])
    return data


@pytest.mark.parametrize(
    ("tier", "places"), [*product(TIERS, [(place,) for place in PLACES]), ("enterprise", PLACES)]
)
def test_an_api_server_takes_it_whole_from_either_engine(
    tier: str, places: tuple[str, ...], binaries: Binaries, begun: Path, tmp_path: Path
) -> None:
    """One after the other on one server: both put the same objects there but for their own.

    Which engine finds nothing on it but definitions changes from place to place.
    """
    first = (TIERS.index(tier) + PLACES.index(places[0])) % 2
    with running(binaries, data=shutil.copytree(begun, tmp_path / "etcd")) as server:
        for engine in (ENGINES[first], ENGINES[1 - first]):
            own = partial(contextlib.nullcontext, server)
            done = verify(loaded(engine, tier, places), own, only=CLUSTERS[places[0]]["name"])

            assert (engine, done.report.findings) == (engine, ())
            assert [timing.objects > 100 for timing in done.timings] == [True]
