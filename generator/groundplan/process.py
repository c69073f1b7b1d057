"""The only module that starts processes."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from groundplan import afterwards as after
from groundplan import lifeline
from groundplan.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of output kept from one process; more is an error, never a truncated result."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a process ended."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as UTF-8."""
        return self.stdout.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Command:
    """A process as a value: nothing runs before `run` is called."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to this process's environment."""
    unset: tuple[str, ...] = ()
    """Names that it must not see from this process's environment."""
    stdin: bytes = b""
    timeout: float = 60.0
    """Seconds."""
    ok: tuple[int, ...] = (0,)
    """Exit codes that are results; any other is a `ToolError`."""
    fix: str = ""
    """What the user can do when the command fails."""

    def __str__(self) -> str:
        return shlex.join(self.argv)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in self.unset}
        return {**kept, **self.env}

    def run(self) -> Completed:
        """Run to the end, in a process group of its own that never outlives the call.

        Raises:
            ToolError: `tool.missing`, `tool.timeout`, `tool.output` or `tool.failed`.
        """
        name = Path(self.argv[0]).name
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(self.stdin)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    self.argv,
                    cwd=self.cwd,
                    env=self._environment(),
                    stdin=given,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise ToolError(
                    "tool.missing", f"{name} was not found", fix=self.fix or f"install {name}"
                ) from error
            except OSError as error:
                raise ToolError(
                    "tool.failed", f"{name} could not be started: {error.strerror}", fix=self.fix
                ) from error
            try:
                _wait(process, self.timeout)
            except subprocess.TimeoutExpired as error:
                raise ToolError(
                    "tool.timeout", f"`{self}` took longer than {self.timeout:.0f} s", fix=self.fix
                ) from error
            finally:
                _end(process)
            completed = Completed(process.returncode, _read(out, name), _read(err, name))
        if completed.code not in self.ok:
            said = completed.stderr.decode("utf-8", "replace").strip() or completed.text.strip()
            raise ToolError(
                "tool.failed",
                f"`{self}` ended with {completed.code}: {said[-2000:]}",
                fix=self.fix,
            )
        return completed


@dataclass(frozen=True, slots=True)
class Server:
    """A running process that somebody waits for, such as an API server."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self.process.poll() is None

    def fall_with(self, other: Server) -> None:
        """End at once when another one ends, without which it would only keep callers waiting."""

        def wait() -> None:
            other.process.wait()
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)

        threading.Thread(target=wait, daemon=True).start()

    def tail(self, lines: int = 20) -> str:
        """The last lines that it logged."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


@contextlib.contextmanager
def serving(
    command: Command, log: Path, *, grace: float = 5.0, scratch: Path | None = None
) -> Iterator[Server]:
    """Keep a process running inside the block; it is gone afterwards, whatever happens.

    It is gone too when this process is killed, and `scratch` with it.

    Args:
        command: What to run; its standard input is empty.
        log: Where its output goes.
        grace: Seconds between asking it to end and killing it; 0 kills at once.
        scratch: A folder that only matters while the process runs.

    Raises:
        ToolError: `tool.missing` when the program is not there.
    """
    program = shutil.which(command.argv[0])
    if program is None:
        name = Path(command.argv[0]).name
        raise ToolError("tool.missing", f"{name} could not be started", fix=command.fix)
    guard = (sys.executable, "-I", "-S", lifeline.__file__, str(scratch or ""))
    with log.open("wb") as out:
        process = subprocess.Popen(
            (*guard, program, *command.argv[1:]),
            cwd=command.cwd,
            env={**os.environ, **command.env},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(process, log)
    finally:
        _stop(process, grace)


@contextlib.contextmanager
def afterwards(command: Command, log: Path) -> Iterator[None]:
    """Run a command once the block is over, however it ends, even when this process is killed.

    Args:
        command: Its standard input is empty; what it says goes to `log`.
        log: Where its output goes.
    """
    argv = (sys.executable, "-I", "-S", after.__file__, *command.argv)
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv,
            cwd=command.cwd,
            env={**os.environ, **command.env},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"ended")
                process.stdin.close()
        try:
            process.wait(command.timeout)
        except subprocess.TimeoutExpired:
            _end(process)


def which(name: str) -> Path | None:
    """Where PATH has a program."""
    found = shutil.which(name)
    return Path(found) if found else None


def _stop(process: subprocess.Popen[bytes], grace: float) -> None:
    """End a program that runs under `lifeline`, which buries it."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGINT, 5.0)):
        if patience:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
    _end(process)
    if process.stdin is not None:
        process.stdin.close()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the end; `Popen.wait` alone would sleep up to 50 ms past it."""
    if hasattr(os, "pidfd_open"):
        watched = os.pidfd_open(process.pid)
        try:
            select.select([watched], [], [], seconds)
        finally:
            os.close(watched)
        seconds = 0
    process.wait(seconds)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(stream: IO[bytes], name: str) -> bytes:
    """Read a finished process's output."""
    stream.seek(0)
    data = stream.read(OUTPUT_LIMIT + 1)
    if len(data) > OUTPUT_LIMIT:
        raise ToolError("tool.output", f"{name} wrote more than {OUTPUT_LIMIT // 2**20} MiB")
    return data
