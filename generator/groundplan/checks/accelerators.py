"""Accelerators: nodes that cost, pods that find them, and quotas that hold.

Several of these objects are taken by a strict API server and then do nothing, or harm.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import ACCELERATOR, PodOf, PodRule, Rule, objects
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository
    from groundplan.resources import Resource

NODE_POOL = ("karpenter.sh", "NodePool")
CLAIMS = (("resource.k8s.io", "ResourceClaim"), ("resource.k8s.io", "ResourceClaimTemplate"))
CLASS_DEVICES = ".deviceclass.resource.k8s.io/devices"
"""What quotas call the devices of a class, behind the class's name."""
LATE_LABELS = ("nvidia.com/", "feature.node.kubernetes.io/")
"""Prefixes of labels that appear on a node after it has booted."""
VISIBLE = "NVIDIA_VISIBLE_DEVICES"
_GPU_KEY = re.compile(r"(instance|sku)-gpu-|^nvidia\.com/gpu")
_MINUTES = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def device_quotas(
    repository: Repository,
) -> Iterator[tuple[Resource, Mapping[str, Any], list[str]]]:
    """Each quota with its limits and the device classes that they leave open, by name."""
    found = list(objects(repository))
    classes = sorted(r.id.name for r in found if r.id.kind == "DeviceClass")
    for resource in found:
        if resource.id.kind == "ResourceQuota":
            hard = mapping(resource.body, "spec", "hard")
            yield resource, hard, [c for c in classes if f"{c}{CLASS_DEVICES}" not in hard]


def makes_accelerators(body: Mapping[str, Any]) -> bool:
    """Whether a Karpenter NodePool makes nodes with accelerators."""
    spec = mapping(body, "spec", "template", "spec")
    keys = [str(mapping(r).get("key")) for r in items(spec, "requirements")]
    keys += [str(mapping(t).get("key")) for t in items(spec, "taints")]
    return ACCELERATOR in mapping(body, "spec", "limits") or any(map(_GPU_KEY.search, keys))


def _tolerations(pod: PodOf) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield from enumerate(map(mapping, items(pod.spec, "tolerations")))


def _strays(pod: PodOf) -> Iterator[Fault]:
    for number, toleration in _tolerations(pod):
        everything = toleration.get("operator") == "Exists" and not toleration.get("key")
        if toleration.get("key") == ACCELERATOR or (
            everything and toleration.get("effect") in {None, "", "NoSchedule"}
        ):
            yield f"/spec/tolerations/{number}", "asks for no accelerator and tolerates their nodes"


def _is_plain(pod: PodOf) -> bool:
    # What runs on every node has to tolerate every node.
    return not pod.accelerated and pod.resource.id.kind not in {"DaemonSet", "Pod"}


