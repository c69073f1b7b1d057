"""What makes an API server a control plane: controllers, a scheduler and simulated nodes.

The controller manager and the scheduler are Kubernetes' own; kwok plays the kubelets.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.process import Command, Server, serving
from groundplan.runners import kubeconfig
from groundplan.runners.apiserver import (
    ADMINISTRATOR,
    CONTROLLER_MANAGER,
    SCHEDULER,
    SIGNING_KEY,
    ApiServer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.runners.client import Endpoint

SIMULATED = "kwok.x-k8s.io/node"
"""The annotation of a node that kwok looks after."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of a control plane beside its API server."""

    kube_controller_manager: Path
    kube_scheduler: Path
    kwok: Path


@contextlib.contextmanager
def controlling(programs: Programs, server: ApiServer) -> Iterator[ApiServer]:
    """Run them all beside an API server, which is the result; nothing of them is left afterwards.

    Raises:
        ToolError: `controllers.ended` when one ends before the block does.
    """
    manager = (
        str(programs.kube_controller_manager),
        f"--service-account-private-key-file={server.home / SIGNING_KEY}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        "--node-monitor-grace-period=1h",
    )
    scheduler = (str(programs.kube_scheduler), "--leader-elect=false", "--secure-port=0")
    with contextlib.ExitStack() as stack:
        started = (
            stack.enter_context(_running(manager, server, CONTROLLER_MANAGER)),
            stack.enter_context(_running(scheduler, server, SCHEDULER)),
            stack.enter_context(simulating(programs.kwok, server.home, _administrator(server))),
        )
        yield replace(server, controllers=True, simulates_nodes=True)
        for program in started:
            if not program.alive:
                raise ToolError(
                    "controllers.ended",
                    f"{program.log.stem} ended while it was needed; it said last: "
                    f"{program.tail(8)}",
                    fix="try again",
                )


@contextlib.contextmanager
def simulating(kwok: Path, home: Path, endpoint: Endpoint) -> Iterator[Server]:
    """Have kwok look after the nodes that carry the annotation `SIMULATED`."""
    with as_file(files(__package__).joinpath("kwok.yaml")) as stages:
        argv = (
            str(kwok),
            "--kubeconfig",
            str(kubeconfig.write(home / "kwok.kubeconfig", endpoint)),
            "--config",
            str(stages),
            "--manage-nodes-with-annotation-selector",
            f"{SIMULATED}=fake",
            "--node-lease-duration-seconds=40",
        )
        with serving(Command(argv, cwd=home), home / "kwok.log", grace=0) as running:
            yield running


def _running(
    argv: tuple[str, ...], server: ApiServer, user: str
) -> contextlib.AbstractContextManager[Server]:
    name = Path(argv[0]).name
    access = kubeconfig.write(server.home / f"{name}.kubeconfig", server.endpoints[user])
    command = Command((*argv, "--kubeconfig", str(access)), cwd=server.home)
    return serving(command, server.home / f"{name}.log", grace=0)


def _administrator(server: ApiServer) -> Endpoint:
    return server.endpoints[ADMINISTRATOR]
