"""The only module that starts processes."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from groundplan.errors import ToolError

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
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    self.argv,
                    cwd=self.cwd,
                    env=self._environment(),
                    stdin=subprocess.PIPE,
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
                process.communicate(self.stdin, timeout=self.timeout)
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

    def tail(self, lines: int = 20) -> str:
        """The last lines that it logged."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


@contextlib.contextmanager
def serving(command: Command, log: Path) -> Iterator[Server]:
    """Keep a process running inside the block; it is gone afterwards, whatever happens.

    Raises:
        ToolError: `tool.missing` when the program is not there.
    """
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env={**os.environ, **command.env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            name = Path(command.argv[0]).name
            raise ToolError(
                "tool.missing", f"{name} could not be started: {error.strerror}", fix=command.fix
            ) from error
    try:
        yield Server(process, log)
    finally:
        _end(process, grace=5.0)


def which(name: str) -> Path | None:
    """Where PATH has a program."""
    found = shutil.which(name)
    return Path(found) if found else None


def _end(process: subprocess.Popen[bytes], grace: float = 0.0) -> None:
    """End a process and all that it started."""
    if process.poll() is None and grace:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
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
