"""The reference page of all checks, in Markdown."""

from __future__ import annotations

from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from groundplan import documents, second_opinion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.checks import Check

FAMILIES = {
    "ADM": "Admission policies",
    "APR": "Who approves what",
    "ARG": "What Argo CD's practitioners do",
    "CHT": "Charts and their values",
    "EXC": "Exceptions",
    "FLX": "What Flux's maintainers advise",
    "GIT": "The GitOps graph",
    "GPU": "Accelerators",
    "IDN": "Cloud identities",
    "KUS": "Kustomize builds",
    "MET": "Metrics of models",
    "MOD": "The catalogue of models",
    "NPL": "Network policies",
    "RBC": "Grants",
    "RUN": "What watches clusters",
    "SCH": "Schemas",
    "SCL": "Scaling",
    "SEC": "Secrets",
    "SIG": "Signatures",
    "SRV": "Model servers",
    "TREE": "Files",
    "UPD": "Updates",
    "WGT": "Weights of models",
    "YAML": "YAML",
}
INTRODUCTION = """\
# Checks

Generated from the code of `groundplan check`. Ids are stable: a check may be added or retired, and
its id never means anything else.

Each check says of everything that it looks at *passed*, *failed*, *skipped* or *errored*. What is
skipped or errored is listed with its reason, and never counts as passed. `--fail-on` sets the
severity from which findings make the exit code 1; the default is `medium`.

Every check has a good and a bad example in `generator/groundplan/checks/examples`.
"""
SECOND_OPINION = f"""\
## Second opinion

Where kubeconform is found, it is given the same objects and the same schemas, and asked again.

### {second_opinion.ID}

{second_opinion.TITLE}. Severity: medium.

{second_opinion.REMEDIATION}
"""


def render(checks: Iterable[Check]) -> str:
    """Write the page."""
    return "\n".join([INTRODUCTION, *_sections(checks), SECOND_OPINION, *_pitfalls()])


def pitfalls() -> Mapping[str, list[Mapping[str, Any]]]:
    """What people run into when they serve models, by its place, with the checks that find it."""
    text = files(__package__).joinpath("pitfalls.yaml").read_text("utf-8")
    found: Mapping[str, list[Mapping[str, Any]]] = documents.load(text)
    return found


def _pitfalls() -> Iterator[str]:
    yield "## Pitfalls of inference\n"
    yield "What people run into who serve models, and which check finds it; where none does, why.\n"
    for place, known in pitfalls().items():
        yield f"| {place} | found by | otherwise |"
        yield "|---|---|---|"
        for one in known:
            ids = ", ".join(f"[{check}](#{check.lower()})" for check in one["checks"])
            yield f"| {one['pitfall']} | {ids} | {one.get('instead', '')} |"
        yield ""


def _sections(checks: Iterable[Check]) -> Iterator[str]:
    """Write a section for each family, and in it one for each check."""
    for family, members in groupby(checks, key=lambda check: check.id.rstrip("0123456789")):
        yield f"## {FAMILIES[family]}\n"
        for check in members:
            yield f"### {check.id}\n"
            asked = (
                f" Asked by `groundplan posture check`, for {check.policy}." if check.policy else ""
            )
            yield f"{check.title}. Severity: {check.severity}.{asked}\n"
            yield f"{check.remediation}\n"
