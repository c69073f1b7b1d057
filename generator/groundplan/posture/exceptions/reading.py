"""Exception files, read strictly: what is written wrongly is said, not guessed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from groundplan import documents as yaml_documents
from groundplan.findings import Location
from groundplan.posture.exceptions.model import FOLDER, KIND, PostureException, Scope
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.repository import EXCEPTION_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXTS = ("owner", "approver", "reason", "ticket")
DATES = ("createdAt", "expiresAt")
FIELDS = ("policies", "scope", *TEXTS, *DATES, "compensating")
SCOPE = ("clusters", "namespaces", "kinds", "names")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a file that is no exception as it stands."""

    location: Location
    message: str


def read(files: Mapping[str, bytes]) -> tuple[tuple[PostureException, ...], tuple[Fault, ...]]:
    """Read the exceptions among a repository's files, by path."""
    found: list[PostureException] = []
    faults: list[Fault] = []
    for path in sorted(files):
        if not path.startswith(f"{FOLDER}/") or not path.endswith((".yaml", ".yml")):
            continue
        parsed, problems = yaml_documents.parse(path, files[path])
        faults += [Fault(Location(path, problem.line), problem.message) for problem in problems]
        for number, document in enumerate(parsed):
            body = document.body if isinstance(document.body, dict) else {}
            if body.get("kind") in {"Component", "PolicyException"}:
                # Written from the exceptions, and none itself.
                continue
            wrong = list(_faults(body))
            lines = (yaml_documents.locate(files[path], number, pointer) for pointer, _ in wrong)
            faults += [
                Fault(Location(path, line, pointer), message)
                for line, (pointer, message) in zip(lines, wrong, strict=True)
            ]
            if not wrong:
                line = yaml_documents.locate(files[path], number, "")
                found.append(_exception(body, Location(path, line)))
    return tuple(found), tuple(faults)


def _faults(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything that keeps a document from being an exception, with the place of each."""
    group = str(body.get("apiVersion", "")).partition("/")[0]
    if body.get("kind") != KIND or group != EXCEPTION_GROUP:
        yield "", f"is no {KIND} of {EXCEPTION_GROUP}"
        return
    spec = mapping(body, "spec")
    yield from _unknown(spec, FIELDS, "/spec")
    yield from _unknown(mapping(spec, "scope"), SCOPE, "/spec/scope")
    if not _names(spec.get("policies")) or not spec.get("policies"):
        yield "/spec/policies", "must list the ids of the policies, and not *"
    for name in SCOPE:
        value = mapping(spec, "scope").get(name, [])
        if not _names(value):
            yield f"/spec/scope/{name}", "must be a list of names without *"
    for name in TEXTS:
        if not isinstance(spec.get(name, ""), str):
            yield f"/spec/{name}", "must be a text"
    for name in DATES:
        if name in spec and _day(spec[name]) is None:
            yield f"/spec/{name}", f'{spec[name]!r} is no date; write it as "2026-12-31"'


def _unknown(
    found: Mapping[str, Any], known: tuple[str, ...], at: str
) -> Iterator[tuple[str, str]]:
    for name in found:
        if name not in known:
            close = get_close_matches(str(name), known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield f"{at}/{name}", f"unknown field {name}{hint}"


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(n, str) and n != "*" for n in value)


def _exception(body: Mapping[str, Any], location: Location) -> PostureException:
    spec = mapping(body, "spec")
    scope = mapping(spec, "scope")
    parts = {name: tuple(sorted(items(scope, name))) for name in SCOPE}
    return PostureException(
        name=str(mapping(body, "metadata").get("name", "")),
        policies=tuple(sorted(spec["policies"])),
        scope=Scope(**parts),
        owner=spec.get("owner", ""),
        approver=spec.get("approver", ""),
        reason=spec.get("reason", ""),
        ticket=spec.get("ticket", ""),
        created=_day(spec.get("createdAt")),
        expires=_day(spec.get("expiresAt")),
        location=location,
    )


def _day(value: Any) -> date | None:
    """The day of a date or of a point in time; without a zone it ends in UTC."""
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None
