"""Release files over https, taken only when their published checksum fits."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING

from groundplan.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

LIMIT = 512 * 1024 * 1024
"""Bytes of one program or archive."""
_CHECKSUMS_LIMIT = 1024 * 1024
_SECONDS = 20
"""How long a server may be silent."""
_CHUNK = 1024 * 1024
_SHA256 = re.compile(r"\b[0-9a-fA-F]{64}\b")

_HANDLERS: tuple[type[urllib.request.BaseHandler], ...] = (
    urllib.request.ProxyHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.UnknownHandler,
)
"""Without one for plain http, a redirect that leads away from https fails."""


def fetch(url: str, checksums: str, member: str, folder: Path) -> Path:
    """Download a program into a folder.

    Args:
        url: The program, or a tar archive that has it.
        checksums: Where the release publishes its SHA-256 checksums.
        member: The program's path in the archive; empty when `url` is the program.
        folder: An empty folder.

    Raises:
        ToolError: `toolchain.download` when it cannot be had, `toolchain.checksum` when it is
            not what its publisher says.
    """
    with _open(checksums) as answer:
        published = answer.read(_CHECKSUMS_LIMIT).decode("utf-8", "replace")
    expected = expected_sha256(published, url.rpartition("/")[2])
    program = folder / "program"
    archive = folder / "download"
    actual = _download(url, archive)
    if actual != expected:
        raise ToolError(
            "toolchain.checksum",
            f"the download has SHA-256 {actual}, its publisher says {expected or 'nothing'}",
            where=url,
            fix="do not use it; try again later or install the program yourself",
        )
    if member:
        extract(archive, member, program)
    else:
        archive.replace(program)
    program.chmod(0o755)
    return program


def expected_sha256(published: str, file: str) -> str:
    """Find a file's checksum in a list of them, or in a file with only one; empty when absent."""
    lines = [line for line in published.splitlines() if _SHA256.search(line)]
    named = [line for line in lines if file in line.replace("*", " ").split()]
    if not named and len(lines) == 1 and lines[0].strip().count(" ") == 0:
        named = lines
    found = _SHA256.search(named[0]) if len(named) == 1 else None
    return found.group().lower() if found else ""


def extract(archive: Path, member: str, target: Path) -> None:
    """Copy one file out of a tar archive; nothing else in it is looked at.

    Raises:
        ToolError: `toolchain.archive` when it is not there, no plain file, or too large.
    """
    try:
        with tarfile.open(archive) as opened:
            entry = opened.getmember(member)
            stream = opened.extractfile(entry) if entry.isreg() else None
            if stream is None or entry.size > LIMIT:
                raise KeyError(member)
            with target.open("wb") as out:
                shutil.copyfileobj(stream, out)
    except (KeyError, tarfile.TarError, EOFError) as error:
        raise ToolError(
            "toolchain.archive", f"the archive has no program {member}", where=archive.name
        ) from error


def _download(url: str, target: Path) -> str:
    """Write a file; the result is its SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with _open(url) as answer, target.open("wb") as out:
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if size > LIMIT:
                raise ToolError(
                    "toolchain.download", f"it is larger than {LIMIT // 2**20} MiB", where=url
                )
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _open(url: str) -> IO[bytes]:
    opener = urllib.request.OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    try:
        answer: IO[bytes] | None = opener.open(url, timeout=_SECONDS)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ToolError("toolchain.download", f"cannot be read: {reason}", where=url) from error
    if answer is None:
        raise ToolError("toolchain.download", "only https is tried", where=url)
    return answer
