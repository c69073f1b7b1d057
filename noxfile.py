"""What must hold before a change lands: `nox` runs the default sessions in this order."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2026.7"
nox.options.sessions = ["lint", "types", "tests", "docs", "build"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

PROJECT = nox.project.load_toml("pyproject.toml")
MIRROR = Path("../shared/upstream")
MEMORY_NEEDED = 8 * 2**30


def install(session: nox.Session, *groups: str) -> None:
    """Install the project as users do, editable, with dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))
    # Tests start hundreds of Pythons, and with this each would compile the package anew.
    session.env["PYTHONDONTWRITEBYTECODE"] = None
    if MIRROR.is_dir():
        session.env.setdefault("GROUNDPLAN_UPSTREAM", str(MIRROR.resolve()))


def scratch() -> Path:
    """A folder for the hundreds of thousands of small files of a run, in memory if it has room."""
    memory = Path("/dev/shm")  # noqa: S108
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED
    usable = roomy and not os.statvfs(memory).f_flag & os.ST_NOEXEC
    return Path(tempfile.mkdtemp(prefix="tests-", dir=memory if usable else None))


def fetch_schemas(session: nox.Session) -> None:
    """Get what this machine can reach; the rest is said by name wherever it is missed."""
    session.run("groundplan", "schemas", "fetch", success_codes=[0, 3])


def add_promtool(session: nox.Session) -> None:
    """Unpack Debian's promtool for the tests of alerts; where that cannot be, they say so."""
    if shutil.which("promtool") or not (shutil.which("apt-get") and shutil.which("dpkg")):
        return
    folder = Path(session.virtualenv.location) / "promtool"
    if not (folder / "usr/bin/promtool").exists():
        folder.mkdir(exist_ok=True)
        anything = range(256)
        session.run("apt-get", "update", "-qq", external=True, success_codes=anything)
        with session.chdir(folder):
            words = ("apt-get", "download", "-qq", "prometheus")
            session.run(*words, external=True, success_codes=anything)
            for package in Path().glob("prometheus_*.deb"):
                session.run("dpkg", "-x", str(package), ".", external=True)
    session.env["PATH"] = f"{folder.resolve() / 'usr/bin'}:{os.environ['PATH']}"


def add_redis(session: nox.Session) -> None:
    """Install Debian's Redis for the tests of Argo CD; where that cannot be, they say so."""
    if shutil.which("redis-server") or os.geteuid() or not shutil.which("apt-get"):
        return
    for words in (("update",), ("install", "--yes", "--no-install-recommends", "redis-server")):
        session.run("apt-get", "-qq", *words, external=True, success_codes=range(256))


@nox.session
def lint(session: nox.Session) -> None:
    """Style of the code and of the YAML that people write."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("yamllint", "--strict", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    install(session, "types")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, real API servers and a kind cluster with them; `-- -m "not cluster"` for less.

    What is missing is built from Go modules. A cluster that waits leaves its time to the others.
    """
    install(session, "test")
    fetch_schemas(session)
    add_promtool(session)
    add_redis(session)
    # A file has its servers and its rendered repositories to itself; conftest.py has the order.
    shared = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
    words = ("python", "-m", "tests.engine", "pytest", *shared, *session.posargs)
    folder = scratch()
    # Go's garbage collector would take a fourth of what API servers compute.
    session.run(*words, env={"GROUNDPLAN_BUILD": "1", "GOGC": "400", "TMPDIR": str(folder)})
    # After a failure it stays, for a look.
    shutil.rmtree(folder, ignore_errors=True)


@nox.session
def laws(session: nox.Session) -> None:
    """New examples for the laws, and all cases; `tests` tries the same few for every commit."""
    install(session, "test")
    new = ("--hypothesis-profile", "default", "-m", "hypothesis or brute_force")
    session.run("pytest", "-n", "2", *new, *session.posargs, env={"GROUNDPLAN_DRAWS": "1"})


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios against named peers, side by side in one run."""
    install(session, "test")
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Generated pages equal the code, and every link leads somewhere."""
    install(session)
    session.run("python", "docs/generate.py", "--check", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Render the examples anew."""
    install(session)
    session.run("python", "examples/render.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """The sdist and the wheel."""
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(Path(session.create_tmp()) / "dist"))


@nox.session
def demo(session: nox.Session) -> None:
    """The main job: a new repository, checked, and accepted by a real API server."""
    install(session)
    fetch_schemas(session)
    target = Path(session.create_tmp()) / "platform"
    shutil.rmtree(target, ignore_errors=True)
    session.run("groundplan", "new", str(target), "--defaults")
    session.run("groundplan", "check", str(target))
    session.run("groundplan", "verify", str(target), "--on", "apiserver")
