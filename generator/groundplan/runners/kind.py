"""A kind cluster that lives as long as a `with` block, or longer where it is to be kept."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.process import Command, afterwards, serving
from groundplan.runners import docker, kubeconfig
from groundplan.runners.apiserver import ADMINISTRATOR, ApiServer
from groundplan.runners.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from groundplan.nodeimage import NodeImage

DEFAULT_NAME = "groundplan"

_CREATE_TIMEOUT = 600.0
_DELETE_TIMEOUT = 180.0
_READY = "180s"
_PATIENCE = 60.0
"""Seconds for the API server of a node that was just started, or that kubelet begins again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cluster to have."""

    kind: Path
    """The program."""
    image: NodeImage
    name: str = DEFAULT_NAME
    keep: bool = False
    """Leave it there."""
    logs: Path = Path("kind-logs")
    """Where the nodes' logs go when something fails."""


def clusters(kind: Path) -> frozenset[str]:
    """The clusters that there are."""
    return frozenset(Command((str(kind), "get", "clusters")).run().text.split())


def delete(kind: Path, name: str) -> None:
    """Remove a cluster; one that is not there is removed already."""
    _deletion(kind, name).run()


@contextlib.contextmanager
def running(
    wanted: Wanted,
    *,
    deadline: float = float("inf"),
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[ApiServer]:
    """Have a cluster inside the block: one of this name that is there, else a new one.

    A new one is removed afterwards, whatever happens, unless it is to be kept. When the block
    fails, the nodes' logs are kept.

    Raises:
        ToolError: `kind.create`, or later from the client `kind.ended`.
    """
    with contextlib.ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="groundplan-"))
        # It will hold the cluster's keys, so it goes even when this process is killed.
        removal = Command(("rm", "-r", "-f", str(home)))
        stack.enter_context(afterwards(removal, Path(os.devnull)))
        exists = wanted.name in clusters(wanted.kind)
        if not (exists or wanted.keep):
            deletion = _deletion(wanted.kind, wanted.name)
            stack.enter_context(afterwards(deletion, home / "delete.log"))
        try:
            if not exists:
                progress(f"creating the kind cluster {wanted.name}")
                _create(wanted, home)
            with _connected(wanted, home, deadline) as server:
                yield server
        except BaseException as error:
            if isinstance(error, Exception):
                _keep_logs(wanted)
            raise


@contextlib.contextmanager
def _connected(wanted: Wanted, home: Path, deadline: float) -> Iterator[ApiServer]:
    access = home / "kubeconfig"
    access.touch(0o600)
    argv = (str(wanted.kind), "get", "kubeconfig", "--name", wanted.name)
    access.write_bytes(Command(argv).run().stdout)
    endpoint = kubeconfig.read(access, home)
    node = f"{wanted.name}-control-plane"

    def ensure_alive() -> None:
        state = docker.docker("inspect", "--format", "{{.State.Running}}", node, ok=(0, 1))
        if state.text.strip() != "true":
            raise ToolError("kind.ended", f"the node {node} ended while it was needed")

    with Client(endpoint, ensure_alive=ensure_alive, deadline=deadline) as client:
        _await_ready(client, wanted.name)
        version = client.get("/version").body["gitVersion"].removeprefix("v")
        yield ApiServer(
            client,
            version,
            home,
            {ADMINISTRATOR: endpoint},
            controllers=True,
            registry=not wanted.image.ours,
        )


def _await_ready(client: Client, name: str) -> None:
    """Wait for an API server that kubelet starts, for the first time or again."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            ready = client.get("/readyz")
            said = "" if ready.ok else ready.message[:300]
        except ToolError as error:
            if error.id != "apiserver.unreachable":
                raise
            said = error.what
        if not said:
            return
        if time.monotonic() > give_up:
            raise ToolError(
                "kind.unready",
                f"the API server of {name} is not ready: {said}",
                fix=f"kind delete cluster --name {name}",
            )
        time.sleep(0.5)


def _create(wanted: Wanted, home: Path) -> None:
    """Create a cluster of one node; a failed one stays for a look at its logs."""
    config = home / "cluster.json"
    config.write_text(json.dumps(_config(wanted.image)))
    argv = (
        *(str(wanted.kind), "create", "cluster", "--name", wanted.name, "--retain"),
        *("--image", wanted.image.tag, "--config", str(config), "--wait", _READY),
        *("--kubeconfig", str(home / "created")),
    )
    give_up = time.monotonic() + _CREATE_TIMEOUT
    # As a server it is killed with us, so that what deletes the cluster has nobody against it.
    with serving(Command(argv), home / "create.log") as creation:
        while creation.alive and time.monotonic() < give_up:
            time.sleep(0.2)
        ended = creation.process.poll()
    if ended != 0:
        raise ToolError(
            "kind.create",
            f"kind could not create a cluster: {creation.tail(20)[-1500:]}",
            where=str(wanted.logs),
            fix="see the nodes' logs there",
        )


def _config(image: NodeImage) -> dict[str, object]:
    """What kind is told; an image of ours brings the network of its one node."""
    patches: list[dict[str, object]] = []
    if docker.docker("info", "--format", "{{.CgroupVersion}}").text.strip() == "1":
        patches.append({"kind": "KubeletConfiguration", "failCgroupV1": False})
    # As for an API server that is started here: how much memory may be spared work.
    if collector := os.environ.get("GOGC"):
        given = {"extraEnvs": [{"name": "GOGC", "value": collector}]}
        patches.append({"kind": "ClusterConfiguration", "apiServer": given})
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"disableDefaultCNI": image.ours},
        "nodes": [
            {"role": "control-plane", "kubeadmConfigPatches": [json.dumps(one) for one in patches]}
        ],
    }


def _deletion(kind: Path, name: str) -> Command:
    # Without a file of its own kind would edit the user's kubeconfig.
    argv = (str(kind), "delete", "cluster", "--name", name, "--kubeconfig", "/dev/null")
    return Command(argv, timeout=_DELETE_TIMEOUT)


def _keep_logs(wanted: Wanted) -> None:
    """Write the nodes' logs, as far as there are any."""
    argv = (str(wanted.kind), "export", "logs", str(wanted.logs), "--name", wanted.name)
    with contextlib.suppress(ToolError):
        Command(argv, timeout=120).run()