def _late_labels(pod: PodOf) -> Iterator[Fault]:
    for label in mapping(pod.spec, "nodeSelector"):
        if label.startswith(LATE_LABELS):
            escaped = label.replace("~", "~0").replace("/", "~1")
            yield f"/spec/nodeSelector/{escaped}", f"waits for nodes that bear {label}"
    required = mapping(
        pod.spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    place = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"
    for number, term in enumerate(map(mapping, items(required, "nodeSelectorTerms"))):
        for expression in map(mapping, items(term, "matchExpressions")):
            label = str(expression.get("key"))
            if label.startswith(LATE_LABELS):
                yield f"{place}/nodeSelectorTerms/{number}", f"waits for nodes that bear {label}"


def _untolerated(pod: PodOf) -> Iterator[Fault]:
    keys = {toleration.get("key") for _, toleration in _tolerations(pod)}
    if not keys & {ACCELERATOR, None, ""}:
        yield "/spec", f"asks for accelerators and does not tolerate the taint {ACCELERATOR}"


def _untainted(body: Mapping[str, Any]) -> Iterator[Fault]:
    taints = map(mapping, items(mapping(body, "spec", "template", "spec"), "taints"))
    if makes_accelerators(body) and not any(t.get("effect") == "NoSchedule" for t in taints):
        yield "/spec/template/spec", "makes nodes with accelerators that any pod may fill"


def _unlimited(body: Mapping[str, Any]) -> Iterator[Fault]:
    if makes_accelerators(body) and ACCELERATOR not in mapping(body, "spec", "limits"):
        yield "/spec", "may make nodes with accelerators without end"


def _restless(body: Mapping[str, Any]) -> Iterator[Fault]:
    if not makes_accelerators(body):
        return
    disruption = mapping(body, "spec", "disruption")
    if disruption.get("consolidationPolicy") != "WhenEmpty":
        yield "/spec/disruption", "moves pods off nodes that are not empty"
    elif seconds(str(disruption.get("consolidateAfter", "0s"))) < 300:
        yield "/spec/disruption", "takes an empty node away within five minutes"


def seconds(text: str) -> float:
    """Read a duration as Karpenter writes it; `Never` is without end."""
    found = _MINUTES.fullmatch(text)
    if found is None:
        return float("inf") if text == "Never" else 0
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _floating(body: Mapping[str, Any]) -> Iterator[Fault]:
    terms = enumerate(map(mapping, items(mapping(body, "spec"), "amiSelectorTerms")))
    for number, term in terms:
        alias = str(term.get("alias", ""))
        if alias.endswith("@latest"):
            yield f"/spec/amiSelectorTerms/{number}/alias", f"boots whatever image {alias} is today"


def _dead_quota(body: Mapping[str, Any]) -> Iterator[Fault]:
    for name in mapping(body, "spec", "hard"):
        if name.removeprefix("limits.").startswith("nvidia.com/"):
            escaped = name.replace("/", "~1")
            yield (
                f"/spec/hard/{escaped}",
                f"limits {name}, which Kubernetes stores and never counts",
            )


def _generous_range(body: Mapping[str, Any]) -> Iterator[Fault]:
    for number, limit in enumerate(map(mapping, items(mapping(body, "spec"), "limits"))):
        for part in ("default", "defaultRequest", "max", "min"):
            for name in mapping(limit, part):
                if "/" in name:
                    yield (
                        f"/spec/limits/{number}/{part}",
                        f"gives {name} to every container that does not ask for it",
                    )


def _half_closed(repository: Repository) -> Iterator[Outcome]:
    """Find namespaces that are closed to device plugins and open to the scheduler's claims."""
    for resource, hard, open_ in device_quotas(repository):
        if str(hard.get(f"requests.{ACCELERATOR}")) != "0":
            continue
        if open_:
            yield HALF_CLOSED.fail(
                f"{resource.id} refuses {ACCELERATOR} and leaves the device class {open_[0]} open",
                repository.locate(resource.origin, "/spec/hard"),
                resource.id,
            )
        else:
            yield Passed()


def _claims_of(body: Mapping[str, Any]) -> tuple[list[Any], str]:
    nested = mapping(body, "spec", "spec", "devices")
    if nested:
        return items(nested, "requests"), "/spec/spec/devices/requests"
    return items(mapping(body, "spec", "devices"), "requests"), "/spec/devices/requests"


def _greedy(body: Mapping[str, Any]) -> Iterator[Fault]:
    requests, place = _claims_of(body)
    for number, request in enumerate(map(mapping, requests)):
        exact = mapping(request, "exactly")
        options = [request, exact, *map(mapping, items(request, "firstAvailable"))]
        if any(option.get("allocationMode") == "All" for option in options):
            yield f"{place}/{number}", "claims every device of a node"


def _unseen_claims(repository: Repository) -> Iterator[Outcome]:
    """Find claims in repositories whose nodes come from Karpenter, which does not see claims."""
    found = list(objects(repository))
    pools = [
        r for r in found if (r.id.group, r.id.kind) == NODE_POOL and makes_accelerators(r.body)
    ]
    others = any(r.id.kind in {"MachineDeployment", "MachinePool"} for r in found)
    for resource in found:
        if (resource.id.group, resource.id.kind) not in CLAIMS:
            continue
        if pools and not others and not any(_static(pool.body) for pool in pools):
            yield UNSEEN.fail(
                f"{resource.id} waits for a node that Karpenter will not make",
                repository.locate(resource.origin, "/spec"),
                resource.id,
            )
        elif not pools and not others:
            yield Skipped(str(resource.id), "where its nodes come from is not in this repository")
        else:
            yield Passed()


def _static(body: Mapping[str, Any]) -> bool:
    return isinstance(replicas := mapping(body, "spec").get("replicas"), int) and replicas > 0


def _blind_spots(pod: PodOf) -> Iterator[Fault]:
    for container, place in pod.containers:
        for number, variable in enumerate(map(mapping, items(container, "env"))):
            if variable.get("name") == VISIBLE and variable.get("value") not in {"void", "none"}:
                yield (
                    f"{place}/env/{number}",
                    f"sets {VISIBLE}, which opens devices past the scheduler",
                )


_ROLLOUTS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "Deployment": (("strategy",), "rollingUpdate", "25%"),
    "InferenceService": (("predictor", "deploymentStrategy"), "rollingUpdate", "25%"),
    "LeaderWorkerSet": (("rolloutStrategy",), "rollingUpdateConfiguration", "0"),
}
"""Where each kind says how it is updated, and how many pods more it makes when it does not."""


