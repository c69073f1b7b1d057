"""What Flux's maintainers advise, as far as it can be decided from the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity

if TYPE_CHECKING:
    from groundplan.repository import Repository

HELM = "helm.toolkit.fluxcd.io"
KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
SOURCE = "source.toolkit.fluxcd.io"

Fault = tuple[str, str]
"""A JSON pointer and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A rule about single objects."""

    id: str
    title: str
    severity: Severity
    remediation: str
    group: str
    kinds: tuple[str, ...]
    faults: Callable[[Mapping[str, Any]], Iterator[Fault]]
    """Looks at `spec`."""

    def check(self) -> Check:
        """Make the check."""

        def run(repository: Repository) -> Iterator[Outcome]:
            for (group, _, kind), subjects in repository.subjects.items():
                if group != self.group or kind not in self.kinds:
                    continue
                for subject in subjects:
                    resource = subject.resource
                    spec = resource.body.get("spec")
                    faults = tuple(self.faults(spec)) if isinstance(spec, Mapping) else ()
                    for pointer, fault in faults:
                        place = repository.locate(resource.origin, f"/spec{pointer}")
                        yield check.fail(f"{resource.id} {fault}", place, resource.id)
                    if not faults:
                        yield Passed()

        check = Check(self.id, self.title, self.severity, self.remediation, run)
        return check


def _oci_repository(spec: Mapping[str, Any]) -> Iterator[Fault]:
    if spec.get("type") == "oci":
        yield "/type", "is of type oci"


def _release_storage(spec: Mapping[str, Any]) -> Iterator[Fault]:
    if "targetNamespace" in spec and "storageNamespace" not in spec:
        yield "/targetNamespace", "has a targetNamespace without storageNamespace"


def _create_namespace(spec: Mapping[str, Any]) -> Iterator[Fault]:
    match spec:
        case {"install": {"createNamespace": True}}:
            yield "/install/createNamespace", "lets Helm make its namespace"


def _drift(spec: Mapping[str, Any]) -> Iterator[Fault]:
    match spec:
        case {"driftDetection": {"mode": "enabled" | "warn"}}:
            return
    yield "/driftDetection", "does not notice when somebody changes its objects"


def _crd_upgrades(spec: Mapping[str, Any]) -> Iterator[Fault]:
    match spec:
        case {"upgrade": {"crds": "Skip"}}:
            yield "/upgrade/crds", "never upgrades its CRDs"


def _remediation(spec: Mapping[str, Any]) -> Iterator[Fault]:
    for action in ("install", "upgrade"):
        match spec.get(action):
            case {"remediation": {"retries": int()}, **rest} if "strategy" not in rest:
                yield f"/{action}/remediation", f"sets {action}.remediation.retries, no strategy"


def _prune(spec: Mapping[str, Any]) -> Iterator[Fault]:
    if spec.get("prune") is False:
        yield "/prune", "leaves objects behind that are no longer in the repository"


def _retry(spec: Mapping[str, Any]) -> Iterator[Fault]:
    if "timeout" not in spec:
        yield "/interval", "waits for its objects as long as its interval: it has no timeout"


def _insecure_source(spec: Mapping[str, Any]) -> Iterator[Fault]:
    if spec.get("insecure") is True or str(spec.get("url", "")).startswith("http://"):
        yield "/url", "is read over an unprotected connection"


ADVICE = (
    Advice(
        "FLX001",
        "Charts in OCI registries are read by an OCIRepository",
        Severity.LOW,
        "Replace it by an OCIRepository and name that in the HelmRelease's `chartRef`.",
        SOURCE,
        ("HelmRepository",),
        _oci_repository,
    ),
    Advice(
        "FLX002",
        "A release in another namespace keeps its records there",
        Severity.LOW,
        "Set `storageNamespace` to the target namespace, so that the `helm` command finds it.",
        HELM,
        ("HelmRelease",),
        _release_storage,
    ),
    Advice(
        "FLX003",
        "Namespaces are made by a Kustomization",
        Severity.LOW,
        "Add a Namespace object: Helm's has no labels, and nobody removes it.",
        HELM,
        ("HelmRelease",),
        _create_namespace,
    ),
    Advice(
        "FLX004",
        "A release notices changes made by hand",
        Severity.INFO,
        "Set `driftDetection.mode: enabled`, with `ignore` for what autoscalers change.",
        HELM,
        ("HelmRelease",),
        _drift,
    ),
    Advice(
        "FLX005",
        "A release upgrades its CRDs",
        Severity.LOW,
        "Set `upgrade.crds: CreateReplace`.",
        HELM,
        ("HelmRelease",),
        _crd_upgrades,
    ),
    Advice(
        "FLX006",
        "A release says by a strategy what happens after a failure",
        Severity.INFO,
        "Set `install.strategy` and `upgrade.strategy`, such as `RetryOnFailure`.",
        HELM,
        ("HelmRelease",),
        _remediation,
    ),
    Advice(
        "FLX007",
        "What is removed from the repository is removed from the cluster",
        Severity.LOW,
        "Set `prune: true`, and annotate the objects that must stay.",
        KUSTOMIZE,
        ("Kustomization",),
        _prune,
    ),
    Advice(
        "FLX008",
        "A Kustomization gives up waiting before it tries again",
        Severity.INFO,
        "Set `timeout`, such as `5m`, and `retryInterval`, such as `2m`.",
        KUSTOMIZE,
        ("Kustomization",),
        _retry,
    ),
    Advice(
        "FLX009",
        "Sources are read over protected connections",
        Severity.MEDIUM,
        "Use an `https://`, `ssh://` or `oci://` address without `insecure`.",
        SOURCE,
        ("GitRepository", "HelmRepository", "OCIRepository", "Bucket"),
        _insecure_source,
    ),
)


def _waits(repository: Repository) -> Iterator[Outcome]:
    """Find units that others wait for, though being ready says nothing about what they install."""
    for graph in repository.graphs:
        awaited = {identity.key for unit in graph.cluster.units for identity in unit.depends_on}
        for unit in graph.cluster.units:
            spec = graph.spec(unit.id)
            if unit.id.key not in awaited or not unit.releases or not spec:
                continue
            if spec.get("wait") or spec.get("healthChecks"):
                yield Passed()
            else:
                yield WAITS.fail(
                    f"{unit.id} is ready before its charts are, and others wait for it",
                    repository.locate(unit.origin, "/spec"),
                    unit.id,
                )


WAITS = Check(
    "FLX010",
    "What others wait for waits for its own charts",
    Severity.LOW,
    "Set `wait: true`, or list the HelmReleases in `healthChecks`.",
    _waits,
)
CHECKS = (*(advice.check() for advice in ADVICE), WAITS)
