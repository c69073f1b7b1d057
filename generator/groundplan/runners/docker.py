"""A Docker engine that somebody else runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan import toolchain
from groundplan.errors import ToolError
from groundplan.process import Command
from groundplan.toolchain import Absent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundplan.process import Completed

_FIX = "start Docker; `groundplan verify --on apiserver` needs none"
_CLASSIC = {"DOCKER_BUILDKIT": "0"}
"""The builder that every engine has; nothing here needs more."""


def ensure_answers() -> None:
    """Make sure that an engine answers.

    Raises:
        ToolError: `docker.missing` without a client, `docker.down` without an engine.
    """
    found = toolchain.find("docker")
    if isinstance(found, Absent):
        raise ToolError("docker.missing", f"docker was not found: {found.reason}", fix=found.fix)
    asked = docker("version", "--format", "{{.Server.Version}}", ok=(0, 1))
    if asked.code:
        said = asked.stderr.decode("utf-8", "replace").strip()
        raise ToolError("docker.down", f"no Docker engine answers: {said}", fix=_FIX)


def docker(
    *words: str,
    stdin: bytes = b"",
    timeout: float = 60.0,
    ok: tuple[int, ...] = (0,),
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run one command of the client to its end."""
    argv = ("docker", *words)
    return Command(argv, stdin=stdin, timeout=timeout, ok=ok, env=env or {}, fix=_FIX).run()


def has_image(tag: str) -> bool:
    """Whether the engine has an image."""
    return docker("image", "inspect", "--format", "{{.Id}}", tag, ok=(0, 1)).code == 0


def pull(tag: str, timeout: float) -> str:
    """Get an image from its registry; the result is empty, or the reason why not."""
    try:
        docker("pull", "--quiet", tag, timeout=timeout)
    except ToolError as error:
        return error.what
    return ""


def build(tag: str, context: Path, **arguments: str) -> None:
    """Build an image from a folder that has a Dockerfile."""
    given = [word for name, text in arguments.items() for word in ("--build-arg", f"{name}={text}")]
    docker("build", "--quiet", "--tag", tag, *given, str(context), timeout=900, env=_CLASSIC)
