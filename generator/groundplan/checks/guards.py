"""Guards: that there are some, that they refuse, and that images are asked for signatures."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from groundplan.admission.policies import GROUP
from groundplan.checks import Check
from groundplan.checks._objects import arguments, control_planes, objects, pods
from groundplan.checks.models import platform_images
from groundplan.findings import Location, Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.rules import TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository
    from groundplan.resources import Resource

KYVERNO = "policies.kyverno.io"
WEBHOOKS = frozenset({"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"})
SIGNATURES = frozenset({"ImageValidatingPolicy", "NamespacedImageValidatingPolicy"})
CONFIGURATION = "admission-control-config-file"
"""The API server's option that names the file with its admission plugins."""


def _enforced(repository: Repository) -> Iterator[Outcome]:
    """Find clusters on which no policy refuses anything, and policies that nothing binds."""
    for cluster in repository.clusters:
        there = [resource for unit in cluster.units for resource in unit.resources]
        if any(map(_refuses, there)):
            yield Passed()
        else:
            yield ENFORCED.fail(
                f"no policy of cluster {cluster.name} refuses anything", Location(cluster.path)
            )
        bound = {str(mapping(r.body, "spec").get("policyName")) for r in there if _is_binding(r)}
        for resource in there:
            if (resource.id.group, resource.id.kind) != (GROUP, "ValidatingAdmissionPolicy"):
                continue
            if resource.id.name in bound:
                yield Passed()
                continue
            yield ENFORCED.fail(
                f"{resource.id} has no binding", repository.locate(resource.origin), resource.id
            )


def _is_binding(resource: Resource) -> bool:
    return (resource.id.group, resource.id.kind) == (GROUP, "ValidatingAdmissionPolicyBinding")


def _refuses(resource: Resource) -> bool:
    """Whether an object is a policy that refuses: native, Kyverno's of both kinds, Gatekeeper's."""
    spec = mapping(resource.body, "spec")
    match resource.id.group:
        case "admissionregistration.k8s.io" | "policies.kyverno.io":
            return "Deny" in items(spec, "validationActions")
        case "kyverno.io":
            words = [spec, *(mapping(rule, "validate") for rule in items(spec, "rules"))]
            actions = {w.get("validationFailureAction") or w.get("failureAction") for w in words}
            return bool(actions & {"Enforce", "enforce"})
        case "constraints.gatekeeper.sh":
            return str(spec.get("enforcementAction", "deny")) == "deny"
    return False


def _answering(repository: Repository) -> Iterator[Outcome]:
    """Find webhooks that are passed by when they do not answer."""
    for resource in objects(repository):
        if resource.id.group != GROUP or resource.id.kind not in WEBHOOKS:
            continue
        for index, webhook in enumerate(map(mapping, items(resource.body, "webhooks"))):
            spares = mapping(webhook, "namespaceSelector") or mapping(webhook, "objectSelector")
            fault = (
                "is passed by when it does not answer"
                if webhook.get("failurePolicy") == "Ignore"
                else "spares no namespace, so it may keep itself from starting"
                if not spares
                else ""
            )
            if fault:
                place = repository.locate(resource.origin, f"/webhooks/{index}")
                what = f"{resource.id}: {webhook.get('name')} {fault}"
                yield ANSWERING.fail(what, place, resource.id)
            else:
                yield Passed()


def _from_files(repository: Repository) -> Iterator[Outcome]:
    """Find control planes of one's own whose policies can all be deleted through the API."""
    for resource, config in control_planes(repository):
        contents = (str(mapping(file).get("content")) for file in items(config, "files"))
        asked = CONFIGURATION in arguments(config)
        if asked and any("staticManifestsDir" in text for text in contents):
            yield Passed()
            continue
        yield FILES.fail(
            f"{resource.id}: its API server reads no policies from files",
            repository.locate(resource.origin, "/spec"),
            resource.id,
        )


def _signed(repository: Repository) -> Iterator[Outcome]:
    """Find images of teams that no policy asks a signature of.

    What the catalogue of models names was chosen by the platform, and is built by others.
    """
    teams = {
        resource.id.name
        for resource in objects(repository)
        if (resource.id.group, resource.id.kind) == ("", "Namespace")
        and TENANT in mapping(resource.body, "metadata", "labels")
    }
    globs = [
        str(mapping(one).get("glob"))
        for resource in objects(repository)
        if resource.id.group == KYVERNO and resource.id.kind in SIGNATURES
        for one in items(mapping(resource.body, "spec"), "matchImageReferences")
    ]
    chosen = platform_images(repository)
    for one in pods(repository):
        if one.resource.id.namespace not in teams:
            continue
        for container, at in one.containers:
            image = str(container.get("image"))
            name = re.sub(r"(:[^:/]+)?(@.*)?$", "", image)
            if name in chosen or any(fnmatchcase(image, f"{glob}*") for glob in globs):
                yield Passed()
                continue
            yield SIGNED.fail(
                f"{one.resource.id}: no policy asks for the signature of {image}",
                repository.locate(one.resource.origin, f"{one.pointer}{at}/image"),
                one.resource.id,
            )


ENFORCED = Check(
    "ADM003",
    "On every cluster policies refuse, and every policy is bound",
    Severity.HIGH,
    "Bind the policy with `validationActions: [Deny]`.",
    _enforced,
    "ADM-001",
)
ANSWERING = Check(
    "ADM004",
    "Webhooks refuse when they cannot answer, and spare what they need themselves",
    Severity.MEDIUM,
    "Set `failurePolicy: Fail` and leave their own namespace out with `namespaceSelector`.",
    _answering,
    "ADM-002",
)
FILES = Check(
    "ADM005",
    "A control plane of one's own reads guards from files",
    Severity.LOW,
    f"Name an AdmissionConfiguration with staticManifestsDir in --{CONFIGURATION}.",
    _from_files,
    "ADM-004",
)
SIGNED = Check(
    "SIG001",
    "Images of teams are asked for signatures",
    Severity.HIGH,
    "Add the registry to the answer image_signatures, or agree on an exception.",
    _signed,
    "POD-013",
)
CHECKS = (ENFORCED, ANSWERING, FILES, SIGNED)
