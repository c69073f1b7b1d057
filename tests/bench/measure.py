"""Whole processes side by side, in turn, so that a drifting machine hits both."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process."""

    seconds: float
    peak: int
    """Bytes of resident memory at most."""
    cpu: float = 0
    """Seconds that it and all that it started kept a processor busy."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table in docs/performance.md."""

    what: str
    ours: str
    peer: str
    ratio: str
    target: str

    def __str__(self) -> str:
        return f"| {self.what} | {self.ours} | {self.peer} | {self.ratio} | {self.target} |"


HEADER = "| what | groundplan | peer | ratio | target |\n|---|---|---|---|---|"


def run(argv: Sequence[str | Path], **kwargs: object) -> Run:
    """Run a process to its end and ask the kernel what it took.

    Raises:
        RuntimeError: The process did not end with 0.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **kwargs,  # type: ignore[call-overload]
    )
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{argv}: {process.returncode}: {said.decode()[-2000:]}")
    return Run(seconds, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)


def pairs(
    ours: Callable[[], Run], peer: Callable[[], Run], count: int = 5
) -> tuple[float, float, float]:
    """Medians of ours, of the peer, and of the ratio taken pair by pair, after one warm-up."""
    ours(), peer()
    times = [(ours().seconds, peer().seconds) for _ in range(count)]
    mine, theirs = zip(*times, strict=True)
    ratios = [a / b for a, b in times]
    return statistics.median(mine), statistics.median(theirs), statistics.median(ratios)
