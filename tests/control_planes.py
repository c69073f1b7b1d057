"""Small repositories, and the control planes that they are put on."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from groundplan import toolchain
from groundplan.checks.ordering import ENGINE_NAMESPACES, GIVEN_NAMESPACES
from groundplan.errors import ToolError
from groundplan.repository import Repository
from groundplan.runners.apiserver import ApiServer, Binaries, running
from groundplan.runners.client import Client, Request, apply
from groundplan.runners.controllers import Programs, controlling
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from groundplan.verify import standins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Planes = Callable[[], contextlib.AbstractContextManager[ApiServer]]

_NAMESPACES = "/api/v1/namespaces"
_PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
_KEPT = GIVEN_NAMESPACES | set(ENGINE_NAMESPACES.values())
_OF_KUBERNETES = frozenset({"system-cluster-critical", "system-node-critical"})

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


def with_engines(client: Client) -> None:
    """Make the engines' namespaces, which the policies of a platform with another would refuse."""
    for name in ENGINE_NAMESPACES.values():
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert client.send(apply(f"{_NAMESPACES}/{name}", body, dry_run=False)).ok
        standins.furnish(client, name)


def emptied(server: ApiServer) -> contextlib.AbstractContextManager[ApiServer]:
    """A server that is there, without the namespaces and priorities of the platform before.

    So the next one is refused what it does not bring itself. A namespace goes at once, as nobody
    waits for what is in it; the API server hides that.
    """
    for path, kept in ((_NAMESPACES, _KEPT), (_PRIORITIES, _OF_KUBERNETES)):
        for body in server.client.get(path).body["items"]:
            name = body["metadata"]["name"]
            if name in kept:
                continue
            assert server.client.send(Request("DELETE", f"{path}/{name}")).ok
            if path == _NAMESPACES:
                gone = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                finalize = Request("PUT", f"{path}/{name}/finalize", gone | {"spec": {}})
                assert server.client.send(finalize).ok
    return contextlib.nullcontext(server)
