"""Objects that two units fight over."""

from __future__ import annotations

from posixpath import normpath
from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundplan.gitops.model import Unit
    from groundplan.repository import Repository
    from groundplan.resources import Resource

SHARING = frozenset({"Merge", "IfNotPresent", "Ignore"})
"""How Flux is told to leave an object, or parts of it, to others."""


def _one_owner(repository: Repository) -> Iterator[Outcome]:
    """Find objects that two units of a cluster apply from different files or folders."""
    for graph in repository.graphs:
        passed = 0
        for owners in graph.objects.values():
            rivals = _rivals(owners)
            twice = [pair for pair in rivals if not _overlap(pair[0][0], pair[1][0])]
            for (first, one), (second, other) in twice[:1]:
                yield OWNER.fail(
                    f"{other.id} is applied by {second.id} and by {first.id} "
                    f"(from {repository.locate(one.origin)})",
                    repository.locate(other.origin),
                    other.id,
                )
            passed += not twice
        yield Passed(passed)


def _no_overlap(repository: Repository) -> Iterator[Outcome]:
    """Find units whose folders lie inside each other and that apply the same objects."""
    for graph in repository.graphs:
        shared: dict[tuple[str, str], tuple[Unit, Unit, Resource]] = {}
        for owners in graph.objects.values():
            for (first, _), (second, resource) in _rivals(owners):
                if _overlap(first, second):
                    pair = (str(first.id), str(second.id))
                    shared.setdefault(pair, (first, second, resource))
        for first, second, resource in shared.values():
            yield OVERLAP.fail(
                f"{second.id} applies {', '.join(second.paths)}, which overlaps with "
                f"{', '.join(first.paths)} of {first.id}: both apply {resource.id}",
                repository.locate(second.origin, "/spec/path"),
                second.id,
            )
        yield Passed(len(graph.units) - len({second for _, second in shared}))


def _rivals(
    owners: Sequence[tuple[Unit, Resource]],
) -> list[tuple[tuple[Unit, Resource], tuple[Unit, Resource]]]:
    """The units that apply one object without saying that they share it: the first with each."""
    if len(owners) == 1:
        return []
    claims = {unit.id.key: (unit, resource) for unit, resource in owners if not _shared(resource)}
    distinct = list(claims.values())
    return [(distinct[0], other) for other in distinct[1:]]


def _shared(resource: Resource) -> bool:
    """Whether an object says that Flux leaves some of it to others."""
    match resource.body.get("metadata"):
        case {"annotations": {"kustomize.toolkit.fluxcd.io/ssa": str(mode)}}:
            return mode in SHARING
    return False


def _overlap(first: Unit, second: Unit) -> bool:
    """Whether a folder of one unit is, or lies in, a folder of the other."""
    folders = ((_folder(one), _folder(other)) for one in first.paths for other in second.paths)
    return any(one.startswith(other) or other.startswith(one) for one, other in folders)


def _folder(path: str) -> str:
    """A folder so that those inside it begin with it; the root is empty."""
    return f"{normpath(path)}/".removeprefix("./")


OWNER = Check(
    "GIT007",
    "Every object has one owner",
    Severity.HIGH,
    "Keep the object in one unit: two owners undo, or even delete, each other's work.",
    _one_owner,
)
OVERLAP = Check(
    "GIT008",
    "No unit applies the folder of another",
    Severity.HIGH,
    "Add a kustomization.yaml that leaves the inner folder out, or move one of the two folders.",
    _no_overlap,
)
CHECKS = (OWNER, OVERLAP)
