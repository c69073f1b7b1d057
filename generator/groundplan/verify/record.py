"""Takes down what a cluster says; equal findings of several clusters are one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.findings import Failed, Finding, Location, Outcome, Passed, Report, Result, Skipped
from groundplan.verify.questions import REJECTED, TURNED_AWAY, WARNED, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from groundplan.resources import Origin, Resource
    from groundplan.verify.rejections import Fault


@dataclass(frozen=True, slots=True)
class Broken:
    """A subject for which something does not hold."""

    resource: Resource
    """The object to look at."""
    message: str
    pointer: str = ""


Said = Passed | Broken | Skipped
"""What an assertion says about one subject."""


class Record:
    """All that was said so far."""

    def __init__(self, locate: Callable[[Origin, str], Location]) -> None:
        self._locate = locate
        self._passed: Counter[str] = Counter()
        self._findings: dict[Finding, None] = {}
        self._skipped: Counter[tuple[str, str, str]] = Counter()

    def accepted(self, resource: Resource) -> None:  # noqa: ARG002
        """An object was taken."""
        self._passed[REJECTED.id] += 1

    def rejected(self, resource: Resource, fault: Fault) -> None:
        """An object was refused."""
        self.take(REJECTED, Broken(resource, fault.message, fault.pointer))

    def warned(self, resource: Resource, text: str) -> None:
        """An object was taken with a warning."""
        self.take(WARNED, Broken(resource, text))

    def admitted(self, resource: Resource) -> None:  # noqa: ARG002
        """A workload's pods would be let in."""
        self._passed[TURNED_AWAY.id] += 1

    def turned_away(self, resource: Resource, fault: Fault) -> None:
        """A workload's pods would be refused."""
        self.take(TURNED_AWAY, Broken(resource, fault.message, fault.pointer))

    def skipped(self, subject: str, reason: str, count: int = 1) -> None:
        """Something was not applied."""
        self.take(REJECTED, Skipped(subject, reason, count))

    def take(self, question: Question, said: Said) -> None:
        """Take down one answer to a question."""
        if isinstance(said, Passed):
            self._passed[question.id] += said.count
        elif isinstance(said, Skipped):
            self._skipped[question.id, said.subject, said.reason] += said.count
        else:
            place = self._locate(said.resource.origin, said.pointer)
            severity, remedy, about = question.severity, question.remediation, said.resource.id
            finding = Finding(question.id, said.message, severity, place, remedy, about)
            self._findings[finding] = None

    def report(self, questions: Iterable[Question], subject: str) -> Report:
        """Everything that was said, one result for each question."""
        return Report(tuple(Result(q.id, q.title, self._outcomes(q)) for q in questions), subject)

    def _outcomes(self, question: Question) -> tuple[Outcome, ...]:
        passed = self._passed[question.id]
        outcomes: list[Outcome] = [Passed(passed)] if passed else []
        outcomes.extend(Failed(f) for f in self._findings if f.check_id == question.id)
        outcomes.extend(
            Skipped(subject, reason, count)
            for (check, subject, reason), count in self._skipped.items()
            if check == question.id
        )
        return tuple(outcomes)
