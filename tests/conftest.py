"""What tests of several areas stand on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import control_planes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundplan.runners.apiserver import Binaries
    from tests.control_planes import Planes

# What guards main judges the commit and not the draw; `nox -s laws` looks for new examples.
settings.register_profile("gate", derandomize=True)
settings.load_profile("gate")

_WAITING = ("kind", "cluster", "slow")
"""Marks of tests that wait for others, longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that wait longest, so that the rest fills their pauses.

    The many short ones of `posture` come last: nobody is left alone with a long one.
    """
    ranks: dict[Path, int] = {}
    for item in items:
        found = [rank for rank, mark in enumerate(_WAITING) if item.get_closest_marker(mark)]
        ranks[item.path] = min([*found, ranks.get(item.path, len(_WAITING))])
    items.sort(key=lambda item: item.path, reverse=True)
    items.sort(key=lambda item: ranks[item.path])


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return control_planes.binaries()


@pytest.fixture(scope="module")
def one_plane() -> Iterator[Planes]:
    """What `verify` starts, once for a file, as half of what such a test takes is the start.

    A platform is put over the one before, as an update does.
    """
    with control_planes.scheduled() as server:
        control_planes.with_engines(server.client)
        yield partial(control_planes.emptied, server)
