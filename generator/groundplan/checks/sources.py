"""What engines take, and what they are told to overlook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.checks._objects import objects
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.exceptions.reading import read
from groundplan.posture.exceptions.suppressions import answered, overlooked
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository
    from groundplan.resources import Resource

SOURCES = frozenset({"GitRepository", "OCIRepository", "Bucket"})


def _verified(repository: Repository) -> Iterator[Outcome]:
    """Find sources of an address whose signatures are only verified elsewhere."""
    sources = [
        resource
        for resource in objects(repository)
        if resource.id.group == "source.toolkit.fluxcd.io" and resource.id.kind in SOURCES
    ]
    verified = {_address(r.body) for r in sources if mapping(r.body, "spec").get("verify")}
    for resource in sources:
        if mapping(resource.body, "spec").get("verify") or _address(resource.body) not in verified:
            yield Passed()
            continue
        yield VERIFIED.fail(
            f"{resource.id} does not verify what another source of the same address does",
            repository.locate(resource.origin, "/spec"),
            resource.id,
        )

    yield from _projects(repository)


def _address(body: object) -> str:
    spec = mapping(body, "spec")
    return _normal(spec.get("url") or spec.get("bucketName"))


def _normal(url: object) -> str:
    return str(url).removesuffix(".git").rstrip("/")


def _projects(repository: Repository) -> Iterator[Outcome]:
    """Find projects of Argo CD that read unverified what another one reads verified."""
    argo = [resource for resource in objects(repository) if resource.id.group == "argoproj.io"]
    projects = {r.id.key: r for r in argo if r.id.kind == "AppProject"}
    read = {key: set(_named(project)) for key, project in projects.items()}
    for resource in argo:
        spec = mapping(resource.body, "spec")
        key = ("argoproj.io", "AppProject", resource.id.namespace, str(spec.get("project")))
        if resource.id.kind == "Application" and key in read:
            sources = (spec.get("source"), *items(spec, "sources"))
            read[key] |= {_normal(mapping(source).get("repoURL")) for source in sources}
    asked = {key: set(_asked(project)) for key, project in projects.items()}
    everywhere = {url for urls in asked.values() for url in urls}
    for key, project in projects.items():
        loose = sorted(read[key] & (everywhere - asked[key]))
        for url in loose:
            yield VERIFIED.fail(
                f"{project.id} does not verify {url}, which another project does",
                repository.locate(project.origin, "/spec"),
                project.id,
            )
        yield Passed(not loose)


def _named(project: Resource) -> Iterator[str]:
    """The repositories that a project names; what a pattern leaves open, nobody reads yet."""
    return map(_normal, items(mapping(project.body, "spec"), "sourceRepos"))


def _asked(project: Resource) -> Iterator[str]:
    """The repositories whose commits a project asks a signature of."""
    for policy in map(
        mapping, items(mapping(project.body, "spec", "sourceIntegrity", "git"), "policies")
    ):
        if mapping(policy, "gpg").get("mode") in {"head", "strict"}:
            yield from (_normal(mapping(one).get("url")) for one in items(policy, "repos"))


def _overlooked(repository: Repository) -> Iterator[Outcome]:
    """Find what an engine does not look after, and nobody answers for."""
    declared, _ = read(repository.tree.files)
    for resource in objects(repository):
        for name, pointer in overlooked(resource):
            if answered(declared, name, resource):
                yield Passed()
                continue
            yield OVERLOOKED.fail(
                f"{resource.id}: {name}, and nobody answers for it",
                repository.locate(resource.origin, pointer),
                resource.id,
            )


VERIFIED = Check(
    "GIT015",
    "A source that is verified is verified wherever it is used",
    Severity.HIGH,
    "Give the source the same spec.verify, or the project the same sourceIntegrity.",
    _verified,
    "GIT-003",
)
OVERLOOKED = Check(
    "GIT016",
    "What the engine overlooks is an exception that somebody owns",
    Severity.MEDIUM,
    "Write an exception with that id under policies, or let the engine look again.",
    _overlooked,
    "GIT-004",
)
CHECKS = (VERIFIED, OVERLOOKED)
