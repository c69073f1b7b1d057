"""What hands devices to pods on nodes with accelerators: one thing, and what was asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.charts import given
from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import containers, items, mapping
from groundplan.verify import pod_templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.charts import Installation
    from groundplan.gitops.model import Cluster, Release
    from groundplan.repository import Repository
    from groundplan.resources import Origin, Resource, ResourceId

_OPERATOR = "gpu-operator"
_PLUGIN = re.compile(r"/(?:k8s-device-plugin|nvidia-gpu-device-plugin)[:@]")
_CHARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    _OPERATOR: (("devicePlugin",), ()),
    "nvidia-device-plugin": ((), ()),
    "dra-driver-nvidia-gpu": (("resources", "gpus"), ("kubeletPlugin",)),
    "nvidia-dra-driver-gpu": (("resources", "gpus"), ("kubeletPlugin",)),
}
"""Charts that hand out devices: where that is switched, and where it is said on which nodes."""
_HARDENED = "ACCEPT_NVIDIA_VISIBLE_DEVICES_ENVVAR_WHEN_UNPRIVILEGED"


class _Claimer(NamedTuple):
    """What hands out the devices of nodes."""

    who: ResourceId
    origin: Origin
    somewhere: bool
    """On nodes that it selects, instead of on all with accelerators."""


def _contested(repository: Repository) -> Iterator[Outcome]:
    """Find clusters where two things hand out the same devices."""
    for cluster in repository.clusters:
        claimers = list(_claimers(cluster))
        if not claimers:
            continue
        first, *others = claimers
        if not others:
            yield Passed()
        elif first.somewhere or any(other.somewhere for other in others):
            yield Skipped(cluster.name, "several hand out devices, each on nodes that it selects")
        else:
            yield from (
                CONTESTED.fail(
                    f"{other.who} hands out the devices that {first.who} hands out too",
                    repository.locate(other.origin, "/spec"),
                    other.who,
                )
                for other in others
            )


def _claimers(cluster: Cluster) -> Iterator[_Claimer]:
    for unit in cluster.units:
        for release in unit.releases:
            if release.chart in _CHARTS and (claimer := _of_chart(release)):
                yield claimer
        for resource in unit.resources:
            if resource.id.kind == "DaemonSet" and (claimer := _of_daemon(resource)):
                yield claimer


def _of_chart(release: Release) -> _Claimer | None:
    switch, placed = _CHARTS[release.chart]
    values = given(release)
    if switch and mapping(values, *switch).get("enabled") is False:
        return None
    on = mapping(values, *placed)
    somewhere = release.chart != _OPERATOR and bool(on.get("nodeSelector") or on.get("affinity"))
    return _Claimer(release.id, release.origin, somewhere)


def _of_daemon(resource: Resource) -> _Claimer | None:
    for _, pod in pod_templates.pods(resource):
        spec = pod["spec"]
        if any(_PLUGIN.search(str(one.get("image"))) for one, _ in containers(spec)):
            somewhere = bool(spec.get("nodeSelector") or spec.get("affinity"))
            return _Claimer(resource.id, resource.origin, somewhere)
    return None


def _operators(repository: Repository, part: str) -> Iterator[tuple[Installation, dict[str, Any]]]:
    """Each GPU operator that installs a part, with what that part is told."""
    for installed in repository.installations:
        if installed.release.chart == _OPERATOR:
            told = mapping(given(installed.release), part)
            if told.get("enabled") is not False:
                yield installed, dict(told)


def _open_door(repository: Repository) -> Iterator[Outcome]:
    """Find operators whose hook in the container runtime believes what a pod says of itself."""
    for installed, told in _operators(repository, "toolkit"):
        said = {str(one.get("name")): one.get("value") for one in map(mapping, items(told, "env"))}
        if str(said.get(_HARDENED)).lower() == "false":
            yield Passed()
        else:
            yield OPEN_DOOR.fail(
                f"{installed.release.id} gives any pod the devices that it names itself",
                repository.locate(*installed.place("/toolkit/env")),
                installed.release.id,
            )


def _undecided(repository: Repository) -> Iterator[Outcome]:
    """Find operators that replace drivers in a way that nobody wrote down."""
    for installed, told in _operators(repository, "driver"):
        if "autoUpgrade" in mapping(told, "upgradePolicy"):
            yield Passed()
        else:
            yield UNDECIDED.fail(
                f"{installed.release.id} does not say whether it replaces drivers by itself",
                repository.locate(*installed.place("/driver/upgradePolicy")),
                installed.release.id,
            )


CONTESTED = Check(
    "GPU025",
    "One thing hands out the devices of a node",
    Severity.HIGH,
    "Remove one of them, or give each nodes of its own: the same device is given away twice.",
    _contested,
)
OPEN_DOOR = Check(
    "GPU026",
    "The operator gives a pod the devices that it asked for, and no others",
    Severity.HIGH,
    f"Set {_HARDENED} to false in toolkit.env.",
    _open_door,
)
UNDECIDED = Check(
    "GPU027",
    "Somebody decided how drivers are replaced",
    Severity.MEDIUM,
    "Set driver.upgradePolicy.autoUpgrade, and how many nodes at a time.",
    _undecided,
)
CHECKS = (CONTESTED, OPEN_DOOR, UNDECIDED)
