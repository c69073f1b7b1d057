"""Go modules as a source of files: the module cache, filled by `go mod download`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Module:
    """One version of a Go module."""

    path: str
    version: str

    def __str__(self) -> str:
        return f"{self.path}@{self.version}"


def in_cache(module: Module) -> Path | None:
    """Return the folder of a module that was downloaded before, without starting Go."""
    folder = _module_cache() / _escaped(str(module))
    return folder if folder.is_dir() else None


def _module_cache() -> Path:
    if named := os.environ.get("GOMODCACHE"):
        return Path(named)
    gopath = os.environ.get("GOPATH", "").split(os.pathsep)[0]
    return (Path(gopath) if gopath else Path.home() / "go") / "pkg" / "mod"


def _escaped(name: str) -> str:
    """Spell capitals as the module cache does, for file systems that do not tell them apart."""
    return re.sub("[A-Z]", lambda match: "!" + match.group().lower(), name)
