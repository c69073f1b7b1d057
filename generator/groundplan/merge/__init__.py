"""Three-way merges that lose no edit: of YAML by structure, of everything else line by line."""

from groundplan.merge.model import (
    Cause,
    Conflict,
    Decision,
    Fate,
    File,
    Files,
    Merged,
    Mode,
    Move,
    Tally,
)
from groundplan.merge.moves import Renames
from groundplan.merge.trees import Rules, merge

__all__ = [
    "Cause",
    "Conflict",
    "Decision",
    "Fate",
    "File",
    "Files",
    "Merged",
    "Mode",
    "Move",
    "Renames",
    "Rules",
    "Tally",
    "merge",
]
