"""Small repositories, and the control planes that they are put on."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from groundplan import toolchain
from groundplan.errors import ToolError
from groundplan.repository import Repository
from groundplan.runners.apiserver import ApiServer, Binaries, running
from groundplan.runners.controllers import Programs, controlling
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNIT = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  path: ./{name}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
  dependsOn: [{needs}]
"""


def repository(**folders: str) -> Repository:
    """Give each folder a unit that needs the one before; its value is the YAML in it."""
    files = {}
    needs = ""
    for name, text in folders.items():
        files[f"clusters/one/{name}.yaml"] = UNIT.format(name=name, needs=needs)
        files[f"{name}/{name}.yaml"] = text
        needs = f"{{name: {name}}}"
    store = default_store("1.37")
    tree = Tree.of(files)
    return Repository.of(tree, schemas=store, charts=default_charts(), kubernetes="1.37")


def had(name: str) -> Path:
    """Where a program is, which is got when `GROUNDPLAN_BUILD` allows it; else skip the test."""
    try:
        return toolchain.ensure(name, offline=not os.environ.get("GROUNDPLAN_BUILD")).path
    except ToolError as error:
        pytest.skip(f"no control plane here: {error}; set GROUNDPLAN_BUILD=1 to get one")


def binaries() -> Binaries:
    """The programs of an API server."""
    return Binaries(had("etcd"), had("kube-apiserver"))


def programs() -> Programs:
    """The programs beside an API server."""
    names = ("kube-controller-manager", "kube-scheduler", "kwok")
    return Programs(*(had(name) for name in names))


@contextlib.contextmanager
def scheduled() -> Iterator[ApiServer]:
    """An API server with Kubernetes' own scheduler."""
    helpers = programs()
    with running(binaries()) as bare, controlling(helpers, bare) as server:
        yield server
