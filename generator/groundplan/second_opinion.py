"""What kubeconform says of the same objects with the same schemas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.findings import Errored, Failed, Finding, Outcome, Passed, Result, Severity, Skipped
from groundplan.runners.kubeconform import Judgement, Status, judge
from groundplan.schemas import Missing, Schema
from groundplan.toolchain import Absent, find

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundplan.repository import Repository, Subject

ID = "KCF001"
TITLE = "kubeconform comes to the same conclusion"
REMEDIATION = "Look at the object by hand, and report the difference to groundplan."


def ask(repository: Repository) -> Result:
    """Ask kubeconform where it can be found; that it cannot be asked is a result too."""
    try:
        tool = find("kubeconform")
        if isinstance(tool, Absent):
            return Result(ID, TITLE, (Skipped("kubeconform", f"{tool.reason}; {tool.fix}"),))
        return Result(ID, TITLE, tuple(compare(repository, tool.path)))
    except ToolError as error:
        return Result(ID, TITLE, (Errored("kubeconform", str(error)),))


def compare(repository: Repository, program: Path) -> Iterator[Outcome]:
    """Validate every object again with one kubeconform process, and compare.

    Raises:
        ToolError: as `groundplan.runners.kubeconform.judge` does.
    """
    judged = [
        (subject, schema)
        for kind, subjects in repository.subjects.items()
        if not isinstance(schema := repository.schemas.lookup(*kind), Missing)
        for subject in subjects
    ]
    documents = [json.dumps(subject.resource.body).encode() for subject, _ in judged]
    kinds = {schema.id for _, schema in judged}
    judgements = judge(program, documents, repository.schemas, kinds) if judged else ()
    passed = 0
    for (subject, schema), judgement in zip(judged, judgements, strict=True):
        outcome = _compare(repository, subject, schema, judgement)
        if isinstance(outcome, Passed):
            passed += outcome.count
        else:
            yield outcome
    yield Passed(passed)


def _compare(
    repository: Repository, subject: Subject, schema: Schema, theirs: Judgement
) -> Outcome:
    """Hold one judgement against ours."""
    resource = subject.resource
    if theirs.status not in {Status.VALID, Status.INVALID}:
        return Errored(str(resource.id), theirs.message or f"kubeconform says {theirs.status}")
    valid = schema.is_valid(resource.body)
    if valid == (theirs.status is Status.VALID):
        return Passed()
    ours = "valid" if valid else "invalid"
    message = f"{resource.id} is {ours} here, but {theirs.status} to kubeconform: {theirs.message}"
    place = repository.locate(resource.origin)
    return Failed(Finding(ID, message, Severity.MEDIUM, place, REMEDIATION, resource.id))
