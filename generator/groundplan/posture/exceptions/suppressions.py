"""What keeps scanners and engines from speaking: each is an exception, and needs an owner too.

Spellings: Checkov (`checkov.io/skip*`, `checkov:skip=`, `.checkov.baseline`, `skip-check` in
`.checkov.yaml`), kube-linter (`ignore-check.kube-linter.io`, `kube-linter.io/ignore-all`, `exclude`
and `ignorePaths` in `.kube-linter.yaml`), Kubescape (`kubescape.io/skip-controls`, its
SecurityExceptions), Polaris (`polaris.fairwinds.com/…-exempt`), Datree (`datree.skip/…`),
kube-score (`kube-score/ignore`), Trivy (`.trivyignore`, `.trivyignore.yaml`, `trivy:ignore:`),
KICS (`kics-scan`), Argo CD (`ignoreDifferences`).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from groundplan import documents
from groundplan.findings import Location
from groundplan.posture.exceptions.model import PostureException, Scope
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from groundplan.repository import Repository
    from groundplan.resources import Resource

_COMMENT = re.compile(
    rb"#\s*(?:(checkov):skip=([\w-]+)|(kics)-scan (ignore\S*|disable=\S+)|(trivy):ignore:([\w-]+))"
)
_WORDS = re.compile(rb"checkov:skip=|kics-scan |trivy:ignore:")
_FILES: Mapping[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    ".checkov.yaml": ("checkov", (("skip-check",), ("skip-path",))),
    ".kube-linter.yaml": ("kube-linter", (("checks", "exclude"), ("checks", "ignorePaths"))),
    ".trivyignore.yaml": (
        "trivy",
        (("misconfigurations",), ("vulnerabilities",), ("secrets",), ("licenses",)),
    ),
}
"""Scanners' own files in YAML, by name: whose it is, and the lists of what it leaves out."""
_WORD = re.compile(r"[\w.-]+")
ENGINE = "argocd/ignoreDifferences"


def suppressions(
    repository: Repository, declared: Iterable[PostureException]
) -> Iterator[PostureException]:
    """Every suppression that no declared exception answers for."""
    known = tuple(declared)
    for resource in repository.resources:
        for check, pointer in of_object(resource):
            if not answered(known, check, resource):
                location = repository.locate(resource.origin, pointer)
                where = (resource.id.namespace,), (resource.id.kind,), (resource.id.name,)
                yield _undeclared(check, Scope((), *where), location)
    named = {policy for exception in known for policy in exception.policies}
    for path in sorted(repository.tree.files):
        for check, line in in_file(path, repository.tree.files[path]):
            if check not in named:
                yield _undeclared(check, Scope(names=(path,)), Location(path, line))


def _undeclared(check: str, scope: Scope, location: Location) -> PostureException:
    return PostureException(
        name=check,
        policies=(check,),
        scope=scope,
        owner="",
        approver="",
        reason="",
        ticket="",
        created=None,
        expires=None,
        location=location,
        suppresses=check.partition("/")[0],
    )


def answered(known: Iterable[PostureException], check: str, resource: Resource) -> bool:
    """Whether an exception is about a suppression of an object."""
    return any(
        check in exception.policies and replace(exception.scope, clusters=()).has("", resource.id)
        for exception in known
    )


def of_object(resource: Resource) -> Iterator[tuple[str, str]]:
    """Walk the suppressions in an object, each with its place."""
    yield from _annotations(mapping(resource.body, "metadata", "annotations"))
    if resource.id.group == "argoproj.io" and resource.id.kind in {"Application", "ApplicationSet"}:
        path = ("spec",) if resource.id.kind == "Application" else ("spec", "template", "spec")
        if items(mapping(resource.body, *path), "ignoreDifferences"):
            yield ENGINE, f"/{'/'.join(path)}/ignoreDifferences"
    if resource.id.group == "kubescape.io" and resource.id.kind.endswith("SecurityException"):
        yield f"kubescape/{resource.id.kind}", "/spec"


def overlooked(resource: Resource) -> Iterator[tuple[str, str]]:
    """Walk what an engine is told not to look after, each with its place.

    What is suspended in git is not applied; what is not pruned stays when git no longer has it.
    """
    spec = mapping(resource.body, "spec")
    yield from (found for found in of_object(resource) if found[0] == ENGINE)
    if resource.id.group.endswith(".toolkit.fluxcd.io"):
        if spec.get("suspend") is True:
            yield "flux/suspend", "/spec/suspend"
        if resource.id.kind == "Kustomization" and spec.get("prune") is False:
            yield "flux/prune", "/spec/prune"
    if resource.id.group == "argoproj.io" and resource.id.kind in {"Application", "ApplicationSet"}:
        path = ("spec",) if resource.id.kind == "Application" else ("spec", "template", "spec")
        if mapping(resource.body, *path, "syncPolicy", "automated").get("prune") is False:
            yield "argocd/prune", f"/{'/'.join(path)}/syncPolicy/automated/prune"


def _annotations(annotations: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in annotations.items():
        pointer = f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}"
        domain, _, name = key.partition("/")
        if domain == "checkov.io" and name.startswith("skip"):
            yield f"checkov/{str(value).partition('=')[0].strip()}", pointer
        elif domain == "datree.skip":
            yield f"datree/{name}", pointer
        elif key == "kube-linter.io/ignore-all":
            yield "kube-linter/all", pointer
        elif domain == "ignore-check.kube-linter.io":
            yield f"kube-linter/{name}", pointer
        elif key == "kubescape.io/skip-controls":
            yield from ((f"kubescape/{one}", pointer) for one in _WORD.findall(str(value)))
        elif key == "kube-score/ignore":
            yield from ((f"kube-score/{one}", pointer) for one in _WORD.findall(str(value)))
        elif domain == "polaris.fairwinds.com" and name.endswith("exempt"):
            yield f"polaris/{name.removesuffix('-exempt')}", pointer


def in_file(path: str, content: bytes) -> Iterator[tuple[str, int]]:
    """Walk the suppressions in comments and in scanners' own files, each with its line."""
    name = posixpath.basename(path)
    if name == ".trivyignore":
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            word = line.partition("#")[0].strip()
            if word:
                yield f"trivy/{word.split()[0]}", number
    elif name == ".checkov.baseline":
        yield "checkov/baseline", 1
    elif (own := name.replace(".yml", ".yaml")) in _FILES:
        yield from _listed(*_FILES[own], path, content)
    elif name.endswith((".yaml", ".yml", ".tf")) and _WORDS.search(content):
        for number, text in enumerate(content.splitlines(), 1):
            for found in _COMMENT.finditer(text):
                scanner, check = (part for part in found.groups() if part)
                yield f"{scanner.decode()}/{check.decode()}", number


def _listed(
    scanner: str, lists: tuple[tuple[str, ...], ...], path: str, content: bytes
) -> Iterator[tuple[str, int]]:
    """Walk what the lists in a scanner's own file leave out."""
    for document in documents.parse(path, content)[0]:
        for *above, last in lists:
            for index, entry in enumerate(items(mapping(document.body, *above), last)):
                pointer = "/".join(("", *above, last, str(index)))
                line = documents.locate(content, document.origin.document, pointer)
                yield f"{scanner}/{mapping(entry).get('id') or entry}", line
