"""Where models lie before they are served: filled whole, and on the volume that is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import PodOf, Rule, objects, pods, tolerated
from groundplan.costs import quantity
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.verify.pools import pools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository

_GROUP = "serving.kserve.io"
_PINNED = re.compile(r"hf://[^@:]+/[^@:]+:[0-9a-f]{40}|(?!hf:).*@sha256:[0-9a-f]{64}")
_MUTATES = frozenset(("ClusterPolicy", "MutatingAdmissionPolicy", "MutatingPolicy"))
_FILL = frozenset(("Job", "DaemonSet"))
_AGENT = "kserve-localmodelnode-agent"


def _claims(pod: PodOf) -> Iterator[tuple[str, str, bool]]:
    """The claims of a pod: name, volume, and whether a container that stays writes to it."""
    for volume in map(mapping, items(pod.spec, "volumes")):
        claim = mapping(volume, "persistentVolumeClaim")
        if claim:
            name = str(volume.get("name"))
            written = not claim.get("readOnly") and any(
                mapping(mount).get("name") == name and not mapping(mount).get("readOnly")
                for container, _ in pod.containers
                for mount in items(container, "volumeMounts")
            )
            yield str(claim.get("claimName")), name, written


def _gated(repository: Repository) -> Iterator[Outcome]:
    """Find servers that may start while a pod still fills their volume, once or on each node."""
    filled = {
        (pod.resource.id.namespace, claim): pod.resource.id
        for pod in pods(repository)
        if pod.resource.id.kind in _FILL
        for claim, _, written in _claims(pod)
        if written
    }
    for pod in pods(repository):
        if pod.resource.id.kind in {*_FILL, "CronJob"} or not pod.accelerated:
            continue
        for claim, volume, _ in _claims(pod):
            job = filled.get((pod.resource.id.namespace, claim))
            if job is None:
                continue
            looks = any(
                mapping(mount).get("name") == volume
                for container in map(mapping, items(pod.spec, "initContainers"))
                for mount in items(container, "volumeMounts")
            )
            if looks:
                yield Passed()
            else:
                yield GATED.fail(
                    f"{pod.resource.id} may start while {job} still fills {claim}",
                    repository.locate(pod.resource.origin, f"{pod.pointer}/spec/volumes"),
                    pod.resource.id,
                )


def _split(body: Mapping[str, Any]) -> Iterator[Fault]:
    """What of a node group would never bind, or never be found."""
    volume = mapping(body, "spec", "persistentVolumeSpec")
    claim = mapping(body, "spec", "persistentVolumeClaimSpec")
    classes = volume.get("storageClassName"), claim.get("storageClassName")
    if classes[0] != classes[1]:
        what = f"makes volumes of class {classes[0]} and claims of class {classes[1]}"
        yield "/spec/persistentVolumeClaimSpec/storageClassName", what
    limit = mapping(body, "spec").get("storageLimit")
    capacity = mapping(volume, "capacity").get("storage")
    if limit is not None and capacity is not None and quantity(limit) > quantity(capacity):
        yield "/spec/storageLimit", f"allows {limit} on volumes of {capacity}"


def _grouped(repository: Repository) -> Iterator[Outcome]:
    """Find caches on nodes that nobody describes, of models that are not named by what they are."""
    groups = {r.id.name for r in objects(repository) if r.id.kind == "LocalModelNodeGroup"}
    for cache in objects(repository):
        if (cache.id.group, cache.id.kind) != (_GROUP, "LocalModelCache"):
            continue
        spec = mapping(cache.body, "spec")
        faults = [
            (f"/spec/nodeGroups/{number}", f"is for the node group {name}, which is not there")
            for number, name in enumerate(items(spec, "nodeGroups"))
            if name not in groups
        ]
        source = str(spec.get("sourceModelUri"))
        if not _PINNED.fullmatch(source):
            faults.append(("/spec/sourceModelUri", f"keeps whatever {source} is on that day"))
        for pointer, what in faults:
            place = repository.locate(cache.origin, pointer)
            yield GROUPED.fail(f"{cache.id} {what}", place, cache.id)
        if not faults:
            yield Passed()


def _found(repository: Repository) -> Iterator[Outcome]:
    """Find node groups whose folder is not the one that the agent looks into."""
    folders = {
        str(mapping(mapping(volume), "hostPath").get("path"))
        for pod in pods(repository)
        if pod.resource.id.name.startswith(_AGENT)
        for volume in items(pod.spec, "volumes")
        if "hostPath" in mapping(volume)
    }
    for group in objects(repository):
        if not folders or group.id.kind != "LocalModelNodeGroup":
            continue
        path = mapping(group.body, "spec", "persistentVolumeSpec", "local").get("path")
        if path in folders:
            yield Passed()
        else:
            yield FOUND.fail(
                f"{group.id} keeps models in {path}, and the agent looks into "
                f"{', '.join(sorted(folders))}",
                repository.locate(group.origin, "/spec/persistentVolumeSpec/local/path"),
                group.id,
            )


def _reached(repository: Repository) -> Iterator[Outcome]:
    """Find node groups of KServe whose nodes keep away the Jobs that fetch models onto them."""
    every = list(objects(repository))
    added = any(one.id.kind in _MUTATES and _tolerates(one.body) for one in every)
    known = pools(every)
    for group in every:
        if (group.id.group, group.id.kind) != (_GROUP, "LocalModelNodeGroup"):
            continue
        kept = sorted(
            f"{taint.get('key')} of {pool.name}"
            for pool in known
            if _selected(mapping(group.body, "spec", "persistentVolumeSpec"), pool.labels)
            for taint in pool.taints
            if not tolerated(taint, ())
        )
        if added or not kept or "olerations" in str(mapping(group.body, "spec")):
            yield Passed()
        else:
            yield REACHED.fail(
                f"{group.id} is for nodes with a taint ({', '.join(kept)}) that no Job which "
                "fetches a model tolerates",
                repository.locate(group.origin, "/spec/persistentVolumeSpec/nodeAffinity"),
                group.id,
            )


def _tolerates(policy: Mapping[str, Any]) -> bool:
    """Whether a policy adds tolerations: the API server lets no ApplyConfiguration touch them."""
    said = items(mapping(policy, "spec"), "mutations") or [policy]
    return any("tolerations" in str({**mapping(one), "applyConfiguration": None}) for one in said)


def _selected(volume: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a volume is for nodes with these labels, by a term that names some of them."""
    terms = items(mapping(volume, "nodeAffinity", "required"), "nodeSelectorTerms")
    return any(
        all(
            one.get("operator") == "In" and labels.get(str(one.get("key"))) in items(one, "values")
            for one in map(mapping, said)
        )
        for said in (items(mapping(term), "matchExpressions") for term in terms)
        if said
    )


GATED = Check(
    "MOD004",
    "No server starts on a half-filled volume",
    Severity.HIGH,
    "Let what fills it write a marker last, and an init container of the server look for it.",
    _gated,
)
GROUPED = Check(
    "MOD006",
    "KServe's caches are of pinned models, on node groups that are there",
    Severity.MEDIUM,
    "Name the commit after a colon or the digest, and a LocalModelNodeGroup of this repository.",
    _grouped,
)
FOUND = Check(
    "MOD007",
    "KServe's agent looks where node groups keep models",
    Severity.HIGH,
    "Give persistentVolumeSpec.local.path and the agent's hostPath the same folder.",
    _found,
)
REACHED = Check(
    "MOD008",
    "KServe's Jobs reach the nodes that models are fetched onto",
    Severity.HIGH,
    "Have an admission policy add the toleration to the Jobs' pods, or take the taint away.",
    _reached,
)
SPLIT = Rule(
    "MOD005",
    "Volumes and claims of a node group fit each other",
    Severity.HIGH,
    "Give both the same storage class, and no more storage than a volume has.",
    {(_GROUP, "LocalModelNodeGroup")},
    _split,
)
CHECKS = (GATED, GROUPED, FOUND, REACHED, SPLIT.check())
