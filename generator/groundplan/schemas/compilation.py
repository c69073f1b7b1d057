"""From upstream data to the documents of a compiled store."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from groundplan.schemas.crd import Definition, strict_schemas
from groundplan.schemas.packs import INDEX, canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.schemas.core import Core
    from groundplan.schemas.provenance import LeftOut, Provenance


@dataclass(frozen=True, slots=True)
class Brought:
    """The CRDs of one component."""

    provenance: Provenance
    definitions: tuple[Definition, ...]


def digest(definitions: Iterable[Definition]) -> str:
    """Return the SHA-256 of CRDs in canonical form: order, prose and layout do not change it."""
    manifests = sorted(canonical(definition.manifest) for definition in definitions)
    return sha256(b"\n".join(manifests)).hexdigest()


def core_documents(core: Core, provenance: Provenance) -> dict[str, Any]:
    """Return the documents of a Kubernetes version's pack."""
    kinds = [[k.group, k.version, k.kind, k.namespaced, k.definition] for k in core.kinds]
    return {
        INDEX: {"kinds": kinds, "provenance": provenance.as_data()},
        "definitions.json": dict(core.definitions),
    }


def crd_documents(brought: Iterable[Brought], left_out: Iterable[LeftOut] = ()) -> dict[str, Any]:
    """Return the documents of a CRD pack. Of two components with the same kind the first counts."""
    kinds: dict[tuple[str, str], list[Any]] = {}
    components = []
    documents: dict[str, Any] = {}
    for one in brought:
        components.append(one.provenance.as_data())
        for definition in one.definitions:
            key = definition.group, definition.kind
            if key in kinds:
                continue
            kinds[key] = [
                *key,
                definition.namespaced,
                list(definition.served),
                one.provenance.component,
            ]
            documents |= _of_kind(definition)
    documents[INDEX] = {
        "kinds": [kinds[key] for key in sorted(kinds)],
        "components": components,
        "left_out": [[one.component, one.reason, list(one.kinds)] for one in left_out],
    }
    return documents


def manifest_name(group: str, kind: str) -> str:
    """Return where a pack has a CRD."""
    return f"manifests/{group}/{kind}.json"


def schema_name(group: str, version: str, kind: str) -> str:
    """Return where a pack has a JSON schema."""
    return f"schemas/{group}/{version}/{kind}.json"


def _of_kind(definition: Definition) -> Mapping[str, Any]:
    documents: dict[str, Any] = {
        manifest_name(definition.group, definition.kind): definition.manifest
    }
    for version, schema in strict_schemas(definition.manifest):
        documents[schema_name(definition.group, version, definition.kind)] = schema
    return documents
