"""What tests of several areas stand on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from groundplan import toolchain
from groundplan.errors import ToolError
from groundplan.runners.apiserver import Binaries

if TYPE_CHECKING:
    from pathlib import Path

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
    offline = not os.environ.get("GROUNDPLAN_BUILD")
    try:
        etcd = toolchain.ensure("etcd", offline=offline)
        kube_apiserver = toolchain.ensure("kube-apiserver", offline=offline)
    except ToolError as error:
        pytest.skip(f"no control plane here: {error}; set GROUNDPLAN_BUILD=1 to get one")
    return Binaries(etcd.path, kube_apiserver.path)
