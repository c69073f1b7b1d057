"""Go modules as a source of files: the module cache, filled by `go mod download`."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from groundplan.errors import ToolError
from groundplan.process import Command
from groundplan.schemas.provenance import Missing

_MINUTES = 10


@dataclass(frozen=True, slots=True)
class Module:
    """One version of a Go module."""

    path: str
    version: str

    def __str__(self) -> str:
        return f"{self.path}@{self.version}"


def folder(module: Module, *, download: bool) -> Path | Missing:
    """Return the folder with a module's files, or why it cannot be had.

    Args:
        module: What is wanted.
        download: Whether `go mod download` may fill the module cache.
    """
    cached = _module_cache() / _escaped(str(module))
    if cached.is_dir():
        return cached
    if not download:
        return Missing(f"Go module {module} is not in the module cache")
    # Only a download needs Go, and with it the catalogue of tools.
    from groundplan import toolchain

    try:
        go = toolchain.ensure("go").path
    except ToolError as error:
        return Missing(f"Go module {module} was not tried: {error.what}; {error.fix}")
    return _download(go, module)


def _download(go: Path, module: Module) -> Path | Missing:
    argv = (str(go), "mod", "download", "-json", str(module))
    with tempfile.TemporaryDirectory() as nowhere:
        command = Command(argv, cwd=Path(nowhere), timeout=60 * _MINUTES, ok=(0, 1))
        try:
            said = json.loads(command.run().text)
        except (ToolError, ValueError) as error:
            return Missing(f"Go module {module} cannot be downloaded: {error}")
    if place := said.get("Dir"):
        return Path(place)
    reason = " ".join(str(said.get("Error", "no folder was named")).split())
    return Missing(f"Go module {module} cannot be downloaded: {reason}")


def _module_cache() -> Path:
    if named := os.environ.get("GOMODCACHE"):
        return Path(named)
    gopath = os.environ.get("GOPATH", "").split(os.pathsep)[0]
    return (Path(gopath) if gopath else Path.home() / "go") / "pkg" / "mod"


def _escaped(name: str) -> str:
    """Spell capitals as the module cache does, for file systems that do not tell them apart."""
    return re.sub("[A-Z]", lambda match: "!" + match.group().lower(), name)
