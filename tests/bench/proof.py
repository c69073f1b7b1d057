"""Proves rendered repositories: `python -m tests.engine python -m tests.bench.proof`.

Each tier and engine, on the embedded control plane and on kind, one after the other, all with
simulated nodes. Memory is the largest sum of resident memory of what was started, sampled.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.findings import Errored, Passed, Report, Skipped
from groundplan.repository import ANSWERS_FILE, Repository
from groundplan.runners import docker
from groundplan.schemas import default_charts, default_store
from groundplan.servers import Start, Wish, embedded, kind_cluster
from groundplan.verify import verify
from tests.rendering import ENGINES, TIERS, parsed, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

KUBERNETES = "1.37"
NAME = "groundplan-proof"
HEAD = (
    "| tier | engine | on | objects | seconds | memory (MiB) | passed | failed | skipped |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|"
)


@dataclass
class Peak:
    """The most memory that was in use at once, in bytes."""

    processes: int = 0
    node: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def measured(*, node: bool) -> Iterator[Peak]:
    """Sample what this process and its children use, and the cluster's node where there is one."""
    peak = Peak()

    def sample() -> None:
        while not peak.ended.wait(1):
            peak.processes = max(peak.processes, resident())
            if node:
                peak.node = max(peak.node, of_node())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        peak.ended.set()
        thread.join()


def resident() -> int:
    """The resident memory of this process and of all below it."""
    parents, sizes = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(words[1])
        sizes[int(path.parent.name)] = int(words[21]) * os.sysconf("SC_PAGE_SIZE")

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return sum(size for pid, size in sizes.items() if ours(pid))


def of_node() -> int:
    """What the engine says that the node uses."""
    try:
        words = ("stats", "--no-stream", "--format", "{{.MemUsage}}", f"{NAME}-control-plane")
        said = docker.docker(*words, ok=(0, 1)).text.split("/")[0].strip()
    except ToolError:
        return 0
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if said.endswith(unit):
            return int(float(said.removesuffix(unit)) * factor)
    return 0


def counted(report: Report) -> Counter[str]:
    """How many subjects passed, failed or were skipped."""
    found: Counter[str] = Counter()
    for result in report.results:
        for outcome in result.outcomes:
            match outcome:
                case Passed(count):
                    found["passed"] += count
                case Skipped(_, _, count):
                    found["skipped"] += count
                case Errored():
                    found["failed"] += 1
                case _:
                    found["failed"] += 1
    return found


def repository(tier: str, engine: str) -> Repository:
    """A rendered repository with one cluster and two teams."""
    tree = rendered(engine, tier, ("kind",))
    return Repository.of(
        tree,
        schemas=default_store(KUBERNETES),
        charts=default_charts(),
        kubernetes=KUBERNETES,
        answers=parsed(tree, ANSWERS_FILE)[0],
    )


def row(tier: str, engine: str, on: str, start: Start) -> str:
    """Prove one repository."""
    subject = repository(tier, engine)
    began = time.monotonic()
    with measured(node=on == "kind") as peak:
        done = verify(subject, lambda: start(float("inf")))
    seconds = time.monotonic() - began
    for finding in done.report.findings:
        sys.stderr.write(f"{tier} {engine} {on}: {finding.check_id} {finding.message[:300]}\n")
    found = counted(done.report)
    objects = sum(timing.objects for timing in done.timings)
    memory = (peak.processes + peak.node) // 2**20
    cells = (tier, engine, on, objects, f"{seconds:.0f}", memory)
    counts = (found["passed"], found["failed"], found["skipped"])
    return "| " + " | ".join(str(cell) for cell in (*cells, *counts)) + " |"


def main() -> None:
    """Print one row for each repository and place."""
    wish = Wish(KUBERNETES, simulate=True)
    starts = {"embedded": embedded(wish)}
    try:
        docker.ensure_answers()
        starts["kind"] = kind_cluster(wish, name=NAME, keep=False)
    except ToolError as error:
        sys.stderr.write(f"kind: not run: {error}\n")
    sys.stdout.write(HEAD + "\n")
    for on, start in starts.items():
        for engine in ENGINES:
            for tier in TIERS:
                sys.stdout.write(row(tier, engine, on, start) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
