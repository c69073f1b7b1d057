"""Files that Kubernetes would read differently from people, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Location, Outcome, Passed, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository


def _check(
    id: str, title: str, severity: Severity, remediation: str, kinds: frozenset[str]
) -> Check:
    """Turn the parser's problems of some kinds into findings."""

    def run(repository: Repository) -> Iterator[Outcome]:
        failed = set()
        for problem in repository.problems:
            if problem.kind in kinds:
                failed.add(problem.path)
                yield check.fail(problem.message, Location(problem.path, problem.line))
        yield Passed(len(repository.documents) - len(failed))

    check = Check(id, title, severity, remediation, run)
    return check


CHECKS = (
    _check(
        "YAML001",
        "Every key is given once",
        Severity.HIGH,
        "Keep one of the two keys: Kubernetes refuses both, other readers silently take the last.",
        frozenset({"duplicate-key"}),
    ),
    _check(
        "YAML002",
        "Every file is YAML",
        Severity.HIGH,
        "Correct the syntax at the named line.",
        frozenset({"syntax"}),
    ),
    _check(
        "YAML003",
        "Every YAML file is UTF-8 text",
        Severity.HIGH,
        "Save the file as UTF-8 text, or move it out of the manifests.",
        frozenset({"binary", "encoding"}),
    ),
    _check(
        "YAML004",
        "No Helm template lies among manifests",
        Severity.HIGH,
        "Put the template into a chart's `templates` folder, or write what it renders to.",
        frozenset({"helm-template"}),
    ),
    _check(
        "YAML005",
        "Every scalar means the same to every YAML reader",
        Severity.LOW,
        "Put the value in quotes if it is text, or write it as `true`, `false` or a plain number.",
        frozenset({"ambiguous"}),
    ),
    _check(
        "YAML006",
        "No file expands to far more than it is",
        Severity.HIGH,
        "Write the repeated parts out, or remove the nested aliases.",
        frozenset({"anchor-bomb"}),
    ),
)
