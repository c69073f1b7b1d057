"""Two states of a repository side by side: what is allowed on one side only, cluster by cluster."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from groundplan import documents as yaml_documents
from groundplan.findings import Location
from groundplan.gitops import load_clusters
from groundplan.graph import GENERATORS, HARMLESS
from groundplan.posture import admission, gitops_guards
from groundplan.posture.catalogue import ENTRIES, check_of, tier_of
from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.owners import Owner, Owners, responsible
from groundplan.posture.pod_security_checks import mapping
from groundplan.repository import answers_of, manifest_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.documents import Document, YamlProblem
    from groundplan.gitops.model import Cluster, Release, Unit
    from groundplan.graph import Key
    from groundplan.resources import Origin, Resource, ResourceId
    from groundplan.tree import Tree

DIMENSIONS: tuple[tuple[Dimension, str], ...] = (
    (Dimension.RBAC, "rbac"),
    (Dimension.NETWORK, "network"),
    (Dimension.POD_SECURITY, "pod_security"),
    (Dimension.ADMISSION, "admission"),
    (Dimension.IDENTITY, "identity"),
    (Dimension.GITOPS, "gitops_guards"),
)
"""What is compared, and the module that has its `compare`."""

ELSEWHERE = frozenset({"other-source", "remote-base"})
"""Kinds of problem that name something outside: the same reference gives the same objects."""


Read = tuple["tuple[Document, ...]", "tuple[YamlProblem, ...]"]
"""What a file says, and what is wrong with it."""


class Input(NamedTuple):
    """What something is made from that is not in the repository."""

    digest: str
    origin: Origin
    subject: str


@dataclass(frozen=True)
class Side:
    """One state of a repository."""

    tree: Tree
    clusters: Mapping[str, Cluster]
    manifests: Mapping[str, Read] = field(default_factory=dict, kw_only=True)
    """By path."""

    @classmethod
    def of(cls, tree: Tree, other: Side | None = None) -> Side:
        """Build the clusters of a repository.

        What the other side has, whose files are nearly the same, is not read again.
        """
        read = dict(_manifests(tree, other))
        problems = [problem for _, found in read.values() for problem in found]
        documents = {path: found for path, (found, _) in read.items()}
        clusters = load_clusters(tree, documents, problems)
        return cls(tree, {cluster.name: cluster for cluster in clusters}, manifests=read)

    def state(self, name: str) -> State:
        """Everything that is applied to a cluster, the units themselves included."""
        units = self.clusters[name].units if name in self.clusters else ()
        return State(name, tuple(r for unit in units for r in unit.resources))

    @cached_property
    def tier(self) -> str:
        """The tier that says what a change may not do."""
        return tier_of(answers_of(self.tree))

    @cached_property
    def owners(self) -> Mapping[str, Owners]:
        """Who owns what on each cluster."""
        return {name: Owners.read(self.tree, cluster) for name, cluster in self.clusters.items()}

    def inputs(self, name: str) -> Mapping[tuple[str, ...], Input]:
        """What charts and generating controllers of a cluster are given."""
        return _inputs(self.clusters[name])

    def owners_of(self, name: str) -> Owners:
        """Who owns what on a cluster, or only the files when there is no such cluster."""
        return self.owners.get(name) or Owners.read(self.tree, None)


def _manifests(tree: Tree, other: Side | None) -> Iterator[tuple[str, Read]]:
    for path in manifest_paths(tree):
        content = tree.files[path]
        if other and path in other.manifests and other.tree.files[path] == content:
            yield path, other.manifests[path]
        else:
            yield path, yaml_documents.parse(path, content)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that cannot be compared, so that no dimension is known to be equal."""

    cluster: str
    subject: str
    reason: str
    location: Location


@dataclass(frozen=True, slots=True)
class Judged:
    """A change, where it is written, who mends it and whom it affects."""

    change: Change
    clusters: tuple[str, ...]
    location: Location
    fix: Owner
    affected: Owner
    noted: bool = False
    """Whether the tier only takes note of what it says."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that can be said about two states."""

    changes: tuple[Judged, ...]
    gaps: tuple[Gap, ...]
    evaluated: tuple[Dimension, ...]
    not_evaluated: Mapping[Dimension, str] = field(default_factory=dict)
    clusters: tuple[str, ...] = ()

    def of(self, *verdicts: Verdict) -> tuple[Judged, ...]:
        """The changes with some verdicts."""
        return tuple(judged for judged in self.changes if judged.change.verdict in verdicts)

    @property
    def unowned(self) -> tuple[Judged, ...]:
        """The changes that nobody in the repository owns: a finding of its own, OWN-001."""
        return tuple(j for j in self.changes if not (j.fix.known and j.affected.known))

    @property
    def refused(self) -> tuple[Judged, ...]:
        """What widened and the tier does not let pass."""
        return tuple(judged for judged in self.of(Verdict.WIDENED) if not judged.noted)

    @property
    def incomparable(self) -> bool:
        """Whether anything could not be compared that the tier does not let pass."""
        unclear = (judged for judged in self.of(Verdict.INCOMPARABLE) if not judged.noted)
        return bool(self.gaps or any(unclear))


