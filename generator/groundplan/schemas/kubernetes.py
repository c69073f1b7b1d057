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
    module = gomodules.Module(MODULE, release.version)
    reasons = []
    for read in (partial(_from_module, module, network), partial(_from_release, release, network)):
        found = read()
        if isinstance(found, Missing):
            reasons.append(found.reason)
            continue
        text, source = found
        if sha256(text).hexdigest() != release.sha256:
            reasons.append(f"{source} differs from the lock file and is refused")
            continue
        provenance = Provenance("kubernetes", release.version, source, release.sha256, "Apache-2.0")
        return compilation.core_documents(core.convert(json.loads(text)), provenance)
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
