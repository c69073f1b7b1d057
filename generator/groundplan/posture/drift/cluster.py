"""Drift of a cluster that runs: what is there beyond what git declares for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from groundplan.errors import UsageError
from groundplan.findings import Location
from groundplan.gitops.model import Cluster, Unit
from groundplan.posture.catalogue import STRAY
from groundplan.posture.comparison import Judged, Side, compare
from groundplan.posture.drift import approvals
from groundplan.posture.drift.baseline import Remembered
from groundplan.posture.drift.belonging import Belonging
from groundplan.posture.drift.judging import Drift, judge
from groundplan.posture.drift.live import ALWAYS
from groundplan.posture.drift.projection import SILENT, objects, projected
from groundplan.posture.model import Change, Dimension, Verdict
from groundplan.posture.owners import responsible
from groundplan.resources import Origin, ResourceId

if TYPE_CHECKING:
    from datetime import date

    from groundplan.posture.drift.live import Kind, Reader
    from groundplan.resources import Resource


def drift(git: Side, owned: Side, name: str | None, read: Reader, today: date) -> Drift:
    """Compare what runs with what git declares.

    Args:
        git: The repository.
        owned: Where approvals and owners are read; may be the same.
        name: Which of its clusters; it may be left out when there is only one.
        read: Reads the cluster.
        today: The day by which approvals end.

    Raises:
        UsageError: `posture.no-such-cluster`.
        ToolError: The cluster cannot be read.
    """
    cluster = _chosen(git, name)
    declared = _declared(git, cluster)
    # Every version of a kind has the same objects.
    asked = {kind[::2]: kind for kind in (*ALWAYS, *sorted({_kind(r) for r in declared}))}
    live = read(asked.values())
    unknown = {kind[::2] for kind in live.unread}
    known = [r for r in declared if (r.id.group, r.id.kind) not in unknown]
    managed = {resource.id.key: resource.origin for resource in declared}
    extra = [r for r in live.resources if r.id.key not in managed]
    known_kinds = frozenset({*asked} - unknown)
    belonging = Belonging(cluster, frozenset(managed), live.resources, known_kinds)
    whose = {resource.id.key: belonging.of(resource) for resource in extra}
    # What git has too is shown where git has it; its owner is who owns that.
    kept = [
        replace(r, origin=managed.get(r.id.key, r.origin))
        for r in live.resources
        if not whose.get(r.id.key)
    ]
    found = compare(
        _side(git, owned, cluster, known),
        _side(git, owned, cluster, list(objects(kept))),
    )
    unmanaged = (_unmanaged(r, cluster.name, owned) for r in extra if not whose[r.id.key])
    listed = tuple(judged for judged in unmanaged if judged.change.subject.kind != "ServiceAccount")
    accepted, faults = approvals.read(owned.tree.files)
    judged = judge(replace(found, changes=(*found.changes, *listed)), accepted, today)
    counted = Counter(sorted(filter(None, whose.values())))
    reasons = {f"{kind} ({group or 'core'})": why for (group, _, kind), why in live.unread.items()}
    return replace(judged, faults=faults, belongs=counted, unread=reasons)


def _chosen(git: Side, name: str | None) -> Cluster:
    names = sorted(git.clusters)
    wanted = names[0] if name is None and len(names) == 1 else name or ""
    if wanted in git.clusters:
        return git.clusters[wanted]
    raise UsageError(
        "posture.no-such-cluster",
        f"there is no cluster {name}" if name else f"there are {len(names)} clusters",
        where="--cluster",
        fix=f"name one of {', '.join(names) or 'them (none was found)'}",
    )


def _declared(git: Side, cluster: Cluster) -> list[Resource]:
    """What git declares for a cluster, of the kinds that are read."""
    units = projected(git).clusters[cluster.name].units
    return [r for unit in units for r in unit.resources if r.id.kind not in SILENT]


def _kind(resource: Resource) -> Kind:
    return resource.id.group, resource.id.version, resource.id.kind


def _side(git: Side, owned: Side, cluster: Cluster, resources: list[Resource]) -> Remembered:
    """One of the two sides; charts are not compared, as their objects belong to them."""
    unit = Unit(
        ResourceId("", "", "Cluster", "", cluster.name),
        Origin(""),
        (),
        (),
        0,
        tuple(sorted(resources, key=lambda resource: resource.id)),
        (),
        (),
    )
    clusters = {cluster.name: replace(cluster, units=(unit,))}
    return Remembered(git.tree, clusters, {}, owned)


def _unmanaged(resource: Resource, cluster: str, owned: Side) -> Judged:
    change = Change(
        dimension=Dimension.GITOPS,
        verdict=Verdict.WIDENED,
        atom="is on the cluster and not in git",
        subject=resource.id,
        origin=None,
        pointer="",
        detail="nobody reviews it, and no engine removes it",
        policy=STRAY,
    )
    owners = owned.owners_of(cluster)
    fix, affected = responsible(change, owners, owners)
    return Judged(change, (cluster,), Location(f"live: {resource.id}"), fix, affected)