def compare(base: Side, head: Side) -> Comparison:
    """Compare two states in every dimension that groundplan knows."""
    known = {d: m for d, m in DIMENSIONS if find_spec(f"groundplan.posture.{m}") is not None}
    modules = [import_module(f"groundplan.posture.{name}") for name in known.values()]
    names = tuple(sorted({*base.clusters, *head.clusters}))
    found: dict[str, list[tuple[str, Change]]] = {}
    for name in names:
        states = base.state(name), head.state(name)
        changes = chain.from_iterable(module.compare(*states) for module in modules)
        for change in changes:
            found.setdefault(change.fingerprint, []).append((name, change))
    trees = base.tree, head.tree
    for change in (*gitops_guards.compare_files(*trees), *admission.compare_files(*trees)):
        found.setdefault(change.fingerprint, []).append(("", change))
    judged = (_judge(same, base, head) for same in found.values())
    reason = "this version of groundplan does not compare it"
    return Comparison(
        tuple(sorted(judged, key=_order)),
        tuple(_gaps(base, head, names)),
        tuple(known),
        {dimension: reason for dimension, _ in DIMENSIONS if dimension not in known},
        names,
    )


def _order(judged: Judged) -> tuple[int, str, str, str]:
    change = judged.change
    return list(Verdict).index(change.verdict), change.dimension, str(change.subject), change.atom


def _judge(same: list[tuple[str, Change]], base: Side, head: Side) -> Judged:
    """Fold one change of several clusters, and say who it belongs to."""
    cluster, change = same[0]
    fix, affected = responsible(change, base.owners_of(cluster), head.owners_of(cluster))
    sides = (base, head) if change.gone else (head, base)
    location = _locate(change.origin, change.pointer, *sides)
    clusters = tuple(dict.fromkeys(name for name, _ in same if name))
    noted = base.tier in ENTRIES[check_of(change)].noted
    return Judged(change, clusters, location, fix, affected, noted)


def _locate(origin: Origin | None, pointer: str, side: Side, other: Side) -> Location:
    """Find the line of a place, on the other side when the first one does not have the file."""
    if origin is None:
        return Location("")
    content = side.tree.files.get(origin.path, other.tree.files.get(origin.path))
    whole = origin.pointer + pointer
    line = 0 if content is None else yaml_documents.locate(content, origin.document, whole)
    return Location(origin.path, line, whole)


def _gaps(base: Side, head: Side, names: tuple[str, ...]) -> Iterator[Gap]:
    """Find what keeps the two sides from being compared."""
    if not names:
        yield Gap("", "repository", "neither side has an entry point", Location(""))
    for name in names:
        before, after = base.clusters.get(name), head.clusters.get(name)
        if before is None or after is None:
            side = "BASE" if before is None else "HEAD"
            only = before or after
            path = only.path if only else ""
            yield Gap(name, f"cluster {name}", f"{side} has no such cluster", Location(path))
        else:
            yield from _unknown(before, after, base, head)


def _unknown(before: Cluster, after: Cluster, base: Side, head: Side) -> Iterator[Gap]:
    """Find what was not built on a side, and what only a controller would build."""
    name = after.name
    for cluster, label, sides in ((before, "BASE", (base, head)), (after, "HEAD", (head, base))):
        for unit in cluster.units:
            for problem in unit.problems:
                if problem.kind not in HARMLESS | ELSEWHERE:
                    place = _locate(problem.origin, problem.pointer, *sides)
                    yield Gap(name, str(unit.id), f"{label}: {problem.message}", place)
            for resource in unit.unresolved:
                place = _locate(resource.origin, "", *sides)
                yield Gap(name, str(resource.id), f"{label}: its contents are unknown", place)
    old, new = base.inputs(name), head.inputs(name)
    for key in sorted({*old, *new}):
        given = new.get(key) or old[key]
        if old.get(key, ("",))[0] != new.get(key, ("",))[0]:
            reason = "its input changed, and what it makes is not in the repository"
            yield Gap(name, given.subject, reason, _locate(given.origin, "", head, base))


def _inputs(cluster: Cluster) -> dict[tuple[str, ...], Input]:
    """What charts and generating controllers are given."""
    found: dict[tuple[str, ...], Input] = {}
    everything = {r.id.key: r for unit in cluster.units for r in unit.resources}
    for unit in cluster.units:
        for release in unit.releases:
            text = _release(release, everything.get(release.id.key))
            found[release.id.key] = _input(text, release.origin, release.id)
        for problem in unit.problems:
            if problem.kind in ELSEWHERE:
                text = problem.message + _reference(unit, everything)
                found[*unit.id.key, problem.message] = _input(text, problem.origin, unit.id)
    for key, resource in everything.items():
        if key[:2] in GENERATORS:
            text = json.dumps(resource.body.get("spec"), sort_keys=True)
            found[key] = _input(text, resource.origin, resource.id)
    return found


def _input(text: str, origin: Origin, subject: ResourceId) -> Input:
    return Input(hashlib.sha256(text.encode()).hexdigest()[:32], origin, str(subject))


def _reference(unit: Unit, everything: Mapping[Key, Resource]) -> str:
    """What a unit takes from elsewhere: its own words, and those of its source."""
    own = everything.get(unit.id.key)
    spec = mapping(own.body, "spec") if own else {}
    named = mapping(spec, "sourceRef")
    namespace = named.get("namespace", unit.id.namespace)
    same = (namespace, named.get("name"))
    sources = [
        r.body.get("spec") for k, r in everything.items() if "source" in k[0] and k[2:] == same
    ]
    wanted = {
        name: spec.get(name) for name in ("path", "patches", "source", "sources", "components")
    }
    return json.dumps([wanted, sources], sort_keys=True)


def _release(release: Release, written: Resource | None) -> str:
    """All that decides what a chart renders."""
    spec = written.body.get("spec") if written else None
    patches = spec.get("postRenderers") if isinstance(spec, dict) else None
    chart = (release.repository, release.chart, release.version, release.namespace)
    values = [value.body for value in release.values]
    return json.dumps([chart, values, patches], sort_keys=True)
