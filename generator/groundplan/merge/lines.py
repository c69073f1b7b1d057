"""The three-way merge of what is not YAML, line by line, by `git merge-file`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from groundplan.errors import ToolError
from groundplan.process import Command

_SIZE = 41
"""Characters of a conflict marker; longer than any that a text may hold already."""
_MOST = 127
"""`git merge-file` ends with the number of conflicts, or this when there are more."""


@dataclass(frozen=True, slots=True)
class Region:
    """Lines that both sides changed."""

    line: int
    """In the result, from 1."""
    base: str
    yours: str
    template: str


@dataclass(frozen=True, slots=True)
class Result:
    """The merged text with yours where both sides changed lines; None when it is no text."""

    text: bytes | None
    regions: tuple[Region, ...] = ()


def merge(base: bytes, yours: bytes, template: bytes) -> Result:
    """Merge three versions of a text.

    Raises:
        ToolError: `tool.missing` or `tool.failed`.
    """
    if any(b"\0" in side for side in (base, yours, template)):
        return Result(None)
    with tempfile.TemporaryDirectory(prefix="groundplan-merge-") as name:
        folder = Path(name)
        for side, content in (("yours", yours), ("base", base), ("template", template)):
            (folder / side).write_bytes(content)
        size = f"--marker-size={_SIZE}"
        argv = ("git", "merge-file", "-p", "-q", "--diff3", size, "yours", "base", "template")
        # A folder that is no repository: no attributes or settings of one apply.
        done = Command(argv, cwd=folder, ok=tuple(range(_MOST + 1))).run()
    return _cut(done.stdout)


def merged(base: str, yours: str, template: str) -> str | None:
    """Merge lines; None when both sides changed the same ones."""
    found = merge(base.encode(), yours.encode(), template.encode())
    return None if found.regions or found.text is None else found.text.decode()


def _cut(marked: bytes) -> Result:
    """Take yours out of the conflict markers, and note what stood there."""
    kept: list[bytes] = []
    regions: list[Region] = []
    sides: dict[str, list[bytes]] = {}
    side = ""
    names = {ord("<"): "yours", ord("|"): "base", ord("="): "template", ord(">"): ""}
    for line in marked.splitlines(keepends=True):
        marker = names.get(line[0]) if line[:_SIZE] == line[:1] * _SIZE else None
        if marker is None:
            (sides[side] if side else kept).append(line)
            continue
        if marker == "yours":
            sides = {"yours": [], "base": [], "template": []}
        elif not marker:
            texts = {name: b"".join(part) for name, part in sides.items()}
            shown = {name: part.decode("utf-8", "replace") for name, part in texts.items()}
            number = b"".join(kept).count(b"\n") + 1
            regions.append(Region(number, **shown))
            kept.append(texts["yours"])
        side = marker
    if side:
        raise ToolError("tool.failed", "git merge-file left a conflict open")
    return Result(b"".join(kept), tuple(regions))
