"""The API servers that a repository is put on: their programs, and how to run them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from groundplan import nodeimage, toolchain
from groundplan.engines import argocd
from groundplan.runners import apiserver, controllers, docker, kind
from groundplan.runners.apiserver import ADMINISTRATOR, ApiServer

Start = Callable[[float], AbstractContextManager[ApiServer]]
"""Starts a server whose calls fail from a deadline (`time.monotonic`) on."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What kind of server is wanted."""

    kubernetes: str
    """The minor version."""
    simulate: bool = False
    """With a scheduler and simulated nodes."""
    reconcile: bool = False
    """With the repository's engine at work; a kind cluster always has it."""
    offline: bool = False
    """Never download anything."""
    say: Callable[[str], None] = lambda _: None
    """Told in a few words what takes long."""

    def program(self, name: str) -> Path:
        """Where a program is, which is got when it is not there."""
        tool = toolchain.ensure(name, self.kubernetes, offline=self.offline, progress=self.say)
        return tool.path


def embedded(wish: Wish) -> Start:
    """An etcd and a kube-apiserver; with controllers, simulated nodes and an engine as asked."""
    find = wish.program
    binaries = apiserver.Binaries(find("etcd"), find("kube-apiserver"))
    if not (wish.simulate or wish.reconcile):
        return lambda deadline: apiserver.running(binaries, deadline=deadline)
    names = ("kube-controller-manager", "kube-scheduler", "kwok")
    programs = controllers.Programs(*(find(name) for name in names))

    @contextlib.contextmanager
    def start(deadline: float) -> Iterator[ApiServer]:
        with (
            apiserver.running(binaries, deadline=deadline) as bare,
            controllers.controlling(programs, bare) as server,
        ):
            yield replace(server, engine=partial(_argocd, wish) if wish.reconcile else None)

    return start


def kind_cluster(wish: Wish, *, name: str, keep: bool) -> Start:
    """A kind cluster whose engine brings the repository up, with simulated nodes when asked for.

    Raises:
        ToolError: `docker.missing` or `docker.down`.
    """
    docker.ensure_answers()
    find = wish.program
    image = nodeimage.ensure(wish.kubernetes, offline=wish.offline, progress=wish.say)
    logs = Path(f"kind-logs-{name}")
    wanted = kind.Wanted(find("kind"), image, name, keep, logs)
    kwok = find("kwok") if wish.simulate else None

    @contextlib.contextmanager
    def start(deadline: float) -> Iterator[ApiServer]:
        with contextlib.ExitStack() as stack:
            running = kind.running(wanted, deadline=deadline, progress=wish.say)
            server = replace(stack.enter_context(running), engine=partial(_argocd, wish))
            if kwok is not None:
                endpoint = server.endpoints[ADMINISTRATOR]
                stack.enter_context(controllers.simulating(kwok, server.home, endpoint))
                server = replace(server, simulates_nodes=True)
            yield server

    return start


def _argocd(wish: Wish) -> argocd.Programs:
    names = ("argocd", "redis-server", "helm", "kustomize")
    return argocd.Programs(*(wish.program(name) for name in names))
