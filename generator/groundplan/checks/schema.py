"""Objects against the schemas of their kinds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.findings import Failed, Outcome, Passed, Severity, Skipped
from groundplan.schemas import Missing

if TYPE_CHECKING:
    from groundplan.repository import Repository, Subject
    from groundplan.schemas import Schema

VARIABLE = re.compile(r"\$\{[^}]*\}")


def _violations(repository: Repository) -> Iterator[Outcome]:
    """Validate every object whose kind has a schema."""
    passed = 0
    for kind, subjects in repository.subjects.items():
        schema = repository.schemas.lookup(*kind)
        if isinstance(schema, Missing):
            continue
        for subject in subjects:
            failures = _failures(repository, subject, schema)
            yield from failures
            passed += not failures
    yield Passed(passed)


def _failures(repository: Repository, subject: Subject, schema: Schema) -> list[Failed]:
    """Validate one object."""
    resource = subject.resource
    return [
        VIOLATION.fail(
            f"{resource.id}: {message}" + (f" at {pointer}" if pointer else ""),
            repository.locate(resource.origin, pointer),
            resource.id,
        )
        for pointer, message in schema.errors(_readable(resource.body))
        if not _open(resource.body, pointer, built=subject.built)
    ]


def _readable(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out what SOPS adds: the engine decrypts before the API server sees the object."""
    if "sops" in body:
        return {key: value for key, value in body.items() if key != "sops"}
    return body


def _open(body: Mapping[str, Any], pointer: str, *, built: bool) -> bool:
    """Whether a value is decided later: encrypted, or a variable in a file that nobody builds."""
    value: Any = body
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
    if not isinstance(value, str):
        return False
    encrypted = "sops" in body and value.startswith("ENC[")
    return encrypted or (not built and VARIABLE.search(value) is not None)


def _without_schema(repository: Repository) -> Iterator[Outcome]:
    """Count the objects that nobody could validate."""
    for kind, subjects in repository.subjects.items():
        schema = repository.schemas.lookup(*kind)
        if not isinstance(schema, Missing):
            yield Passed(len(subjects))
            continue
        unknown = sum(not _is_refused(repository, schema, subject) for subject in subjects)
        if unknown:
            yield Skipped(_title(kind), schema.reason, unknown)


def _unknown_kinds(repository: Repository) -> Iterator[Outcome]:
    """Find kinds that cannot exist: built-in ones that this Kubernetes lacks."""
    for kind, subjects in repository.subjects.items():
        schema = repository.schemas.lookup(*kind)
        if not isinstance(schema, Missing):
            yield Passed(len(subjects))
            continue
        for subject in subjects:
            if _is_refused(repository, schema, subject):
                yield UNKNOWN_KIND.fail(
                    f"{subject.resource.id}: {schema.reason}",
                    repository.locate(subject.resource.origin, "/kind"),
                    subject.resource.id,
                )


def _is_refused(repository: Repository, missing: Missing, subject: Subject) -> bool:
    """Whether the API server would have no such kind.

    Files that no entry point reaches may be other programs' settings, which look like objects:
    there, only names that are or resemble a kind count.
    """
    if not missing.refused or subject.built:
        return missing.refused
    names = {kind.kind for kind in repository.schemas.kinds()}
    return bool(difflib.get_close_matches(subject.resource.id.kind, names, n=1, cutoff=0.85))


def _title(kind: tuple[str, str, str]) -> str:
    """Write a kind as people do: `apps/v1 Deployment`."""
    group, version, name = kind
    return f"{group}/{version} {name}" if group else f"{version} {name}"


VIOLATION = Check(
    "SCH001",
    "Every object has the shape of its kind",
    Severity.HIGH,
    "Correct the field: the API server would refuse it, or drop it without a word.",
    _violations,
)
WITHOUT_SCHEMA = Check(
    "SCH002",
    "Every kind has a schema to validate against",
    Severity.INFO,
    "Give a folder with the kind's CustomResourceDefinition by `--schemas`.",
    _without_schema,
)
UNKNOWN_KIND = Check(
    "SCH003",
    "Every built-in kind is one that this Kubernetes has",
    Severity.HIGH,
    "Use a kind and version that this Kubernetes serves.",
    _unknown_kinds,
)
CHECKS = (VIOLATION, WITHOUT_SCHEMA, UNKNOWN_KIND)
