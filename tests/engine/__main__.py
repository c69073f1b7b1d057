"""Runs a command where a container engine answers, if it can: `python -m tests.engine COMMAND…`.

An engine that answers is used. Where none does, one is started for the command and ended with it,
if that can be done: by root, with a `dockerd` that is there or that Debian's packages bring. Else
the reason is printed, and what needs an engine is left to say for itself that there is none.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.process import Command, serving, which

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PACKAGES = ("docker.io", "iptables", "debootstrap", "redis-server")
PATIENCE = 60.0
CAP_SYS_RESOURCE = 24


class UnavailableError(Exception):
    """No engine answers and none can be started."""


@contextlib.contextmanager
def engine() -> Iterator[dict[str, str]]:
    """Have an engine answer inside the block; the result is what its clients need to find it.

    Raises:
        UnavailableError: With the reason.
    """
    if answers(None):
        yield {}
        return
    dockerd = program()
    with tempfile.TemporaryDirectory(prefix="engine-") as name:
        home = Path(name)
        address = f"unix://{home}/docker.sock"
        argv = [
            str(dockerd),
            f"--host={address}",
            f"--pidfile={home}/docker.pid",
            f"--exec-root={home}/exec",
        ]
        if not granted(CAP_SYS_RESOURCE):
            argv += [f"--add-runtime=bounded={HERE}/bounded-runc", "--default-runtime=bounded"]
        with serving(Command(tuple(argv)), home / "dockerd.log", grace=20) as server:
            give_up = time.monotonic() + PATIENCE
            while not answers(address):
                if not server.alive or time.monotonic() > give_up:
                    raise UnavailableError(f"dockerd did not start; it said last: {server.tail(5)}")
                time.sleep(0.3)
            yield {"DOCKER_HOST": address}


def answers(address: str | None) -> bool:
    """Whether an engine answers there, or where the client looks by itself."""
    if which("docker") is None:
        return False
    env = {"DOCKER_HOST": address} if address else {}
    asked = Command(("docker", "version"), env=env, timeout=30, ok=(0, 1)).run()
    return asked.code == 0


def program() -> Path:
    """A dockerd, got from Debian's packages where they are and there is none yet."""
    if os.geteuid() != 0:
        raise UnavailableError("no container engine answers, and only root can start one")
    missing = not all(map(which, ("dockerd", "debootstrap", "redis-server")))
    if missing and which("apt-get") is not None:
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (("update",), ("install", "-y", "--no-install-recommends", *PACKAGES)):
            try:
                Command(("apt-get", "-qq", *words), env=quiet, timeout=600).run()
            except ToolError as error:
                raise UnavailableError(f"Debian's packages cannot be had: {error.what}") from error
    found = which("dockerd")
    if found is None:
        raise UnavailableError("no container engine answers, and there is no dockerd to start")
    return found


def granted(capability: int) -> bool:
    """Whether this machine can grant a capability at all."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False


def main(words: list[str]) -> int:
    """Run the command."""
    with contextlib.ExitStack() as stack:
        try:
            env = stack.enter_context(engine())
        except UnavailableError as reason:
            sys.stdout.write(f"No container engine: {reason}\n")
            env = {}
        return subprocess.run(words, env={**os.environ, **env}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
