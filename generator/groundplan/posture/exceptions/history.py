"""How old an exception is by what git remembers; the dates in a file can be rewritten."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from groundplan.git import git
from groundplan.posture.exceptions.model import FOLDER, Age
from groundplan.posture.exceptions.reading import read
from groundplan.posture.revisions import read as tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def ages(repository: Path) -> Mapping[str, Age]:
    """The age of everything that ever was an exception here, by `PostureException.keys`.

    Renaming a file, moving it or splitting an exception in two changes nothing. Without git, or
    without commits, nothing is known.
    """
    logged = git(
        repository, "log", "--reverse", "--format=%H %cs", "--", FOLDER, ok=(0, 128)
    ).splitlines()
    found: dict[str, Age] = {}
    ends: dict[str, date] = {}
    for line in logged:
        commit, _, day = line.partition(" ")
        for exception in read(tree_of(commit, repository).files)[0]:
            for key in exception.keys:
                known = found.setdefault(key, Age(date.fromisoformat(day), 0))
                if exception.expires and key in ends and exception.expires > ends[key]:
                    found[key] = Age(known.first, known.renewals + 1)
                if exception.expires:
                    ends[key] = exception.expires
    return found
