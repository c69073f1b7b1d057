"""The catalogue of models in `models/catalog.yaml`: what serves them is what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.checks import Check
from groundplan.checks._objects import ACCELERATOR, PodOf, objects, pods
from groundplan.checks.queries import queries
from groundplan.costs import quantity
from groundplan.findings import Location, Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.repository import Repository

_SECONDS = ("first_token", "between_tokens", "answer")
"""What an objective of the catalogue can promise within a time."""
CATALOGUE = "models/catalog.yaml"
COUNTED_AS = f"requests.{ACCELERATOR}"
"""What quotas count a model's accelerators by, unless the catalogue says otherwise."""
NVIDIA = "nvidia.com/"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount path, not a file


@dataclass(frozen=True, slots=True)
class _Model:
    """One entry of the catalogue, and where it is."""

    said: Mapping[str, Any]
    location: Location

    @property
    def name(self) -> str:
        return str(self.said.get("name"))

    @property
    def namespace(self) -> str:
        return str(self.said.get("namespace"))

    def server(self, key: str) -> Any:
        """What the catalogue says of the model's servers."""
        return mapping(self.said, "server").get(key)


def platform_images(repository: Repository) -> frozenset[str]:
    """The images, without a version, that the platform chose for whatever serves models."""
    content = repository.tree.files.get(CATALOGUE)
    listed = documents.load(content, CATALOGUE) if content else {}
    return frozenset(map(str, items(mapping(listed), "images")))


def _models(repository: Repository) -> Iterator[_Model]:
    content = repository.tree.files.get(CATALOGUE)
    if content is None:
        return
    listed = documents.load(content, CATALOGUE)
    for number, said in enumerate(map(mapping, items(mapping(listed), "models"))):
        pointer = f"/models/{number}"
        line = documents.locate(content, 0, pointer)
        yield _Model(said, Location(CATALOGUE, line, pointer))


def _served(repository: Repository) -> Iterator[Outcome]:
    """Compare every model of the catalogue with the pods that serve it."""
    for model in _models(repository):
        if "server" not in model.said:
            continue
        servers = [pod for pod in pods(repository) if _serves(pod, model)]
        if not servers:
            what = f"nothing in {model.namespace} serves {model.name}"
            yield SERVED.fail(what, model.location)
        for pod in servers:
            differences = list(_differences(pod, model))
            for pointer, what in differences:
                place = repository.locate(pod.resource.origin, pointer)
                yield SERVED.fail(f"{pod.resource.id} {what}", place, pod.resource.id)
            if not differences:
                yield Passed()


def _serves(pod: PodOf, model: _Model) -> bool:
    whose = (pod.resource.id.namespace, pod.resource.id.name)
    return whose == (model.namespace, model.name) and pod.accelerated


def _differences(pod: PodOf, model: _Model) -> Iterator[tuple[str, str]]:
    spec = mapping(pod.resource.body, "spec")
    replicas = spec.get("replicas")
    if replicas is not None and replicas != model.server("replicas"):
        what = f"has {replicas} replicas, the catalogue {model.server('replicas')}"
        yield "/spec/replicas", what
    asked = _asked(pod)
    if asked != model.server("accelerators") and not items(pod.spec, "resourceClaims"):
        what = f"asks for {asked} accelerators, the catalogue says "
        yield pod.place("/spec"), f"{what}{model.server('accelerators')}"
    for place, found, said in _amounts(pod, model):
        if quantity(found) != quantity(said):
            yield pod.place(place), f"has {found}, the catalogue {said}"
    for container, place in pod.containers:
        probe = mapping(container, "startupProbe")
        if probe and _patience(probe) < (model.server("startup") or 0):
            what = f"may load for {_patience(probe)} s, the catalogue says "
            yield pod.place(f"{place}/startupProbe"), f"{what}{model.server('startup')}"


def _asked(pod: PodOf) -> int:
    """How many accelerators, or parts of one, a pod asks for by a resource of any name."""
    limits = (mapping(container, "resources", "limits") for container, _ in pod.containers)
    counts = (str(n) for each in limits for name, n in each.items() if name.startswith(NVIDIA))
    return sum(int(count) for count in counts if count.isdigit())


