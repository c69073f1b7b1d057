"""Many repositories at once: a fleet file of local clones, and how each of them fares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.errors import ExitCode, GroundplanError, UsageError
from groundplan.updates import checkout, standing, writing

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.releases import Releases
    from groundplan.updates.report import Update
    from groundplan.updates.standing import Status

_KEYS = {"path", "name", "ring"}


@dataclass(frozen=True, slots=True)
class Member:
    """One repository of a fleet."""

    name: str
    root: Path
    ring: str
    """Which of several waves of updates it belongs to; empty when there are none."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was found out about a member, or done to it."""

    member: Member
    status: Status | None = None
    update: Update | None = None
    error: GroundplanError | None = None

    @property
    def code(self) -> ExitCode:
        """What the command would have said about this repository alone."""
        if self.error:
            return self.error.exit_code
        left = self.status.conflicts if self.status else ()
        if self.update:
            left = self.update.proposal.merged.conflicts
            if not left and self.update.assurance and self.update.assurance.fresh:
                return ExitCode.FINDINGS
        return ExitCode.CONFLICTS if left else ExitCode.CLEAN


def read(file: Path) -> tuple[Member, ...]:
    """Read a fleet file. Paths are relative to it.

    Raises:
        UsageError: `fleet.unreadable` or `fleet.invalid`.
        YamlError: It is no YAML.
    """
    fix = "write `repositories:` with a `path` each, and `name` and `ring` where you like"
    try:
        said = documents.load(file.read_bytes(), str(file))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise UsageError("fleet.unreadable", reason, where=str(file), fix=fix) from error
    listed = said.get("repositories") if isinstance(said, Mapping) else None
    if not isinstance(listed, list) or not all(map(_right, listed)):
        what = "this is no list of repositories"
        raise UsageError("fleet.invalid", what, where=str(file), fix=fix)
    members = tuple(_member(item, file.parent) for item in listed)
    names = [member.name for member in members]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        what = f"{twice[0]} is there twice"
        raise UsageError("fleet.invalid", what, where=str(file), fix="give each its own name")
    return members


def _right(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("path"), str) and item.keys() <= _KEYS


def _member(item: Mapping[str, Any], folder: Path) -> Member:
    root = folder / item["path"]
    return Member(str(item.get("name") or root.resolve().name), root, str(item.get("ring", "")))


def choose(members: tuple[Member, ...], ring: str | None) -> tuple[Member, ...]:
    """The members of one ring, or all.

    Raises:
        UsageError: `fleet.no-such-ring`.
    """
    if ring is None:
        return members
    chosen = tuple(member for member in members if member.ring == ring)
    if not chosen:
        known = sorted({member.ring for member in members if member.ring})
        fix = f"name one of {', '.join(known)}" if known else "give repositories a `ring`"
        raise UsageError("fleet.no-such-ring", f"no repository is in the ring {ring}", fix=fix)
    return chosen


def statuses(members: tuple[Member, ...], releases: Releases) -> Iterator[Result]:
    """How each member stands; one that cannot be looked at does not hold up the others."""

    def look(member: Member) -> Result:
        return Result(member, standing.status(checkout.find(member.root), releases))

    return (_guarded(member, look) for member in members)


def updates(
    members: tuple[Member, ...],
    releases: Releases,
    carry_out: Callable[[checkout.Checkout], Update],
    limit: int | None = None,
) -> Iterator[Result]:
    """Update each member that is behind, in their order; nothing more after `limit` of them."""
    done = 0

    def renew(member: Member) -> Result:
        found = checkout.find(member.root)
        writing.require_finished(found)
        status = standing.status(found, releases)
        behind = status.behind and (limit is None or done < limit)
        return Result(member, status, carry_out(found) if behind else None)

    for member in members:
        result = _guarded(member, renew)
        done += result.update is not None
        yield result


def _guarded(member: Member, work: Callable[[Member], Result]) -> Result:
    try:
        if not member.root.is_dir():
            fix = "clone it there, or correct the fleet file"
            where = str(member.root)
            raise UsageError("fleet.no-such-folder", "there is no clone", where=where, fix=fix)
        return work(member)
    except GroundplanError as error:
        return Result(member, error=error)
    except OSError as error:
        where = str(error.filename or member.root)
        reason = (error.strerror or "cannot be read").lower()
        return Result(member, error=UsageError("fleet.unusable", reason, where=where))


def worst(results: tuple[Result, ...]) -> ExitCode:
    """What the process says about all of them: what needs a person first counts most."""
    order = (ExitCode.CLEAN, ExitCode.FINDINGS, ExitCode.CONFLICTS)
    codes = {result.code for result in results}
    failed = codes.difference(order)
    return max(failed) if failed else max(codes, key=order.index, default=ExitCode.CLEAN)
