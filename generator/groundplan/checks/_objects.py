"""Checks that look at one object, or at one pod, at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import containers, items, mapping
from groundplan.verify import pod_templates

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from groundplan.repository import Repository
    from groundplan.resources import Resource

ACCELERATOR = "nvidia.com/gpu"
"""What device plugins call a whole accelerator, and the taint of nodes that have some."""

Fault = tuple[str, str]
"""A JSON pointer and what is wrong there."""


@dataclass(frozen=True, slots=True)
class PodOf:
    """The pod of a workload, or one that is written as such."""

    resource: Resource
    pointer: str
    """Where it is written in the resource."""
    spec: Mapping[str, Any]
    labels: Mapping[str, Any]
    annotations: Mapping[str, Any]

    def place(self, at: str) -> str:
        """The pointer in the resource to what is at a pointer in the pod."""
        group_and_kind = (self.resource.id.group, self.resource.id.kind)
        mixed = group_and_kind == pod_templates.PREDICTOR
        return self.pointer + (at.removeprefix("/spec") if mixed else at)

    @property
    def containers(self) -> list[tuple[Mapping[str, Any], str]]:
        """The containers and init containers, each with its pointer below the pod."""
        return list(containers(self.spec))

    @property
    def accelerators(self) -> int:
        """How many whole accelerators the containers ask for."""
        asked = (
            mapping(container, "resources", "limits").get(ACCELERATOR)
            or mapping(container, "resources", "requests").get(ACCELERATOR)
            or 0
            for container, _ in self.containers
        )
        return sum(int(str(count)) for count in asked if str(count).isdigit())

    @property
    def accelerated(self) -> bool:
        """Whether it asks for a part of an accelerator: MIG slices and claims count too."""
        claims = items(self.spec, "resourceClaims")
        asked = (
            name
            for container, _ in self.containers
            for part in ("limits", "requests")
            for name in mapping(container, "resources", part)
        )
        return bool(claims) or any(name.startswith("nvidia.com/") for name in asked)


def pods(repository: Repository) -> Iterator[PodOf]:
    """Every distinct pod of the repository, in the order of kinds."""
    for resource in objects(repository):
        if (resource.id.group, resource.id.kind) == ("", "Pod"):
            yield _pod_of(resource, "", resource.body)
            continue
        for pointer, made in pod_templates.pods(resource):
            yield _pod_of(resource, pointer, made)


def _pod_of(resource: Resource, pointer: str, made: Mapping[str, Any]) -> PodOf:
    labels = mapping(made, "metadata", "labels")
    annotations = mapping(made, "metadata", "annotations")
    return PodOf(resource, pointer, mapping(made, "spec"), labels, annotations)


def control_planes(repository: Repository) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    """The control planes that Cluster API makes with kubeadm, and how each is configured."""
    for resource in objects(repository):
        if resource.id.kind in {"KubeadmControlPlane", "KubeadmControlPlaneTemplate"}:
            spec = mapping(resource.body, "spec")
            spec = mapping(spec, "template", "spec") or spec
            yield resource, mapping(spec, "kubeadmConfigSpec")


def arguments(config: Mapping[str, Any]) -> set[str]:
    """The options that the API server of a control plane is given; older versions map them."""
    server = mapping(config, "clusterConfiguration", "apiServer")
    named = (str(mapping(one).get("name")) for one in items(server, "extraArgs"))
    return {*mapping(server, "extraArgs"), *named}


def objects(repository: Repository) -> Iterator[Resource]:
    """Every distinct object of the repository, in the order of kinds."""
    for subjects in repository.subjects.values():
        yield from (subject.resource for subject in subjects)


def tolerated(taint: Mapping[str, str], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether pods with some tolerations may be on nodes with a taint."""
    return taint.get("effect") == "PreferNoSchedule" or any(
        toleration.get("effect") in {None, "", taint.get("effect")}
        and (
            not toleration.get("key")
            or (
                toleration["key"] == taint.get("key")
                and (
                    toleration.get("operator") == "Exists"
                    or toleration.get("value", "") == taint.get("value", "")
                )
            )
        )
        for toleration in tolerations
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """What each object of some kinds must have right."""

    id: str
    title: str
    severity: Severity
    remediation: str
    kinds: Collection[tuple[str, str]]
    """Group and kind."""
    faults: Callable[[Mapping[str, Any]], Iterator[Fault]]
    """Looks at the object."""

    def check(self) -> Check:
        """Make the check."""

        def run(repository: Repository) -> Iterator[Outcome]:
            for (group, _, kind), subjects in repository.subjects.items():
                if (group, kind) in self.kinds:
                    for subject in subjects:
                        found = self.faults(subject.resource.body)
                        yield from _outcomes(repository, check, subject.resource, found)

        check = Check(self.id, self.title, self.severity, self.remediation, run)
        return check


def of_group(group: str, *kinds: str) -> frozenset[tuple[str, str]]:
    """Some kinds of one group."""
    return frozenset((group, kind) for kind in kinds)


def of_spec(
    faults: Callable[[Mapping[str, Any]], Iterator[Fault]],
) -> Callable[[Mapping[str, Any]], Iterator[Fault]]:
    """Let a rule look at `spec` only."""

    def look(body: Mapping[str, Any]) -> Iterator[Fault]:
        spec = mapping(body, "spec")
        if spec:
            yield from ((f"/spec{pointer}", fault) for pointer, fault in faults(spec))

    return look


@dataclass(frozen=True, slots=True)
class PodRule:
    """What each pod must have right, whoever makes it."""

    id: str
    title: str
    severity: Severity
    remediation: str
    concerns: Callable[[PodOf], bool]
    faults: Callable[[PodOf], Iterator[Fault]]
    """Looks at a pod that the rule concerns; pointers begin at the pod."""

    def check(self) -> Check:
        """Make the check."""

        def run(repository: Repository) -> Iterator[Outcome]:
            for one in pods(repository):
                if self.concerns(one):
                    found = ((one.place(at), fault) for at, fault in self.faults(one))
                    yield from _outcomes(repository, check, one.resource, found)

        check = Check(self.id, self.title, self.severity, self.remediation, run)
        return check


def _outcomes(
    repository: Repository, check: Check, resource: Resource, faults: Iterator[Fault]
) -> Iterator[Outcome]:
    sound = True
    for place, fault in faults:
        sound = False
        location = repository.locate(resource.origin, place)
        yield check.fail(f"{resource.id} {fault}", location, resource.id)
    if sound:
        yield Passed()
