"""What the template makes of some answers, and a lock that remembers which files these are."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import groundplan
from groundplan.costs import Need, prices
from groundplan.git import ELSEWHERE
from groundplan.merge import File, Files, Mode
from groundplan.plan import Plan
from groundplan.process import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from groundplan.template import Template

SCHEMA = "groundplan.dev/lock/v1"
_KEPT = 4
"""Locks kept in one repository: the base, the newest, and those of another branch."""


@dataclass(frozen=True, slots=True)
class Render:
    """Everything that the template makes of some answers."""

    files: Files
    components: Mapping[str, str]
    """What the platform consists of: versions of charts, or nothing, by name."""
    prerequisites: tuple[str, ...]
    """What its tier and components count on."""
    needs: Mapping[str, Mapping[str, float]]
    """What the components ask of a cluster, by place: cores, GiB, and a month's price if known."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A render, with the names that git gives to its files instead of their content."""

    version: str
    digest: str
    """Of the answers."""
    blobs: Mapping[str, str]
    """Mode and name, by path."""
    components: Mapping[str, str]
    prerequisites: tuple[str, ...]
    needs: Mapping[str, Mapping[str, float]]


def render(
    template: Template,
    values: Mapping[str, Any],
    approve: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Render:
    """Render into a temporary folder and read what is there.

    Raises:
        AnswersError: `answers.refused`, when a question's own validator says no.
        TemplateError: The template cannot be rendered.
    """
    from groundplan import copier_adapter

    computed: dict[str, Any] = {}

    def note(answered: Mapping[str, Any]) -> None:
        approve(answered)
        computed.update(answered)

    with tempfile.TemporaryDirectory(prefix="groundplan-") as name:
        folder = Path(name, "rendered")
        copier_adapter.render(template, values, folder, note)
        return rendered(template, read(folder), computed)


def rendered(template: Template, files: Files, answers: Mapping[str, Any]) -> Render:
    """A render, given its files and all answers, computed ones included.

    Asks little of the template's own values, since any older version can be what is rendered.
    """
    plan = answers["plan"]
    charts = {said["name"]: said.get("chart") or {} for said in plan["components"]}
    needs = (
        f"{need['practice']} {need['least']}: {need['sentence']} ({need['by']})"
        for need in plan.get("prerequisites", ())
    )
    places = sorted({str(cluster["place"]) for cluster in answers["clusters"]})
    priced = (template.root / "blueprints" / "prices.yaml").is_file()
    return Render(
        files,
        {name: str(chart.get("version", "")) for name, chart in charts.items()},
        tuple(dict.fromkeys(needs)),
        {place: _need(template, Plan.of(plan), place) for place in places if priced},
    )


def _need(template: Template, plan: Plan, place: str) -> Mapping[str, float]:
    """What the components ask of a cluster at one place."""
    need = Need.of(plan.components, place)
    said = {name: round(value, 3) for name, value in asdict(need).items()}
    price = next((p for p in prices(template) if p.place == place), None)
    month = price.month(need) if price else None
    return said if month is None else {**said, "month": round(month, 2)}


def read(folder: Path) -> Files:
    """Every file below a folder."""
    found: dict[str, File] = {}
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = Path(above, name)
            found[path.relative_to(folder).as_posix()] = _file(path)
    return dict(sorted(found.items()))


def _file(path: Path) -> File:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return File(os.fsencode(path.readlink()), Mode.LINK)
    return File(path.read_bytes(), Mode.EXECUTABLE if mode & stat.S_IXUSR else Mode.FILE)


def digest(values: Mapping[str, Any]) -> str:
    """A name for answers that is the same when they are."""
    said = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(f"{groundplan.__version__}\0{said}".encode()).hexdigest()[:32]


def lock(version: str, values: Mapping[str, Any], made: Render) -> Lock:
    """The lock of a render."""
    blobs = {path: named(file) for path, file in made.files.items()}
    facts = made.components, made.prerequisites, made.needs
    return Lock(version, digest(values), blobs, *facts)


def named(file: File) -> str:
    """Mode and name of a file, as locks have them."""
    return f"{file.mode.value} {file.blob}"


def restored(locked: Lock, repository: Path, known: Files) -> Render | None:
    """A render from its lock, without rendering; None when git no longer has all of it.

    Args:
        locked: From this repository.
        repository: Whose git is asked for what people edited since.
        known: The files as they are now; most are as they were rendered.
    """
    files = {p: f for p, f in known.items() if locked.blobs.get(p) == named(f)}
    wanted = {p: said.split() for p, said in locked.blobs.items() if p not in files}
    asked = "".join(f"{blob}\n" for _, blob in wanted.values()).encode()
    argv = ("git", "cat-file", "--batch")
    said = Command(argv, cwd=repository, unset=ELSEWHERE, stdin=asked).run().stdout
    place = 0
    for path, (mode, blob) in wanted.items():
        end = said.index(b"\n", place)
        facts = said[place:end].split()
        if facts[1:2] != [b"blob"]:
            return None
        size = int(facts[2])
        files[path] = File(said[end + 1 : end + 1 + size], Mode(mode))
        if files[path].blob != blob:
            return None
        place = end + size + 2
    known_facts = locked.components, locked.prerequisites, locked.needs
    return Render(dict(sorted(files.items())), *known_facts)


def remember(private: Path, locked: Lock) -> None:
    """Keep a lock where the next `status` finds it; the oldest ones go."""
    folder = private / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    body = {
        "schema": SCHEMA,
        "version": locked.version,
        "answers": locked.digest,
        "components": dict(locked.components),
        "prerequisites": list(locked.prerequisites),
        "needs": dict(locked.needs),
        "files": dict(locked.blobs),
    }
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(body, stream, indent=1)
    Path(name).replace(_place(private, locked.version, locked.digest))
    kept = sorted(folder.glob("*.json"), key=lambda path: -path.stat().st_mtime)
    for old in kept[_KEPT:]:
        old.unlink(missing_ok=True)


def recall(private: Path, version: str, values: Mapping[str, Any]) -> Lock | None:
    """The lock of these answers at this version, if it was made here; a damaged one is none."""
    wanted = digest(values)
    try:
        body = json.loads(_place(private, version, wanted).read_text("utf-8"))
        right = (body["schema"], body["version"], body["answers"]) == (SCHEMA, version, wanted)
        if not right:
            return None
        expected = tuple(body["prerequisites"])
        facts = body["components"], expected, body["needs"]
        return Lock(version, wanted, body["files"], *facts)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(private: Path, version: str, digest_: str) -> Path:
    return private / "locks" / f"{version}-{digest_}.json"
