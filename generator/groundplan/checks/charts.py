"""Charts that the engine installs, and the values they are given."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.schemas import Missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository

EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][\w.+-]+)?|sha256:[0-9a-f]{64}")
NO_SOURCE = "its source is not in this repository"


def _values_known(repository: Repository) -> Iterator[Outcome]:
    """Find values that the chart never reads."""
    yield from _judge(repository, KNOWN, unknown=True)


def _values_accepted(repository: Repository) -> Iterator[Outcome]:
    """Find values that the chart refuses."""
    yield from _judge(repository, ACCEPTED, unknown=False)


def _judge(repository: Repository, check: Check, *, unknown: bool) -> Iterator[Outcome]:
    """Compare the values of each release with its chart, and tell one sort of errors."""
    for installed in repository.installations:
        chart, release = installed.chart, installed.release
        if isinstance(chart, Missing):
            continue
        faults = [
            check.fail(
                f"{release.id}: {message} at {pointer or '/'} of chart {chart.chart} "
                f"{chart.version}",
                repository.locate(*installed.place(pointer)),
                release.id,
            )
            for pointer, message in installed.verdict.errors
            if (pointer in installed.verdict.unknown) == unknown
        ]
        yield from faults
        if not faults:
            yield Passed()


def _versions_exact(repository: Repository) -> Iterator[Outcome]:
    """Find charts whose version somebody else decides."""
    local = _local_charts(repository)
    for installed in repository.installations:
        release = installed.release
        if not release.chart:
            yield Skipped(str(release.id), NO_SOURCE)
        elif "/" in release.chart or release.chart in local or EXACT.fullmatch(release.version):
            # The version of a chart that lies in a git repository is the commit.
            yield Passed()
        else:
            said = f"version {release.version}" if release.version else "no version"
            yield EXACTNESS.fail(
                f"{release.id} installs chart {release.chart} with {said}",
                repository.locate(release.origin, "/spec"),
                release.id,
            )


def _local_charts(repository: Repository) -> frozenset[str]:
    """The names of the charts that lie in the repository."""
    return frozenset(
        str(document.body["name"])
        for path, documents in repository.documents.items()
        if posixpath.basename(path) == "Chart.yaml"
        for document in documents
        if isinstance(document.body, Mapping) and "name" in document.body
    )


def _defaults_available(repository: Repository) -> Iterator[Outcome]:
    """Count the charts, and the parts of charts, whose values nobody could compare."""
    for installed in repository.installations:
        release, chart = installed.release, installed.chart
        if not release.chart:
            yield Skipped(str(release.id), NO_SOURCE)
        elif isinstance(chart, Missing):
            yield Skipped(f"chart {release.chart} {release.version}".rstrip(), chart.reason)
        elif not installed.verdict.not_evaluated:
            yield Passed()
        for pointer, reason in installed.verdict.not_evaluated:
            yield Skipped(f"values of {release.chart} at {pointer or '/'}", reason)


KNOWN = Check(
    "CHT001",
    "Every chart value is one that the chart has",
    Severity.MEDIUM,
    "Correct the name, or remove the value: Helm ignores it without a word.",
    _values_known,
)
ACCEPTED = Check(
    "CHT002",
    "Every chart value is one that the chart accepts",
    Severity.HIGH,
    "Correct the value: Helm refuses to install the chart with it.",
    _values_accepted,
)
EXACTNESS = Check(
    "CHT003",
    "Every chart has an exact version",
    Severity.LOW,
    "Name one version: with a range, clusters change without a commit.",
    _versions_exact,
)
AVAILABLE = Check(
    "CHT004",
    "The defaults of every chart are known",
    Severity.INFO,
    "Give a folder with the chart's values by `--schemas`.",
    _defaults_available,
)
CHECKS = (KNOWN, ACCEPTED, EXACTNESS, AVAILABLE)
