"""Kueue's view of nodes: it counts those that exist, and lets in what asks for a level they have.

Read in Kueue 0.19.2: a flavour with a topology is looked at node by node, nobody makes nodes for
what is held back unless a ProvisioningRequest is asked for first, a node without one of the labels
is not seen, and a queue with flavours of both kinds gives those with a topology only to who asks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.checks._objects import PodOf, objects, pods
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.verify.pools import Pool, pools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.repository import Repository
    from groundplan.resources import Resource

_GROUP = "kueue.x-k8s.io"
_ELSEWHERE = {None, f"{_GROUP}/provisioning-request", f"{_GROUP}/multikueue"}
"""Who answers admission checks by having nodes made, or by another cluster; None is not known."""
_QUEUE = f"{_GROUP}/queue-name"
_LEVELS = tuple(f"{_GROUP}/podset-{how}-topology" for how in ("required", "preferred"))
_ASKING = (
    *_LEVELS,
    f"{_GROUP}/podset-unconstrained-topology",
    f"{_GROUP}/podset-slice-required-topology",
    f"{_GROUP}/podset-slice-required-topology-constraints",
)
_CARRIED = "node.cluster.x-k8s.io/"
"""What Cluster API carries over to nodes, so that a pool says whether they have it."""


@dataclass(frozen=True)
class _Queues:
    """The objects of Kueue, by name."""

    flavours: Mapping[str, Resource]
    topologies: Mapping[str, tuple[str, ...]]
    clusters: Mapping[str, Resource]
    locals: Mapping[tuple[str, str], str]
    controllers: Mapping[str, str]
    """Who answers each admission check."""

    @classmethod
    def of(cls, found: list[Resource]) -> _Queues:
        by_kind: dict[str, dict[tuple[str, str], Resource]] = defaultdict(dict)
        for resource in found:
            if resource.id.group == _GROUP:
                by_kind[resource.id.kind][resource.id.namespace, resource.id.name] = resource
        named = {
            kind: {name: one for (_, name), one in those.items()} for kind, those in by_kind.items()
        }
        return cls(
            named.get("ResourceFlavor", {}),
            {
                name: tuple(
                    str(mapping(level).get("nodeLabel"))
                    for level in items(mapping(one.body, "spec"), "levels")
                )
                for name, one in named.get("Topology", {}).items()
            },
            named.get("ClusterQueue", {}),
            {
                key: str(mapping(one.body, "spec").get("clusterQueue"))
                for key, one in by_kind["LocalQueue"].items()
            },
            {
                name: str(mapping(one.body, "spec").get("controllerName"))
                for name, one in named.get("AdmissionCheck", {}).items()
            },
        )

    def levels(self, flavour: str) -> tuple[str, ...] | None:
        """The levels that a flavour has; None where Kueue does not look at nodes."""
        if flavour not in self.flavours:
            return None
        topology = mapping(self.flavours[flavour].body, "spec").get("topologyName")
        return self.topologies.get(str(topology), ()) if topology else None

    def asks_for_nodes(self, queue: str, flavour: str) -> bool:
        """Whether a queue has nodes made before it looks for a place in a flavour."""
        spec = mapping(self.clusters[queue].body, "spec")
        rules = items(mapping(spec, "admissionChecksStrategy"), "admissionChecks")
        rules = [*rules, *({"name": name} for name in items(spec, "admissionChecks"))]
        return any(
            self.controllers.get(str(rule.get("name"))) in _ELSEWHERE
            and flavour in (items(rule, "onFlavors") or [flavour])
            for rule in map(mapping, rules)
        )


def _flavours_of(queue: Resource) -> list[str]:
    return [
        str(mapping(flavour).get("name"))
        for group in items(mapping(queue.body, "spec"), "resourceGroups")
        for flavour in items(mapping(group), "flavors")
    ]


def _unseen(repository: Repository) -> Iterator[Outcome]:
    """Find flavours of whose nodes Kueue sees none, for a while or for ever."""
    found = list(objects(repository))
    queues, declared = _Queues.of(found), pools(found)
    for name, flavour in queues.flavours.items():
        spec = mapping(flavour.body, "spec")
        topology = spec.get("topologyName")
        if not topology:
            continue
        labels = mapping(spec, "nodeLabels")
        fitting = [pool for pool in declared if labels.items() <= pool.labels.items()]
        if topology not in queues.topologies:
            fault = f"names the topology {topology}, which is not there: its queues let nothing in"
        elif not fitting:
            yield Skipped(str(flavour.id), "no node pool that it stands for is declared")
            continue
        else:
            fault = _absent(name, queues, fitting)
        if fault:
            place = repository.locate(flavour.origin, "/spec/topologyName")
            yield UNSEEN.fail(f"{flavour.id} {fault}", place, flavour.id)
        else:
            yield Passed()


def _absent(flavour: str, queues: _Queues, fitting: list[Pool]) -> str:
    for pool in fitting:
        for level in queues.levels(flavour) or ():
            if level.startswith(_CARRIED) and level not in pool.labels:
                return f"looks for nodes with {level}, which {pool.name} does not give them"
    using = [name for name, queue in queues.clusters.items() if flavour in _flavours_of(queue)]
    waiting = [name for name in using if not queues.asks_for_nodes(name, flavour)]
    if waiting and not any(pool.least for pool in fitting):
        return (
            f"lets nothing in while {fitting[0].name} is empty, and then nobody makes a node: "
            f"{waiting[0]} has no admission check that asks for one"
        )
    return ""


def _misplaced(repository: Repository) -> Iterator[Outcome]:
    """Find pods that wait for ever because of the level that they ask for, or of none."""
    queues = _Queues.of(list(objects(repository)))
    for pod in pods(repository):
        local = {**pod.labels, **mapping(pod.resource.body, "metadata", "labels")}.get(_QUEUE)
        if not local:
            continue
        queue = queues.locals.get((pod.resource.id.namespace, str(local)), "")
        if queue not in queues.clusters:
            yield Skipped(str(pod.resource.id), "its queue is not in this repository")
            continue
        fault = _refused(pod, queues, _flavours_of(queues.clusters[queue]))
        if fault:
            place = repository.locate(pod.resource.origin, pod.place(""))
            yield MISPLACED.fail(f"{pod.resource.id} {fault}", place, pod.resource.id)
        else:
            yield Passed()


def _refused(pod: PodOf, queues: _Queues, flavours: list[str]) -> str:
    """Why no flavour of its queue takes a pod; where some are not here, nobody knows."""
    if not queues.flavours.keys() >= set(flavours):
        return ""
    open_to = [name for name in flavours if _matches(pod, queues.flavours[name])]
    levels = [queues.levels(name) for name in open_to]
    wanted = next((str(pod.annotations[how]) for how in _LEVELS if how in pod.annotations), "")
    asks = any(how in pod.annotations for how in _ASKING)
    if not open_to:
        return ""
    if wanted and all(wanted not in (those or ()) for those in levels):
        return f"asks for the level {wanted}, which no topology of its queue's flavours has"
    if asks and all(those is None for those in levels):
        return "asks for a topology, and no flavour of its queue has one"
    if not asks and None not in levels and None in map(queues.levels, flavours):
        return f"asks for no topology, and {open_to[0]} is given only to those that do"
    return ""


def _matches(pod: PodOf, flavour: Resource) -> bool:
    chosen = mapping(pod.spec, "nodeSelector")
    labels = mapping(flavour.body, "spec", "nodeLabels")
    return all(chosen.get(key, value) == value for key, value in labels.items())


UNSEEN = Check(
    "GPU031",
    "A flavour with a topology has nodes that Kueue sees",
    Severity.HIGH,
    "Keep the pool's nodes, or ask for them by an admission check; give each every level's label.",
    _unseen,
)
MISPLACED = Check(
    "GPU032",
    "What waits in a queue asks for a level that its nodes have",
    Severity.HIGH,
    "Annotate each pod template with podset-required-, -preferred- or -unconstrained-topology.",
    _misplaced,
)
CHECKS = (UNSEEN, MISPLACED)
