"""Reading and validating manifests beside kubeconform: same documents, same schemas, one core.

`python -m tests.bench.bench_check --kubeconform PATH` prints these rows alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from groundplan import toolchain
from tests.bench.manifests import write
from tests.bench.measure import HEADER, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

KUBERNETES = "1.37"
KINDS = (
    ("apps", "v1", "Deployment"),
    ("", "v1", "Service"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
)
COUNTS = (1_000, 10_000, 20_000)
ROUNDS = 3
TARGET = "≥ 3"
WORKER = (sys.executable, "-m", "tests.bench.bench_check")
"""Every measured step is a process of its own: the kernel counts a parent's memory as a child's."""


class Work(NamedTuple):
    """What one process did."""

    documents: int
    seconds: float
    """Processor time of reading files, parsing and validating, without the start of Python."""
    whole: float
    """Processor time of the process, from its start to its end."""
    peak: int
    """Bytes of resident memory at most."""

    @property
    def speed(self) -> float:
        return self.documents / self.seconds


def rows(kubeconform: str | None = None) -> Iterator[Row]:
    """One row a number of documents, and one for the growth from the fewest to the most."""
    peer = kubeconform or str(toolchain.ensure("kubeconform").path)
    speeds = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as name:
            folder, schemas = Path(name, "manifests"), Path(name, "schemas")
            write(folder, count)
            validate = json.loads(_run([*WORKER, "--export", str(schemas)])[0])
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(_ours(folder, validate=validate))
                if validate:
                    theirs.append(_kubeconform(peer, folder, schemas, count))
        speeds.append(statistics.median(work.speed for work in ours))
        what = "parse + validate" if validate else "parse (no schemas here)"
        yield _row(f"{what} {count:,} documents", ours, theirs)
    yield Row(
        f"documents/s of {COUNTS[-1]:,} beside {COUNTS[0]:,}",
        f"{speeds[-1]:,.0f}",
        f"{speeds[0]:,.0f}",
        f"{speeds[-1] / speeds[0]:.2f}",
        "about 1: linear",
    )


def _row(what: str, ours: list[Work], theirs: list[Work]) -> Row:
    speed = statistics.median(work.speed for work in ours)
    whole = statistics.median(work.whole for work in ours)
    peak = max(work.peak for work in ours) / 2**20
    mine = f"{speed:,.0f}/s, {peak:.0f} MiB, process {whole:.2f} CPU s"
    if not theirs:
        return Row(what, mine, "kubeconform: no schemas", "", TARGET)
    peer = statistics.median(work.speed for work in theirs)
    peer_peak = max(work.peak for work in theirs) / 2**20
    peer_whole = statistics.median(work.whole for work in theirs)
    ratio = statistics.median(a.speed / b.speed for a, b in zip(ours, theirs, strict=True))
    beside = f"kubeconform {peer:,.0f}/s, {peer_peak:.0f} MiB, process {peer_whole:.2f} CPU s"
    return Row(what, mine, beside, f"{ratio:.1f}", TARGET)


def _export(folder: Path) -> None:
    """Write the schemas where kubeconform finds them; print whether this machine has them."""
    from groundplan.schemas import Missing, default_store

    store = default_store(KUBERNETES)
    found = [store.lookup(*kind) for kind in KINDS]
    if any(isinstance(schema, Missing) for schema in found):
        print("false")
        return
    folder.mkdir()
    for (_, version, kind), schema in zip(KINDS, found, strict=True):
        text = json.dumps(schema.document)
        (folder / f"{kind.lower()}_{version}.json").write_text(text, "utf-8")
    print("true")


def _ours(folder: Path, *, validate: bool) -> Work:
    words = [*WORKER, "--work", str(folder)]
    text, whole, peak = _run([*words, "--validate"] if validate else words)
    said = json.loads(text)
    return Work(said["documents"], said["seconds"], whole, peak)


def _kubeconform(binary: str, folder: Path, schemas: Path, count: int) -> Work:
    location = f"{schemas}/{{{{ .ResourceKind }}}}_{{{{ .ResourceAPIVersion }}}}.json"
    words = [binary, "-strict", "-summary", "-output", "json", "-n", "1"]
    text, whole, peak = _run([*words, "-schema-location", location, str(folder)])
    valid = json.loads(text)["summary"]["valid"]
    if valid != count:
        raise RuntimeError(f"kubeconform found {valid} of {count} documents valid")
    return Work(count, whole, whole, peak)


def _run(argv: list[str]) -> tuple[str, float, int]:
    """Run a process on one core; gives what it printed, its processor time, its peak memory."""
    pinned = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([*pinned, *argv], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{argv} ended with {process.returncode}")
        out.seek(0)
        return out.read().decode(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def _work(folder: Path, *, validate: bool) -> None:
    """Read a folder in this process, and print what it took."""
    from groundplan.documents import parse
    from groundplan.garbage import uncollected

    store = None
    if validate:
        from groundplan.schemas import default_store

        store = default_store(KUBERNETES)
        for kind in KINDS:
            store.lookup(*kind)
    start = time.process_time()
    documents = []
    with uncollected():
        for path in sorted(folder.iterdir()):
            found, problems = parse(path.name, path.read_bytes())
            assert not problems
            documents.extend(found)
        if store:
            assert not any(store.validate_many(document.body for document in documents))
        seconds = time.process_time() - start
    print(json.dumps({"documents": len(documents), "seconds": seconds}))


def main() -> None:
    """Print the rows, or be one of the measured processes."""
    options = argparse.ArgumentParser()
    options.add_argument("--kubeconform")
    options.add_argument("--export", type=Path)
    options.add_argument("--work", type=Path)
    options.add_argument("--validate", action="store_true")
    given = options.parse_args()
    if given.export:
        _export(given.export)
        return
    if given.work:
        _work(given.work, validate=given.validate)
        return
    print(HEADER)
    for row in rows(given.kubeconform):
        print(row, flush=True)


if __name__ == "__main__":
    main()
