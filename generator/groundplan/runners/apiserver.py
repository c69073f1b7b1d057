"""An etcd and a kube-apiserver that live as long as a `with` block."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import socket
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.process import Command, Server, serving
from groundplan.runners.client import Client, Endpoint, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from groundplan.engines import argocd

SPACE_NEEDED = 256 * 1024 * 1024
"""Bytes: etcd reserves two write-ahead logs of 64 MB before anything is stored."""

ADMINISTRATOR = "groundplan"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
USERS = {ADMINISTRATOR: "system:masters", CONTROLLER_MANAGER: "", SCHEDULER: ""}
"""Who may speak to it, and their groups. What the last two may do is in Kubernetes' own roles."""

SIGNING_KEY = "service-account.key"
CERTIFICATE = "certs/apiserver.crt"

START_TIMEOUT = 90.0
PORT_ATTEMPTS = 5
PROBE_TIMEOUT = 2.0
"""Another program that has the port may accept a connection and never speak."""

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_HEAD = bytes.fromhex("30310201010420")
_P256_TAIL = bytes.fromhex("a00a06082a8648ce3d030107")
_PORT_TAKEN = "address already in use"
_DISK_FULL = "no space left on device"


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of a control plane."""

    etcd: Path
    kube_apiserver: Path


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running API server."""

    client: Client
    version: str
    """Such as `1.37.2`."""
    home: Path
    """A folder that goes when the server goes."""
    endpoints: Mapping[str, Endpoint]
    """How each of `USERS` speaks to it."""
    controllers: bool = False
    """Whether a controller manager works on it."""
    engine: Callable[[], argocd.Programs] | None = None
    """Gets an Argo CD to run beside it; None where no engine is to bring the repository up."""
    registry: bool = False
    """Whether charts and images can be had from their registries there."""
    simulates_nodes: bool = False
    """Whether a scheduler works on it, and kwok plays the kubelet of nodes that say so."""


