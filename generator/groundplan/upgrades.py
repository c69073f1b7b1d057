"""Whether a component can go from one version to another, by what is recorded about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from groundplan.catalogue import component_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.template import Template

_RELEASE = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


class Verdict(StrEnum):
    """What is known about a move, the better first."""

    SAFE = "safe"
    MANUAL = "manual"
    """Somebody has to do or to look at something."""
    BLOCKED = "blocked"
    """Not now: something else has to come first."""
    UNKNOWN = "unknown"
    """Nothing is recorded, which is never safe."""
    ADDED = "added"
    REMOVED = "removed"


_WORSE = (Verdict.SAFE, Verdict.MANUAL, Verdict.BLOCKED)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known about going from one series of versions to another, or within one.

    A series is the beginning of a version: `1.21` is every 1.21.x, `88` every 88.x.y.
    """

    old: tuple[int, ...]
    new: tuple[int, ...]
    verdict: Verdict
    why: str
    steps: Mapping[str, tuple[str, ...]]
    """By engine; `all` for both."""
    source: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Record:
        """Read one entry of a component's `upgrades`."""
        steps = {engine: tuple(lines) for engine, lines in (said.get("steps") or {}).items()}
        return cls(
            _series(said["from"]),
            _series(said["to"]),
            Verdict(said["verdict"]),
            said["why"],
            steps,
            said["source"],
        )


@dataclass(frozen=True, slots=True)
class Move:
    """A component that changes its version."""

    component: str
    old: str
    """Empty when it is new."""
    new: str
    """Empty when it is taken away."""
    clusters: tuple[str, ...] = ()
    """Where; empty when nobody said."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A move and what is to be said of it."""

    move: Move
    verdict: Verdict
    why: tuple[str, ...]
    steps: tuple[str, ...]
    """In order."""
    sources: tuple[str, ...]


def records(template: Template) -> dict[str, tuple[Record, ...]]:
    """What is recorded about each component, by name; most of them have nothing yet."""
    return {
        name: tuple(map(Record.of, said.get("upgrades") or ()))
        for name, said in component_data(template).items()
    }


def moves(old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]) -> list[Move]:
    """What changes between two states: versions by component and cluster."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, {}), new.get(name, {})
        for cluster in sorted(before.keys() | after.keys()):
            key = (name, before.get(cluster, ""), after.get(cluster, ""))
            if key[1] != key[2]:
                found.setdefault(key, []).append(cluster)
    return [Move(*key, tuple(filter(None, clusters))) for key, clusters in found.items()]


def judge(move: Move, known: Iterable[Record], engine: str = "") -> Judgement:
    """Say what is known about a move.

    Args:
        move: Of a component.
        known: What is recorded about it.
        engine: Whose steps are wanted besides those that both need; all when empty.
    """
    if not move.old:
        return Judgement(move, Verdict.ADDED, ("It is new here.",), (), ())
    if not move.new:
        why = "It is taken away, and with it what it keeps, unless that is kept elsewhere."
        return Judgement(move, Verdict.REMOVED, (why,), (), ())
    path = _path(_version(move.old), _version(move.new), tuple(known))
    if not path:
        return Judgement(move, Verdict.UNKNOWN, (_unknown(move),), (), ())
    worst = max((record.verdict for record in path), key=_WORSE.index)
    stops = len(path) > 1
    return Judgement(
        move,
        max(worst, Verdict.MANUAL if stops else Verdict.SAFE, key=_WORSE.index),
        tuple(record.why for record in path),
        tuple(_steps(path, engine)),
        tuple(dict.fromkeys(record.source for record in path)),
    )


def _steps(path: tuple[Record, ...], engine: str) -> Iterator[str]:
    """What to do on the way, and where to stop."""
    for place, record in enumerate(path):
        for whose, lines in record.steps.items():
            if whose == "all" or not engine or whose == engine:
                yield from lines
        if place < len(path) - 1:
            series = ".".join(map(str, record.new))
            yield f"Stop at {series} until it is ready everywhere; only each step is recorded."


def _unknown(move: Move) -> str:
    old, new = _version(move.old), _version(move.new)
    if not old or not new:
        return "A version that is no release cannot be judged."
    if new < old:
        return "Nobody recorded whether it can go back."
    return "Nothing is recorded about this move; read its release notes, and add a record."


def _version(said: str) -> tuple[int, ...]:
    """A release as numbers; empty for anything else, such as a branch or a release candidate."""
    match = _RELEASE.fullmatch(said)
    return tuple(int(number or 0) for number in match.groups()) if match else ()


def _series(said: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in str(said).split("."))


def _path(
    old: tuple[int, ...], new: tuple[int, ...], known: tuple[Record, ...]
) -> tuple[Record, ...]:
    """The fewest records that lead from one version to another; empty when none do."""
    if not old or not new or new < old:
        return ()
    ways: list[tuple[Record, ...]] = [
        (record,) for record in known if old[: len(record.old)] == record.old
    ]
    for _ in known:
        for way in ways:
            end = way[-1]
            within = end.old == end.new
            if new[: len(end.new)] == end.new and (not within or len(way) == 1):
                return way
        ways = [
            (*way, record)
            for way in ways
            for record in known
            if record.old == way[-1].new and record.new > record.old
        ]
    return ()
