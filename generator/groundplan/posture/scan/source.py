"""What Flux has fetched, and verified where that is asked for: the files that it applies."""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan.errors import ToolError, UsageError
from groundplan.resources import ResourceId
from groundplan.tree import MAX_FILE_BYTES, Tree, Unreadable

if TYPE_CHECKING:
    from groundplan.runners.client import Client
    from groundplan.runners.kinds import Kinds

GROUP = "source.toolkit.fluxcd.io"
MAX_ARTIFACT_BYTES = 64 * 1024 * 1024
"""Packed; a repository of text is far smaller."""
_TIMEOUT = 60.0


def artifact(name: str, client: Client, known: Kinds) -> tuple[Tree, str]:
    """Fetch the artifact of a source, such as `GitRepository/flux-system/flux-system`.

    Gives the files and their revision.

    Raises:
        UsageError: `posture.no-such-source` when the name is none, or nothing serves its kind.
        ToolError: `posture.source` when there is no artifact, or it is not the one that was named.
    """
    kind, namespace, own = _parts(name)
    versions = known.versions(GROUP, kind)
    if not versions:
        raise _no_such(name)
    named = ResourceId(GROUP, versions[0], kind, namespace, own)
    answer = client.get(known.served[GROUP, versions[0], kind].path(named))
    if not answer.ok:
        raise ToolError("posture.source", answer.message, where=name, fix="see `flux get sources`")
    said = answer.body.get("status", {}).get("artifact") or {}
    algorithm, _, expected = str(said.get("digest", "")).partition(":")
    if algorithm != "sha256" or not str(said.get("url", "")).startswith(("http://", "https://")):
        raise ToolError(
            "posture.source", "has no artifact", where=name, fix="see `flux get sources`"
        )
    content = _fetched(said["url"])
    if hashlib.sha256(content).hexdigest() != expected:
        raise ToolError(
            "posture.source",
            f"the artifact at {said['url']} has another digest than its source says",
            where=name,
            fix="run the scan again; if it stays, see what answers at that address",
        )
    return unpacked(content), str(said.get("revision", ""))


def _parts(name: str) -> tuple[str, str, str]:
    parts = name.split("/")
    if len(parts) != 3 or not all(parts):
        raise _no_such(name)
    return parts[0], parts[1], parts[2]


def _no_such(name: str) -> UsageError:
    return UsageError(
        "posture.no-such-source",
        "is no source of Flux",
        where=name,
        fix="name one as KIND/NAMESPACE/NAME, such as GitRepository/flux-system/flux-system",
    )


def _fetched(url: str) -> bytes:
    try:
        # The address is one of the cluster, where no proxy leads.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read(MAX_ARTIFACT_BYTES + 1)
    except (urllib.error.URLError, TimeoutError) as error:
        raise ToolError(
            "posture.source",
            f"cannot be fetched: {error}",
            where=url,
            fix="let the scan reach the source controller",
        ) from error
    if len(content) > MAX_ARTIFACT_BYTES:
        raise ToolError(
            "posture.source",
            f"is larger than {MAX_ARTIFACT_BYTES >> 20} MiB",
            where=url,
            fix="keep large files out of the repository",
        )
    return content


def unpacked(content: bytes) -> Tree:
    """Give the files of a packed archive; nothing is written."""
    files: dict[str, bytes] = {}
    unreadable: list[Unreadable] = []
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            path = posixpath.normpath(member.name)
            if member.isdir():
                continue
            if not member.isreg():
                unreadable.append(Unreadable(path, "special-file", "no regular file"))
            elif member.size > MAX_FILE_BYTES:
                unreadable.append(Unreadable(path, "too-large", f"{member.size >> 20} MiB"))
            else:
                opened = archive.extractfile(member)
                files[path] = opened.read() if opened else b""
    return Tree(Path(), dict(sorted(files.items())), tuple(unreadable))
