"""What tests of several areas stand on."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from groundplan import toolchain
from groundplan.errors import ToolError
from groundplan.runners.apiserver import Binaries

# What guards main judges the commit and not the draw; `nox -s laws` looks for new examples.
settings.register_profile("gate", derandomize=True)
settings.load_profile("gate")


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    offline = not os.environ.get("GROUNDPLAN_BUILD")
    try:
        etcd = toolchain.ensure("etcd", offline=offline)
        kube_apiserver = toolchain.ensure("kube-apiserver", offline=offline)
    except ToolError as error:
        pytest.skip(f"no control plane here: {error}; set GROUNDPLAN_BUILD=1 to get one")
    return Binaries(etcd.path, kube_apiserver.path)
