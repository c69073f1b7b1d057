"""Every tier with every engine at every place: an API server takes all of it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from groundplan import repository
from groundplan.verify import verify
from tests import control_planes
from tests.rendering import CLUSTERS, ENGINES, PLACES, TIERS, put, rendered

if TYPE_CHECKING:
    from pathlib import Path

EACH = [*product(TIERS, [(place,) for place in PLACES]), ("enterprise", PLACES)]


@pytest.mark.cluster
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("tier", "places"), EACH)
def test_an_api_server_takes_it_whole(
    engine: str, tier: str, places: tuple[str, ...], tmp_path: Path
) -> None:
    put(rendered(engine, tier, places), tmp_path)

    only = CLUSTERS[places[0]]["name"]
    done = verify(repository.load(tmp_path), control_planes.empty, only=only)
    assert done.report.findings == ()
    assert [timing.objects > 100 for timing in done.timings] == [True]
