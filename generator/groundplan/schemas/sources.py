"""The CRDs of one component from wherever they can be had, checked against the lock file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml

from groundplan.schemas import downloads, gomodules, reading
from groundplan.schemas.compilation import Brought, digest
from groundplan.schemas.crd import definition
from groundplan.schemas.provenance import LeftOut, Missing, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundplan.schemas.lock import LockedComponent, ModuleFiles
    from groundplan.schemas.mirror import Mirror


@dataclass(frozen=True, slots=True)
class Sources:
    """Where upstream data may be read."""

    mirror: Mirror | None = None
    network: bool = True
    """Whether Go modules and release files may be downloaded."""


def crds(component: LockedComponent, sources: Sources, *, locked: bool = True) -> Brought | LeftOut:
    """Return a component's CRDs from the first source that has what the lock file names.

    Sources are tried in order: the mirror folder, the Go module, the release address.

    Args:
        component: What is wanted.
        sources: Where to look.
        locked: Whether only content with the lock file's hash is taken.
    """
    reasons = []
    for found in _attempts(component, sources.mirror, sources.network):
        if isinstance(found, Missing):
            reasons.append(found.reason)
        elif locked and found.provenance.sha256 != component.sha256:
            reasons.append(f"{found.provenance.source} differs from the lock file and is refused")
        else:
            return replace(found, provenance=replace(found.provenance, license=component.license))
    reason = "; ".join(reasons) or "the lock file names no source for it"
    return LeftOut(component.name, reason, component.kinds)


def _attempts(
    component: LockedComponent, mirror: Mirror | None, network: bool
) -> Iterator[Brought | Missing]:
    if mirror is not None:
        yield _from_mirror(component, mirror)
    if component.module:
        yield _from_module(component, component.module, network)
    if component.url:
        yield _from_release(component, network)


def _from_mirror(component: LockedComponent, mirror: Mirror) -> Brought | Missing:
    found = mirror.crds(component.name)
    if found is None:
        return Missing(f"the mirror folder has no CRDs of {component.name}")
    if found.provenance.version != component.version:
        return Missing(
            f"the mirror folder has {component.name} {found.provenance.version}, "
            f"not {component.version}"
        )
    return found


def _from_module(
    component: LockedComponent, files: ModuleFiles, network: bool
) -> Brought | Missing:
    folder = gomodules.folder(files.module, download=network)
    if isinstance(folder, Missing):
        return folder
    texts = (file.read_bytes() for file in sorted(folder.glob(files.files)))
    return _brought(component, texts, f"Go module {files.module}")


def _from_release(component: LockedComponent, network: bool) -> Brought | Missing:
    if not network:
        return Missing(f"{component.url} was not tried: offline")
    content = downloads.get(component.url)
    if isinstance(content, Missing):
        return content
    return _brought(component, [content], component.url)


def _brought(component: LockedComponent, texts: Iterable[bytes], source: str) -> Brought | Missing:
    try:
        manifests = [manifest for text in texts for manifest in reading.objects(text)]
    except yaml.YAMLError as error:
        return Missing(f"{source} is not YAML: {' '.join(str(error).split())}")
    found = tuple(d for manifest in manifests if (d := definition(manifest)))
    if not found:
        return Missing(f"{source} has no CRDs")
    provenance = Provenance(
        component.name, component.version, source, digest(found), component.license
    )
    return Brought(provenance, found)
