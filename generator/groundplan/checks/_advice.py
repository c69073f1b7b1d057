"""Rules about single objects: what is advised, and the check that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity

if TYPE_CHECKING:
    from groundplan.repository import Repository

Fault = tuple[str, str]
"""A JSON pointer in the object and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A rule about the objects of some kinds."""

    id: str
    title: str
    severity: Severity
    remediation: str
    group: str
    kinds: tuple[str, ...]
    faults: Callable[[Mapping[str, Any]], Iterator[Fault]]
    """Looks at the whole object."""

    def check(self) -> Check:
        """Make the check."""

        def run(repository: Repository) -> Iterator[Outcome]:
            for (group, _, kind), subjects in repository.subjects.items():
                if group != self.group or kind not in self.kinds:
                    continue
                for subject in subjects:
                    resource = subject.resource
                    faults = tuple(self.faults(resource.body))
                    for pointer, fault in faults:
                        place = repository.locate(resource.origin, pointer)
                        yield check.fail(f"{resource.id} {fault}", place, resource.id)
                    if not faults:
                        yield Passed()

        check = Check(self.id, self.title, self.severity, self.remediation, run)
        return check


def of_spec(
    faults: Callable[[Mapping[str, Any]], Iterator[Fault]],
) -> Callable[[Mapping[str, Any]], Iterator[Fault]]:
    """Let a rule look at `spec` only."""

    def look(body: Mapping[str, Any]) -> Iterator[Fault]:
        spec = body.get("spec")
        if isinstance(spec, Mapping):
            yield from ((f"/spec{pointer}", fault) for pointer, fault in faults(spec))

    return look
