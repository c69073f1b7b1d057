"""How a repository stands to what it was rendered from, and to the newest version: file by file.

Compares names that git gives to contents; nothing is rendered when both locks are there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from groundplan.merge import File, Mode, conflicts
from groundplan.template import version_numbers
from groundplan.updates import migrations, ownership, renders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from groundplan.merge import Conflict
    from groundplan.releases import Releases
    from groundplan.updates.checkout import Checkout
    from groundplan.updates.ownership import Class
    from groundplan.updates.renders import Lock


class State(StrEnum):
    """How one file stands."""

    UNCHANGED = "unchanged"
    EDITED = "edited"
    """By you; the newest version has it as before."""
    UPSTREAM = "upstream"
    """Only the newest version changed it, added it or removed it."""
    BOTH = "both"
    """An update would merge it."""
    MISSING = "missing"
    """You removed it."""
    OWNED = "owned"
    """Yours alone; updates leave it as it is."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one file stands, and whose it is."""

    path: str
    state: State
    owner: Class


@dataclass(frozen=True, slots=True)
class Status:
    """How a repository stands."""

    version: str
    newest: str
    tier: str
    engine: str
    files: tuple[Standing, ...]
    own: int
    """Files that the template has nothing to do with."""
    conflicts: tuple[Conflict, ...]
    """Left by the last update."""

    @property
    def behind(self) -> bool:
        """Whether there is a newer version."""
        return (version_numbers(self.version) or ()) < (version_numbers(self.newest) or ())

    def of(self, state: State) -> tuple[Standing, ...]:
        """The files in one state."""
        return tuple(standing for standing in self.files if standing.state is state)

    @property
    def drifted(self) -> bool:
        """Whether any file is not as the template made it."""
        states = (State.EDITED, State.BOTH, State.MISSING)
        return any(standing.state in states for standing in self.files)


def status(checkout: Checkout, releases: Releases) -> Status:
    """Compare a repository with what it was rendered from, and with the newest version.

    Raises:
        UsageError: `update.no-such-version`.
        TemplateError: A version has to be rendered and cannot be.
    """
    base = _lock(checkout, releases, checkout.version)
    newest = max(checkout.version, releases.newest, key=lambda tag: version_numbers(tag) or ())
    template = base
    if newest != checkout.version:
        template = _lock(checkout, releases, newest)
    mine = {path: f"{found.mode.value} {found.blob}" for path, found in checkout.tracked.items()}
    for path in checkout.changed:
        mine.pop(path, None)
        if found := _read(checkout.root, path):
            mine[path] = renders.named(found)
    rules = ownership.read(releases.template(newest), _owned_file(checkout.root))
    files = tuple(
        Standing(path, state, rules.of(path))
        for path in sorted({*base.blobs, *template.blobs})
        if (state := _state(path, base, mine, template, rules))
    )
    known = {*base.blobs, *template.blobs, conflicts.FILE, ownership.FILE}
    values = checkout.answers.values
    return Status(
        checkout.version,
        newest,
        str(values.get("tier", "")),
        str(values.get("engine", "")),
        files,
        len(mine.keys() - known),
        conflicts.left(checkout.root),
    )


def _state(
    path: str, base: Lock, mine: Mapping[str, str], template: Lock, rules: ownership.Ownership
) -> State | None:
    was, own, now = base.blobs.get(path), mine.get(path), template.blobs.get(path)
    if rules.owned(path) and own is not None:
        return State.OWNED
    # The answers file is written by each update, and says nothing but what they were.
    if rules.generated(path):
        return State.UNCHANGED if own == was else State.EDITED
    if own == was:
        return State.UNCHANGED if now == was else State.UPSTREAM
    if own == now:
        return State.UNCHANGED
    if now != was:
        return State.BOTH
    return State.MISSING if own is None else State.EDITED


def _lock(checkout: Checkout, releases: Releases, version: str) -> Lock:
    """The lock of a version with the recorded answers; rendered where it is not known yet."""
    template = releases.template(version)
    values: Mapping[str, Any] = checkout.answers.values
    if version != checkout.version:
        values = migrations.answers(values, migrations.between(template, checkout.version))
    known = renders.recall(checkout.private, version, values)
    if known is None:
        known = renders.lock(version, values, renders.render(template, values))
        renders.remember(checkout.private, known)
    return known


def _read(root: Path, path: str) -> File | None:
    """A file as it is on disk."""
    place = root / path
    if place.is_symlink():
        return File(os.fsencode(place.readlink()), Mode.LINK)
    if not place.is_file():
        return None
    mode = Mode.EXECUTABLE if os.access(place, os.X_OK) else Mode.FILE
    return File(place.read_bytes(), mode)


def _owned_file(root: Path) -> dict[str, File]:
    found = _read(root, ownership.FILE)
    return {ownership.FILE: found} if found else {}
