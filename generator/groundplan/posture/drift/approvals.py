"""What somebody agreed to since the baseline was written: one file, or several, of fingerprints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from groundplan import documents as yaml_documents
from groundplan.findings import Location
from groundplan.posture.exceptions.reading import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = "posture/approvals"
_TEXTS = ("fingerprint", "owner", "approver", "ticket", "expires")
_FIELDS = (*_TEXTS, "clusters", "reason")


@dataclass(frozen=True, slots=True)
class Approval:
    """One change that somebody agreed to, until a day."""

    fingerprint: str
    owner: str
    """Who wants it."""
    approver: str
    """Who agreed: somebody else."""
    ticket: str
    expires: date
    """The last day on which it counts, in UTC."""
    clusters: tuple[str, ...]
    """Where; empty for every cluster."""
    location: Location

    def covers(self, fingerprint: str, cluster: str, today: date) -> bool:
        """Whether it lets a change through on a cluster."""
        where = not self.clusters or cluster in self.clusters
        return self.fingerprint == fingerprint and where and today <= self.expires


def read(files: Mapping[str, bytes]) -> tuple[tuple[Approval, ...], tuple[Fault, ...]]:
    """Read the approvals among a repository's files; what is written wrongly approves nothing."""
    found: list[Approval] = []
    faults: list[Fault] = []
    for path in sorted(files):
        if not path.startswith(f"{FOLDER}/") or not path.endswith((".yaml", ".yml")):
            continue
        parsed, problems = yaml_documents.parse(path, files[path])
        faults += [Fault(Location(path, problem.line), problem.message) for problem in problems]
        for number, document in enumerate(parsed):
            listed = document.body if isinstance(document.body, list) else [document.body]
            for index, body in enumerate(listed):
                pointer = f"/{index}" if isinstance(document.body, list) else ""
                line = yaml_documents.locate(files[path], number, pointer)
                place = Location(path, line, pointer)
                wrong = list(_wrong(body))
                faults += [Fault(place, message) for message in wrong]
                if not wrong:
                    found.append(_approval(body, place))
    return tuple(found), tuple(faults)


def _wrong(body: Any) -> Iterator[str]:
    """Everything that keeps an entry from being an approval."""
    if not isinstance(body, dict):
        yield "is no approval: write fingerprint, owner, approver, ticket and expires"
        return
    for name in body:
        if name not in _FIELDS:
            close = get_close_matches(str(name), _FIELDS, 1)
            yield f"unknown field {name}" + (f"; did you mean {close[0]}?" if close else "")
    for name in _TEXTS:
        if not isinstance(body.get(name), str) or not body[name].strip():
            yield f"{name} must be a text"
    if isinstance(body.get("expires"), str) and _day(body["expires"]) is None:
        yield f'{body["expires"]!r} is no date; write it as "2026-12-31"'
    if body.get("owner") and body.get("owner") == body.get("approver"):
        yield f"{body['owner']} cannot approve what they want themselves"
    clusters = body.get("clusters", [])
    if not isinstance(clusters, list) or not all(isinstance(name, str) for name in clusters):
        yield "clusters must be a list of names"


def _approval(body: Mapping[str, Any], place: Location) -> Approval:
    texts = {name: body[name].strip() for name in _TEXTS if name != "expires"}
    day = _day(body["expires"]) or date.min
    return Approval(**texts, expires=day, clusters=tuple(body.get("clusters", ())), location=place)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
