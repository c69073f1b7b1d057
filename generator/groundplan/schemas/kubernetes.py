"""Kubernetes' own kinds from the module that Kubernetes is released as."""

from __future__ import annotations

import json
from hashlib import sha256

from groundplan.schemas import compilation, core, packs
from groundplan.schemas.gomodules import Module, in_cache
from groundplan.schemas.provenance import Missing, Provenance
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RELEASES = {"1.35": "v1.35.4", "1.36": "v1.36.3", "1.37": "v1.37.2"}
MODULE = "k8s.io/kubernetes"
DOCUMENT = "api/openapi-spec/swagger.json"


def compiled(kubernetes: str, target: Path) -> Path | Missing:
    """Make the pack of a minor version from the Go module cache."""
    version = RELEASES.get(kubernetes)
    if version is None:
        known = ", ".join(RELEASES)
        return Missing(f"Kubernetes {kubernetes} is not supported, only {known}")
    module = Module(MODULE, version)
    folder = in_cache(module)
    if folder is None:
        return Missing(
            f"no schemas of Kubernetes {kubernetes} are stored; `groundplan schemas fetch` gets them"
        )
    text = (folder / DOCUMENT).read_bytes()
    source = Provenance(
        "kubernetes", version, f"Go module {module}", sha256(text).hexdigest(), "Apache-2.0"
    )
    packs.write(target, compilation.core_documents(core.convert(json.loads(text)), source))
    return target
