"""Kubernetes' own kinds from the OpenAPI document of a release."""

from __future__ import annotations

import json
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from groundplan.schemas import compilation, core, downloads, gomodules
from groundplan.schemas.provenance import Missing, Provenance

if TYPE_CHECKING:
    from groundplan.schemas.lock import LockedRelease

MODULE = "k8s.io/kubernetes"
DOCUMENT = "api/openapi-spec/swagger.json"
_ADDRESS = "https://raw.githubusercontent.com/kubernetes/kubernetes/{version}/" + DOCUMENT


def documents(release: LockedRelease, *, network: bool) -> dict[str, Any] | Missing:
    """Return the documents of a release's pack, or why they cannot be had."""
    found = openapi(release, network=network)
    if isinstance(found, Missing):
        return found
    text, source = found
    provenance = Provenance("kubernetes", release.version, source, release.sha256, "Apache-2.0")
    return compilation.core_documents(core.convert(json.loads(text)), provenance)


def openapi(
    release: LockedRelease, *, network: bool, locked: bool = True
) -> tuple[bytes, str] | Missing:
    """Return a release's OpenAPI document and its source, or why it cannot be had.

    Args:
        release: What is wanted.
        network: Whether it may be downloaded.
        locked: Whether only content with the lock file's hash is taken.
    """
    module = gomodules.Module(MODULE, release.version)
    reasons = []
    for read in (partial(_from_module, module, network), partial(_from_release, release, network)):
        found = read()
        if isinstance(found, Missing):
            reasons.append(found.reason)
        elif locked and sha256(found[0]).hexdigest() != release.sha256:
            reasons.append(f"{found[1]} differs from the lock file and is refused")
        else:
            return found
    return Missing("; ".join(reasons))


def _from_module(module: gomodules.Module, network: bool) -> tuple[bytes, str] | Missing:
    folder = gomodules.folder(module, download=network)
    if isinstance(folder, Missing):
        return folder
    return (folder / DOCUMENT).read_bytes(), f"Go module {module}"


def _from_release(release: LockedRelease, network: bool) -> tuple[bytes, str] | Missing:
    url = _ADDRESS.format(version=release.version)
    if not network:
        return Missing(f"{url} was not tried: offline")
    content = downloads.get(url)
    return content if isinstance(content, Missing) else (content, url)