def _deadlocked(pod: PodOf) -> Iterator[Fault]:
    path, rolling, unsaid = _ROLLOUTS[pod.resource.id.kind]
    strategy = mapping(pod.resource.body, "spec", *path)
    surge = mapping(strategy, rolling).get("maxSurge", unsaid)
    if strategy.get("type", "RollingUpdate") == "RollingUpdate" and str(surge) not in {"0", "0%"}:
        yield "", "needs more accelerators than it has to be updated"


def _is_accelerated_and_updated(pod: PodOf) -> bool:
    return pod.accelerated and pod.resource.id.kind in _ROLLOUTS


HALF_CLOSED = Check(
    "GPU009",
    "A namespace without accelerators is closed on both paths",
    Severity.HIGH,
    "Add <class>.deviceclass.resource.k8s.io/devices: 0 for each device class.",
    _half_closed,
)
UNSEEN = Check(
    "GPU011",
    "Claims find nodes that somebody makes",
    Severity.MEDIUM,
    "Give the pool nodes of its own (replicas), or ask for the accelerator as a resource.",
    _unseen_claims,
)
RULES: tuple[Rule | PodRule, ...] = (
    PodRule(
        "GPU001",
        "Only pods that ask for accelerators tolerate their nodes",
        Severity.HIGH,
        "Remove the toleration: a pod that needs no accelerator keeps a costly node alive.",
        _is_plain,
        _strays,
    ),
    PodRule(
        "GPU002",
        "Nothing waits for labels that a node gets after it has booted",
        Severity.HIGH,
        "Select the label that the node pool itself gives; no pool scales up for any other.",
        lambda pod: pod.resource.id.kind != "DaemonSet",
        _late_labels,
    ),
    PodRule(
        "GPU003",
        "Pods that ask for accelerators tolerate their nodes",
        Severity.HIGH,
        f"Tolerate {ACCELERATOR}: only some clouds add the toleration, and to claims nobody does.",
        lambda pod: pod.accelerated,
        _untolerated,
    ),
    Rule(
        "GPU004",
        "Nodes with accelerators have a taint",
        Severity.HIGH,
        f"Give the pool the taint {ACCELERATOR} with the effect NoSchedule.",
        (NODE_POOL,),
        _untainted,
    ),
    Rule(
        "GPU005",
        "Node pools with accelerators have a ceiling",
        Severity.HIGH,
        f"Set spec.limits of {ACCELERATOR}.",
        (NODE_POOL,),
        _unlimited,
    ),
    Rule(
        "GPU006",
        "A loaded model is not moved to save a node",
        Severity.MEDIUM,
        "Set consolidationPolicy to WhenEmpty and consolidateAfter to five minutes or more.",
        (NODE_POOL,),
        _restless,
    ),
    Rule(
        "GPU007",
        "Nodes boot a named image",
        Severity.MEDIUM,
        "Name the image's version: another driver must come by a commit.",
        (("karpenter.k8s.aws", "EC2NodeClass"),),
        _floating,
    ),
    Rule(
        "GPU008",
        "Quotas of accelerators are counted",
        Severity.HIGH,
        f"Write requests.{ACCELERATOR}; nothing else is enforced for extended resources.",
        (("", "ResourceQuota"),),
        _dead_quota,
    ),
    Rule(
        "GPU010",
        "A claim takes what it needs",
        Severity.HIGH,
        "Use ExactCount with a number.",
        CLAIMS,
        _greedy,
    ),
    Rule(
        "GPU012",
        "No limit range gives accelerators away",
        Severity.HIGH,
        "Take extended resources out of the limit range; a quota limits them.",
        (("", "LimitRange"),),
        _generous_range,
    ),
    PodRule(
        "GPU013",
        "No pod opens devices past the scheduler",
        Severity.HIGH,
        f"Ask for {ACCELERATOR} and leave {VISIBLE} out; elsewhere it may only be void or none.",
        lambda pod: any(items(container, "env") for container, _ in pod.containers),
        _blind_spots,
    ),
    PodRule(
        "GPU014",
        "An update does not wait for an accelerator that is not there",
        Severity.MEDIUM,
        "Set maxSurge to 0 and maxUnavailable to 1, or the strategy to Recreate.",
        _is_accelerated_and_updated,
        _deadlocked,
    ),
)
CHECKS = (HALF_CLOSED, UNSEEN, *(rule.check() for rule in RULES))