def _patience(probe: Mapping[str, Any]) -> int:
    return int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))


def _amounts(pod: PodOf, model: _Model) -> Iterator[tuple[str, Any, Any]]:
    """Where an amount is, what it is there, and what the catalogue says."""
    for container, place in pod.containers:
        limits = mapping(container, "resources", "limits")
        if any(name.startswith(NVIDIA) for name in limits) or items(
            mapping(container, "resources"), "claims"
        ):
            requests = mapping(container, "resources", "requests")
            at = f"{place}/resources"
            yield f"{at}/limits/memory", limits.get("memory", 0), model.server("memory")
            found = requests.get("ephemeral-storage", 0)
            yield f"{at}/requests/ephemeral-storage", found, model.server("ephemeral_storage")
            shared = {
                str(mapping(mount).get("name"))
                for mount in items(container, "volumeMounts")
                if mapping(mount).get("mountPath") == _SHARED_MEMORY
            }
            for number, volume in enumerate(map(mapping, items(pod.spec, "volumes"))):
                if volume.get("name") in shared:
                    size = mapping(volume, "emptyDir").get("sizeLimit", 0)
                    at = f"/spec/volumes/{number}/emptyDir/sizeLimit"
                    yield at, size, model.server("shared_memory")


def _allowed(repository: Repository) -> Iterator[Outcome]:
    """Compare what the models of a namespace need together with its quotas."""
    wanted: dict[str, dict[str, float]] = {}
    for model in _models(repository):
        need = wanted.setdefault(model.namespace, {})
        replicas = int(model.server("most") or model.server("replicas") or 0)
        replicas *= int(model.server("nodes") or 1)
        for resource, each in (
            (model.server("counted_as") or COUNTED_AS, model.server("accelerators")),
            ("limits.memory", model.server("memory")),
        ):
            need[resource] = need.get(resource, 0) + replicas * quantity(each or 0)
    for quota in objects(repository):
        if quota.id.kind != "ResourceQuota" or quota.id.namespace not in wanted:
            continue
        hard = mapping(quota.body, "spec", "hard")
        for resource, least in wanted[quota.id.namespace].items():
            if resource not in hard:
                continue
            if quantity(hard[resource]) < least:
                pointer = f"/spec/hard/{resource.replace('/', '~1')}"
                yield ALLOWED.fail(
                    f"{quota.id} allows {hard[resource]} of {resource}, which is less than the "
                    f"models of {quota.id.namespace} need",
                    repository.locate(quota.origin, pointer),
                    quota.id,
                )
            else:
                yield Passed()


def _promised(repository: Repository) -> Iterator[Outcome]:
    """Find objectives that no rule measures."""
    asked = [
        (resource.id.namespace, query)
        for resource in objects(repository)
        if resource.id.kind == "PrometheusRule"
        for query, _ in queries(resource)
    ]
    for model in _models(repository):
        for bound in _bounds(model):
            wanted = (f'model_name="{model.name}"', f'le="{bound}"')
            if any(ns == model.namespace and all(w in q for w in wanted) for ns, q in asked):
                yield Passed()
            else:
                what = f"no rule of {model.namespace} asks how often {model.name} is within "
                yield PROMISED.fail(f"{what}{bound} s", model.location)


def _bounds(model: _Model) -> list[str]:
    """What is promised in seconds."""
    objective = mapping(model.said, "objective")
    return [str(objective[key]) for key in _SECONDS if key in objective]


SERVED = Check(
    "MOD001",
    "Each model is served as the catalogue says",
    Severity.MEDIUM,
    "Change the answer `models`, or write into models/catalog.yaml what is true now.",
    _served,
)
ALLOWED = Check(
    "MOD002",
    "Quotas have room for the models of the catalogue",
    Severity.HIGH,
    "Raise the namespace's quota, or lower the model's replicas.",
    _allowed,
)
PROMISED = Check(
    "MOD003",
    "Each objective of the catalogue is measured",
    Severity.MEDIUM,
    "Write the objective into the model's rules, with the bucket's bound as Prometheus writes it.",
    _promised,
)
CHECKS = (SERVED, ALLOWED, PROMISED)
