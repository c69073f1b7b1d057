"""Secrets that lie in git in plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import objects
from groundplan.findings import Outcome, Passed, Severity
from groundplan.gitops.sops import encrypted
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository
    from groundplan.resources import Resource

FIELDS = ("data", "stringData")


def _plain(repository: Repository) -> Iterator[Outcome]:
    """Find Secrets with values that anybody can read, and generators of such."""
    for resource in objects(repository):
        if (resource.id.group, resource.id.kind) == ("", "Secret"):
            found = list(_values(resource))
        elif resource.id.group == "kustomize.config.k8s.io":
            found = list(_literals(resource))
        else:
            continue
        for pointer in found:
            place = repository.locate(resource.origin, pointer)
            yield PLAIN.fail(f"{resource.id} has a value in plain text", place, resource.id)
        yield Passed(not found)


def _values(secret: Resource) -> Iterator[str]:
    hidden = encrypted(secret)
    for field in FIELDS:
        for name, value in mapping(secret.body, field).items():
            # What is to be filled in is no value yet.
            if value and name not in hidden and "${" not in str(value):
                yield f"/{field}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _literals(kustomization: Resource) -> Iterator[str]:
    body: Any = kustomization.body
    for index, generator in enumerate(map(mapping, items(body, "secretGenerator"))):
        if items(generator, "literals"):
            yield f"/secretGenerator/{index}/literals"


PLAIN = Check(
    "SEC001",
    "No secret lies in git in plain text",
    Severity.HIGH,
    "Take it as known to others: renew it, and keep it in a secret store or encrypt it with SOPS.",
    _plain,
    "SEC-001",
)
CHECKS = (PLAIN,)