def unused_port() -> int:
    """Suggest a port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    binaries: Binaries,
    *,
    deadline: float = float("inf"),
    free_port: Callable[[], int] = unused_port,
    data: Path | None = None,
) -> Iterator[ApiServer]:
    """Start a control plane; nothing of it is left after the block.

    Args:
        binaries: What to start.
        deadline: When (`time.monotonic`) calls of its client begin to fail.
        free_port: Suggests ports; one that turns out to be taken is replaced by the next.
        data: etcd's folder, which is left with what was stored; without it the server is empty.

    Raises:
        ToolError: `apiserver.start`, `apiserver.port` or `apiserver.no-space`; later, from the
            client, `apiserver.ended`.
    """
    with tempfile.TemporaryDirectory(prefix="groundplan-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        _ensure_space(home)
        tokens = {user: secrets.token_hex(16) for user in USERS}
        _write_secrets(home, tokens)
        with (
            serving(_etcd(binaries, home, data), home / "etcd.log", grace=0, scratch=home) as etcd,
            _answering(binaries, home, tokens[ADMINISTRATOR], etcd, free_port) as (apiserver, port),
        ):
            apiserver.fall_with(etcd)

            def ensure_alive() -> None:
                for server in (etcd, apiserver):
                    if not server.alive:
                        raise _ended(server, "apiserver.ended", "ended while it was needed")

            endpoints = {u: Endpoint(port, home / CERTIFICATE, t) for u, t in tokens.items()}
            administrator = endpoints[ADMINISTRATOR]
            with Client(administrator, ensure_alive=ensure_alive, deadline=deadline) as client:
                version = client.get("/version").body["gitVersion"]
                yield ApiServer(client, version.removeprefix("v"), home, endpoints)


@contextlib.contextmanager
def _answering(
    binaries: Binaries, home: Path, token: str, etcd: Server, free_port: Callable[[], int]
) -> Iterator[tuple[Server, int]]:
    """Start the API server on the first port that nobody takes in the meantime."""
    for _ in range(PORT_ATTEMPTS):
        port = free_port()
        log = home / "kube-apiserver.log"
        command = _kube_apiserver(binaries, home, port)
        with serving(command, log, grace=0, scratch=home) as apiserver:
            if _ready(home, token, apiserver, etcd, port):
                yield apiserver, port
                return
    raise ToolError(
        "apiserver.port",
        f"other programs took {PORT_ATTEMPTS} ports, the last {port}, before the API server could",
        fix="try again",
    )


def _ready(home: Path, token: str, apiserver: Server, etcd: Server, port: int) -> bool:
    """Wait until the API server is ready; False when another program has its port."""
    give_up = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up:
        for server in (etcd, apiserver):
            if server.alive:
                continue
            if _PORT_TAKEN in server.log.read_text("utf-8", "replace"):
                return False
            raise _ended(server, "apiserver.start", "did not start")
        if _answers(home / CERTIFICATE, token, port):
            return True
        time.sleep(0.05)
    raise _ended(apiserver, "apiserver.start", f"was not ready after {START_TIMEOUT:.0f} s")


def _answers(certificate: Path, token: str, port: int) -> bool:
    """Whether our own server, known by its certificate, says that it is ready."""
    if not certificate.exists():
        return False
    try:
        endpoint = Endpoint(port, certificate, token)
        with Client(endpoint, ensure_alive=lambda: None, timeout=PROBE_TIMEOUT) as client:
            return client.send(Request("GET", "/readyz"), attempts=1).ok
    except (ToolError, ssl.SSLError):
        return False


def _etcd(binaries: Binaries, home: Path, data: Path | None) -> Command:
    """Listen on sockets in the working directory, so that no port can be taken."""
    return Command(
        (
            str(binaries.etcd),
            f"--data-dir={data.absolute() if data else 'etcd'}",
            "--listen-client-urls=unix://client:0",
            "--advertise-client-urls=unix://client:0",
            "--listen-peer-urls=unix://peer:0",
            "--initial-advertise-peer-urls=unix://peer:0",
            "--initial-cluster=default=unix://peer:0",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
        cwd=home,
        # etcd reads every option from the environment too; empty ones count as not given.
        env={name: "" for name in os.environ if name.startswith("ETCD_")},
    )


def _kube_apiserver(binaries: Binaries, home: Path, port: int) -> Command:
    return Command(
        (
            str(binaries.kube_apiserver),
            "--etcd-servers=unix://client:0",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--cert-dir=certs",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/12",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={SIGNING_KEY}",
            f"--service-account-signing-key-file={SIGNING_KEY}",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
        ),
        cwd=home,
    )


def _write_secrets(home: Path, tokens: Mapping[str, str]) -> None:
    """Write what the API server needs to know its clients and to sign tokens.

    It makes its serving certificate itself. The signing key is an EC key in the form that leaves
    the public half out (RFC 5915), so that 32 random bytes are all there is to it.
    """
    scalar = (secrets.randbelow(_P256_ORDER - 1) + 1).to_bytes(32, "big")
    key = base64.encodebytes(_P256_HEAD + scalar + _P256_TAIL).decode()
    begin, end = "-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----"
    lines = (f'{tokens[user]},{user},{user},"{groups}"\n' for user, groups in USERS.items())
    files = {"tokens.csv": "".join(lines), SIGNING_KEY: f"{begin}\n{key}{end}\n"}
    for name, text in files.items():
        (home / name).touch(0o600)
        (home / name).write_text(text)


def _ensure_space(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < SPACE_NEEDED:
        raise _no_space(f"only {free // 2**20} MiB are free", home)


def _no_space(what: str, home: Path) -> ToolError:
    need = SPACE_NEEDED // 2**20
    return ToolError(
        "apiserver.no-space",
        f"{what}; a control plane needs {need} MiB",
        where=str(home.parent),
        fix="free some space, or set TMPDIR to a folder that has it",
    )


def _ended(server: Server, id: str, how: str) -> ToolError:
    """Say how a server failed, with the last lines of its log."""
    name = server.log.stem
    log = server.tail(8) if server.log.exists() else ""
    if _DISK_FULL in log:
        return _no_space(f"{name} ran out of disk space", server.log.parent)
    said = f"; it said last: {log}" if log else ""
    return ToolError(id, f"{name} {how}{said}", fix="try again, or see `groundplan doctor`")
