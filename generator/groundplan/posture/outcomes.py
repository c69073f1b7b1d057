"""Comparisons, drift and exceptions as the outcomes that every report format takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundplan.findings import Failed, Finding, Location, Passed, Report, Result, Severity, Skipped
from groundplan.posture.catalogue import (
    AGREED,
    ENTRIES,
    ESCALATION,
    OF_DIMENSION,
    UNKNOWN,
    UNOWNED,
    UNREAD,
    check_of,
)
from groundplan.posture.examination import about_exceptions
from groundplan.posture.model import Verdict
from groundplan.posture.owners import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from groundplan.findings import Outcome
    from groundplan.posture.comparison import Comparison, Gap, Judged
    from groundplan.posture.drift.judging import Drift
    from groundplan.posture.exceptions.reading import Fault
    from groundplan.posture.exceptions.states import Standing
    from groundplan.posture.rules import Rule

_MENDED = "Take it back, or agree to it: write the baseline anew, or an approval."


def of_comparison(comparison: Comparison, subject: str = "") -> Report:
    """Give what widened, and what nobody can compare; a narrowing is nothing to mend."""
    return Report(tuple(_results(_compared(comparison), comparison)), subject)


def of_drift(drift: Drift, subject: str = "") -> Report:
    """Give what nobody agreed to; what is approved or could not be read says so."""
    said = (*_compared(drift.comparison), *_judged(drift))
    return Report(tuple(_results(said, drift.comparison)), subject)


def of_exceptions(
    rules: Sequence[Rule], standings: Sequence[Standing], faults: Sequence[Fault], subject: str = ""
) -> Report:
    """Give what the policies about exceptions say of each; a fault is an exception from nothing."""
    results = []
    for rule in rules:
        if rule.states:
            wrong = (_fault(fault) for fault in faults if rule.id == AGREED)
            said = (*wrong, *about_exceptions(rule, standings))
            results.append(Result(rule.id, rule.title, said))
    return Report(tuple(results), subject)


def together(drift: Report, exceptions: Report) -> Report:
    """Give the drift of a cluster and what is wrong with exceptions as one report."""
    by_id = {result.check_id: result for result in drift.results}
    for result in exceptions.results:
        known = by_id.get(result.check_id)
        outcomes = (*(known.outcomes if known else ()), *result.outcomes)
        by_id[result.check_id] = replace(result, outcomes=outcomes)
    return Report(tuple(by_id.values()), drift.subject)


def _results(said: Iterable[tuple[str, Outcome]], comparison: Comparison) -> Iterator[Result]:
    """Group outcomes by check; where not all was read or compared, nothing has passed."""
    by_check: dict[str, dict[Outcome, None]] = {}
    for check, outcome in said:
        by_check.setdefault(check, {})[outcome] = None
    unknown = [
        f"{outcome.subject} ({outcome.reason})" if isinstance(outcome, Skipped) else "a difference"
        for check in (UNREAD, UNKNOWN)
        for outcome in by_check.get(check, ())
        if isinstance(outcome, Skipped | Failed)
    ]
    compared = {OF_DIMENSION[dimension] for dimension in comparison.evaluated} | {ESCALATION}
    for check, entry in ENTRIES.items():
        outcomes = tuple(by_check.get(check, ()))
        if not outcomes and check in compared:
            outcomes = (_quiet(comparison, unknown),)
        if outcomes:
            yield Result(check, entry.title, outcomes)


def _quiet(comparison: Comparison, unknown: Sequence[str]) -> Outcome:
    if unknown:
        reason = f"nothing was found, but not all is known: {', '.join(dict.fromkeys(unknown))}"
        return Skipped(", ".join(comparison.clusters), reason)
    return Passed(len(comparison.clusters))


def _compared(comparison: Comparison) -> Iterator[tuple[str, Outcome]]:
    for judged in comparison.of(Verdict.WIDENED, Verdict.INCOMPARABLE):
        yield check_of(judged.change), _change(judged)
    for gap in comparison.gaps:
        yield UNKNOWN, _gap(gap)
    for judged in comparison.unowned:
        yield UNOWNED, _unowned(judged)
    for dimension, reason in comparison.not_evaluated.items():
        yield OF_DIMENSION[dimension], Skipped(dimension, reason)


def _judged(drift: Drift) -> Iterator[tuple[str, Outcome]]:
    for one in drift.approved:
        by = one.approval
        reason = f"approved by {by.approver}, {by.ticket}, until {by.expires}"
        yield check_of(one.judged.change), Skipped(str(one.judged.change.subject), reason)
    for fault in drift.faults:
        yield AGREED, _fault(fault)
    for path in drift.pending:
        yield AGREED, Skipped(path, "differs from what was agreed to, and counts once it is merged")
    for kind, reason in drift.unread.items():
        yield UNREAD, Skipped(kind, reason)


def _change(judged: Judged) -> Failed:
    change = judged.change
    where = f" on {', '.join(judged.clusters)}" if judged.clusters else ""
    detail = f" ({change.detail})" if change.detail else ""
    word = "cannot be compared: " if change.verdict is Verdict.INCOMPARABLE else ""
    whose = f"{judged.fix.name} mends it ({judged.fix.because})"
    return Failed(
        Finding(
            check_id=check_of(judged.change),
            message=f"{change.subject}: {word}{change.atom}{detail}{where}",
            severity=_severity(judged),
            location=judged.location,
            remediation=f"{_MENDED} {whose}; {judged.affected.name} is affected.",
            resource=change.subject,
            fix_owner=judged.fix.name,
            affected_owner=judged.affected.name,
            known_as=change.fingerprint,
        )
    )


def _severity(judged: Judged) -> Severity:
    if judged.noted:
        return Severity.LOW
    widened = judged.change.verdict is Verdict.WIDENED
    return Severity.HIGH if widened else Severity.MEDIUM


def _gap(gap: Gap) -> Failed:
    where = f"{gap.cluster}: " if gap.cluster else ""
    return _said(
        check_id=UNKNOWN,
        message=f"{where}{gap.subject}: {gap.reason}",
        location=gap.location,
        remediation="Look at what it makes on both sides; nothing here can say it.",
    )


def _unowned(judged: Judged) -> Failed:
    subject = judged.change.subject
    return _said(
        check_id=UNOWNED,
        message=f"{subject}: nobody is named who owns it",
        location=judged.location,
        remediation="Label it or its namespace groundplan.dev/owner, or add it to CODEOWNERS.",
        resource=subject,
        fix_owner=judged.fix.name,
        affected_owner=judged.affected.name,
    )


def _fault(fault: Fault) -> Failed:
    return _said(
        check_id=AGREED,
        message=fault.message,
        severity=Severity.HIGH,
        location=Location(fault.location.path, fault.location.line, fault.location.pointer),
        remediation="Write it as the page on posture shows; until then it excepts nothing.",
    )


def _said(**finding: Any) -> Failed:
    """A finding about no change: nobody's, where nobody is named."""
    usual = {"severity": Severity.MEDIUM, "fix_owner": NOBODY, "affected_owner": NOBODY}
    return Failed(Finding(**{**usual, **finding}))
