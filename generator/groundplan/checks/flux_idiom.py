"""What Flux's maintainers advise, as far as it can be decided from the files."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import Fault, Rule, of_group, of_spec
from groundplan.findings import Location, Outcome, Passed, Severity
from groundplan.gitops.scene import dig, maps, section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.repository import Repository, Subject

HELM = "helm.toolkit.fluxcd.io"
IMAGE = "image.toolkit.fluxcd.io"
KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
NOTIFICATION = "notification.toolkit.fluxcd.io"
OPERATOR = "fluxcd.controlplane.io"
SOURCE = "source.toolkit.fluxcd.io"
WATCH = "reconcile.fluxcd.io/watch"
_CLOUD_REGISTRY = re.compile(
    r"\.dkr\.ecr\.|\.azurecr\.io(/|$)|-docker\.pkg\.dev(/|$)|(//|\.)gcr\.io(/|$)"
)


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


def _size(spec: Mapping[str, Any]) -> Iterator[Fault]:
    if not section(spec, "cluster").get("size"):
        yield "/cluster", "does not say how large its controllers are"


def _unverified(spec: Mapping[str, Any]) -> Iterator[Fault]:
    if section(spec, "sync").get("kind") == "OCIRepository":
        patches = "".join(
            str(patch.get("patch", "")) for patch in maps(spec, "kustomize", "patches")
        )
        if "verify" not in patches:
            yield "/sync", "applies artifacts whoever pushed them"


def _push_branch(spec: Mapping[str, Any]) -> Iterator[Fault]:
    git = section(spec, "git")
    pushed = dig(git, "push", "branch")
    if not pushed or pushed == dig(git, "checkout", "ref", "branch"):
        yield "/git", "pushes to the branch that clusters follow, reviewed by nobody"


def _registry_identity(spec: Mapping[str, Any]) -> Iterator[Fault]:
    place, provider = str(spec.get("url", "")), spec.get("provider", "generic")
    if _CLOUD_REGISTRY.search(place) and provider == "generic":
        yield "/url", "reads a cloud's registry with a password of its own"


RULES = (
    Rule(
        "FLX001",
        "Charts in OCI registries are read by an OCIRepository",
        Severity.LOW,
        "Replace it by an OCIRepository and name that in the HelmRelease's `chartRef`.",
        of_group(SOURCE, "HelmRepository"),
        of_spec(_oci_repository),
    ),
    Rule(
        "FLX002",
        "A release in another namespace keeps its records there",
        Severity.LOW,
        "Set `storageNamespace` to the target namespace, so that the `helm` command finds it.",
        of_group(HELM, "HelmRelease"),
        of_spec(_release_storage),
    ),
    Rule(
        "FLX003",
        "Namespaces are made by a Kustomization",
        Severity.LOW,
        "Add a Namespace object: Helm's has no labels, and nobody removes it.",
        of_group(HELM, "HelmRelease"),
        of_spec(_create_namespace),
    ),
    Rule(
        "FLX004",
        "A release notices changes made by hand",
        Severity.INFO,
        "Set `driftDetection.mode: enabled`, with `ignore` for what autoscalers change.",
        of_group(HELM, "HelmRelease"),
        of_spec(_drift),
    ),
    Rule(
        "FLX005",
        "A release upgrades its CRDs",
        Severity.LOW,
        "Set `upgrade.crds: CreateReplace`.",
        of_group(HELM, "HelmRelease"),
        of_spec(_crd_upgrades),
    ),
    Rule(
        "FLX006",
        "A release says by a strategy what happens after a failure",
        Severity.INFO,
        "Set `install.strategy` and `upgrade.strategy`, such as `RetryOnFailure`.",
        of_group(HELM, "HelmRelease"),
        of_spec(_remediation),
    ),
    Rule(
        "FLX007",
        "What is removed from the repository is removed from the cluster",
        Severity.LOW,
        "Set `prune: true`, and annotate the objects that must stay.",
        of_group(KUSTOMIZE, "Kustomization"),
        of_spec(_prune),
    ),
    Rule(
        "FLX008",
        "A Kustomization gives up waiting before it tries again",
        Severity.INFO,
        "Set `timeout`, such as `5m`, and `retryInterval`, such as `2m`.",
        of_group(KUSTOMIZE, "Kustomization"),
        of_spec(_retry),
    ),
    Rule(
        "FLX009",
        "Sources are read over protected connections",
        Severity.MEDIUM,
        "Use an `https://`, `ssh://` or `oci://` address without `insecure`.",
        of_group(SOURCE, "GitRepository", "HelmRepository", "OCIRepository", "Bucket"),
        of_spec(_insecure_source),
    ),
    Rule(
        "FLX012",
        "A FluxInstance says how large its controllers are",
        Severity.INFO,
        "Set `cluster.size` to small, medium or large.",
        of_group(OPERATOR, "FluxInstance"),
        of_spec(_size),
    ),
    Rule(
        "FLX015",
        "Image updates go to a branch of their own",
        Severity.LOW,
        "Set `git.push.branch` to another branch than the one that is checked out.",
        of_group(IMAGE, "ImageUpdateAutomation"),
        of_spec(_push_branch),
    ),
    Rule(
        "FLX016",
        "Registries of a cloud are read by workload identity",
        Severity.LOW,
        "Set `provider` to aws, azure or gcp, and drop the password.",
        of_group(SOURCE, "HelmRepository", "OCIRepository"),
        of_spec(_registry_identity),
    ),
    Rule(
        "FLX017",
        "Artifacts that Flux begins with are signed",
        Severity.LOW,
        "Add `verify` to the source by a patch under `kustomize.patches`.",
        of_group(OPERATOR, "FluxInstance"),
        of_spec(_unverified),
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


def _kept_by_operator(repository: Repository) -> Iterator[Outcome]:
    """Find controllers that are in the repository as manifests."""
    found = [p for p in repository.tree.files if posixpath.basename(p) == "gotk-components.yaml"]
    for path in found:
        yield OPERATED.fail("Flux's controllers are kept as manifests", Location(path, 1, ""))
    if not found and _all(repository, OPERATOR, "FluxInstance"):
        yield Passed()


def _watched(repository: Repository) -> Iterator[Outcome]:
    """Find values that Flux reads and does not watch."""
    watched = {
        (subject.resource.id.kind, subject.resource.id.namespace, subject.resource.id.name): subject
        for kind in ("ConfigMap", "Secret")
        for subject in _all(repository, "", kind)
    }
    for group, kind, path in (
        (HELM, "HelmRelease", ("spec", "valuesFrom")),
        (KUSTOMIZE, "Kustomization", ("spec", "postBuild", "substituteFrom")),
    ):
        for subject in _all(repository, group, kind):
            resource = subject.resource
            for index, entry in enumerate(maps(resource.body, *path)):
                named = (str(entry.get("kind")), resource.id.namespace, str(entry.get("name")))
                values = watched.get(named)
                if values is None:
                    continue
                if section(values.resource.body, "metadata", "labels").get(WATCH) == "Enabled":
                    yield Passed()
                else:
                    pointer = "/" + "/".join((*path, str(index)))
                    yield WATCHED.fail(
                        f"{resource.id} sees changes of {named[0]} {named[2]} an interval later",
                        repository.locate(resource.origin, pointer),
                        resource.id,
                    )


def _own_namespace(repository: Repository) -> Iterator[Outcome]:
    """Find references that a multi-tenant Flux refuses."""
    instances = _all(repository, OPERATOR, "FluxInstance")
    if not any(dig(i.resource.body, "spec", "cluster", "multitenant") is True for i in instances):
        return
    for group, kind, field in (
        (KUSTOMIZE, "Kustomization", ("spec", "sourceRef")),
        (HELM, "HelmRelease", ("spec", "chartRef")),
        (HELM, "HelmRelease", ("spec", "chart", "spec", "sourceRef")),
        (NOTIFICATION, "Alert", ("spec", "providerRef")),
    ):
        for subject in _all(repository, group, kind):
            resource = subject.resource
            other = section(resource.body, *field).get("namespace")
            if other and other != resource.id.namespace:
                yield OWN_NAMESPACE.fail(
                    f"{resource.id} refers to namespace {other}, which this Flux does not allow",
                    repository.locate(resource.origin, "/" + "/".join((*field, "namespace"))),
                    resource.id,
                )
            else:
                yield Passed()


def _all(repository: Repository, group: str, kind: str) -> list[Subject]:
    """Every object of a kind, in whatever version."""
    return [
        subject
        for (its_group, _, its_kind), subjects in repository.subjects.items()
        if (its_group, its_kind) == (group, kind)
        for subject in subjects
    ]


OPERATED = Check(
    "FLX011",
    "Flux is kept by a FluxInstance",
    Severity.INFO,
    "Install flux-operator, declare a FluxInstance, and delete the manifests.",
    _kept_by_operator,
)
WATCHED = Check(
    "FLX013",
    "A change of values is applied at once",
    Severity.INFO,
    "Label what it reads values from with `reconcile.fluxcd.io/watch: Enabled`.",
    _watched,
)
OWN_NAMESPACE = Check(
    "FLX014",
    "Where tenants share Flux, nothing refers to another namespace",
    Severity.MEDIUM,
    "Put the source into the namespace of what reads it.",
    _own_namespace,
)
CHECKS = (*(rule.check() for rule in RULES), WAITS, OPERATED, WATCHED, OWN_NAMESPACE)
