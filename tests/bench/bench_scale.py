"""Rendering and checking enterprises of two sizes: what an object costs must not grow with them."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan import repository
from tests.bench.measure import Row, Run, run
from tests.rendering import CLUSTERS, ENGINES, EVERYTHING, PLACES, READY

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = ((10, 20), (100, 50))
"""Clusters and teams of the smaller enterprise, and of the larger one."""
ROUNDS = 3
TARGET = "≤ 1.2: does not grow"


def rows() -> Iterator[Row]:
    """Time and memory for each engine, for each object that is written or generated."""
    for engine in ENGINES:
        (few, of_few), (many, of_many) = (_measured(engine, *size) for size in SIZES)
        yield _row(engine, "CPU ms", (few.cpu * 1e3, of_few), (many.cpu * 1e3, of_many))
        yield _row(engine, "KiB", (few.peak / 1024, of_few), (many.peak / 1024, of_many))


def _row(engine: str, unit: str, few: tuple[float, int], many: tuple[float, int]) -> Row:
    """How much of something an object takes in the larger enterprise, beside the smaller one."""
    theirs, ours = (total / objects for total, objects in (few, many))
    (clusters, teams), (more_clusters, more_teams) = SIZES
    return Row(
        f"`new` of {more_clusters} clusters, {more_teams} teams, {engine}: {unit} per object",
        f"{ours:.2f}, {many[1]:,} objects",
        f"of {clusters} clusters, {teams} teams: {theirs:.2f}, {few[1]:,} objects",
        f"{ours / theirs:.2f}",
        TARGET,
    )


def answers(engine: str, clusters: int, teams: int) -> dict[str, Any]:
    """Give an enterprise as many clusters at each place in turn, and every team on all of them."""
    return {
        "engine": engine,
        "tier": "enterprise",
        "practices": READY,
        **EVERYTHING,
        "clusters": [
            {
                **CLUSTERS[PLACES[number % len(PLACES)]],
                "name": f"cluster-{number}",
                "pod_cidr": f"10.{number}.0.0/16",
            }
            for number in range(clusters)
        ],
        "teams": [
            {
                "name": f"team-{number}",
                "namespaces": [f"team-{number}", f"team-{number}-staging"],
                "contact": f"@acme/team-{number}",
            }
            for number in range(teams)
        ],
    }


def _measured(engine: str, clusters: int, teams: int) -> tuple[Run, int]:
    """Run the whole command: render, commit and check. Gives the distinct objects in it too.

    Others that use the processor only ever add to its time, so the best of some runs counts.
    """
    with tempfile.TemporaryDirectory() as name:
        said = Path(name, "answers.json")
        said.write_text(json.dumps(answers(engine, clusters, teams)), "utf-8")
        folders = [Path(name, f"platform-{number}") for number in range(ROUNDS)]
        command = (sys.executable, "-m", "groundplan", "new")
        runs = [run([*command, folder, "--answers", said]) for folder in folders]
        subjects = repository.load(folders[0]).subjects
    return min(runs, key=lambda done: done.cpu), sum(map(len, subjects.values()))
