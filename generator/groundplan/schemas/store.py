"""The schemas of Kubernetes kinds, opened from compiled packs."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.schemas import core, crd, crd_shape
from groundplan.schemas.compilation import manifest_name, schema_name
from groundplan.schemas.explain import did_you_mean, explain
from groundplan.schemas.packs import Pack
from groundplan.schemas.provenance import LeftOut, Missing, Provenance
from groundplan.schemas.walk import keyword_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


Errors = tuple[tuple[str, str], ...]
"""What is wrong with an object: JSON pointers and sentences."""

HINT = "`groundplan schemas fetch` gets what can be had, --schemas names a folder that has it"
"""What to do about schemas that are not there."""


class KindId(NamedTuple):
    """A kind in one API version."""

    group: str
    version: str
    kind: str


class Schema:
    """The strict schema of one kind, compiled.

    Raises:
        ValueError: It cannot be compiled.
    """

    def __init__(
        self, id: KindId, namespaced: bool, source: Provenance, document: Mapping[str, Any]
    ) -> None:
        from jsonschema_rs import Draft7Validator

        self.id = id
        self.namespaced = namespaced
        self.provenance = source
        self.document: Mapping[str, Any] = document
        """The JSON schema, draft 7 and standalone."""
        self._validator = Draft7Validator(dict(document))

    def is_valid(self, body: Mapping[str, Any]) -> bool:
        """Whether an object fits. Quicker than asking for its errors."""
        return self._validator.is_valid(body)

    def errors(self, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with an object: a JSON pointer and a sentence each, in order."""
        if not self.is_valid(body):
            yield from explain(self._validator.iter_errors(body), self.document)

    def list_keys(self, path: Sequence[str | int]) -> tuple[str, ...]:
        """Return the fields that tell the items of a list apart, as server-side apply does.

        Empty when the list at this path is replaced as a whole, or is none. Numbers in the path
        enter the items of a list.
        """
        if keyword_at(self.document, path, "x-kubernetes-list-type") != "map":
            return ()
        return tuple(keyword_at(self.document, path, "x-kubernetes-list-map-keys") or ())

    def patch_key(self, path: Sequence[str | int]) -> str:
        """Return the field by which a strategic merge patch merges a list; empty when none."""
        return keyword_at(self.document, path, "x-kubernetes-patch-merge-key") or ""


class _Crd(NamedTuple):
    """A line of a CRD pack's index."""

    pack: Pack
    namespaced: bool
    served: tuple[str, ...]
    source: Provenance


class _Packed:
    """The kinds of the packs, whatever a repository brings besides."""

    def __init__(self, core: Pack | Missing, crds: Sequence[Pack]) -> None:
        self.core = core
        self.crds = tuple(crds)
        self._compiled: dict[KindId, Schema | Missing] = {}

    @cached_property
    def core_index(self) -> dict[KindId, tuple[bool, str]]:
        if isinstance(self.core, Missing):
            return {}
        return {KindId(g, v, k): (n, d) for g, v, k, n, d in self.core.index["kinds"]}

    @cached_property
    def _definitions(self) -> Mapping[str, Any]:
        definitions: Mapping[str, Any] = (
            {} if isinstance(self.core, Missing) else self.core.read("definitions.json")
        )
        return definitions

    @cached_property
    def crd_index(self) -> dict[tuple[str, str], _Crd]:
        lines: dict[tuple[str, str], _Crd] = {}
        for pack in self.crds:
            listed = map(Provenance.from_data, pack.index["components"])
            components = {one.component: one for one in listed}
            for group, kind, namespaced, served, component in pack.index["kinds"]:
                line = _Crd(pack, namespaced, tuple(served), components[component])
                lines.setdefault((group, kind), line)
        return lines

    def lookup(self, id: KindId) -> Schema | Missing | None:
        """Return the schema of a kind, why it cannot be had, or None when no pack knows it."""
        if id not in self._compiled and (found := self._read(id)) is not None:
            self._compiled[id] = found
        return self._compiled.get(id)

    def _read(self, id: KindId) -> Schema | Missing | None:
        if id in self.core_index and isinstance(self.core, Pack):
            namespaced, name = self.core_index[id]
            document = core.schema(self._definitions, name)
            source = Provenance.from_data(self.core.index["provenance"])
            return _schema(id, namespaced, source, document)
        line = self.crd_index.get((id.group, id.kind))
        if line is None:
            return None
        if id.version not in line.served:
            by = f"{line.source.component} {line.source.version}"
            return _not_served(id, line.served, by)
        document = line.pack.read(schema_name(id.group, id.version, id.kind))
        return _schema(id, line.namespaced, line.source, document)


class SchemaStore:
    """Schemas of one Kubernetes version and of the CRDs beside it."""

    def __init__(self, kubernetes: str, core: Pack | Missing, crds: Sequence[Pack]) -> None:
        self.kubernetes = kubernetes
        """The minor version, such as 1.37."""
        self._packed = _Packed(core, crds)
        self._extra: dict[tuple[str, str], tuple[crd.Definition, Provenance]] = {}
        self._unreadable: dict[tuple[str, str], Missing] = {}
        self._found: dict[KindId, Schema | Missing] = {}

    @classmethod
    def open(
        cls, kubernetes: str, *, core: Path | Missing, crds: Sequence[Path] = ()
    ) -> SchemaStore:
        """Open compiled packs; of two CRD packs with the same kind the first counts.

        Nothing but their indexes is read.

        Raises:
            NotEvaluatedError: `schemas.unreadable-store`.
        """
        opened = Pack(core) if isinstance(core, Path) else core
        return cls(kubernetes, opened, [Pack(path) for path in crds])

    def with_crds(
        self, manifests: Iterable[Mapping[str, Any]], source: str = "this repository"
    ) -> SchemaStore:
        """Return a store that also knows these CRDs, which win over those it already has."""
        store = copy(self)
        store._found = {}
        store._extra = dict(self._extra)
        store._unreadable = dict(self._unreadable)
        for manifest in manifests:
            if found := crd.definition(manifest):
                name = str(manifest["metadata"].get("name", ""))
                where = Provenance(name, "", source, "", "")
                store._extra[found.group, found.kind] = found, where
                store._unreadable.pop((found.group, found.kind), None)
            elif crd.is_definition(manifest):
                store._unreadable |= _unreadable(manifest, source)
        return store

    def lookup(self, group: str, version: str, kind: str) -> Schema | Missing:
        """Return the schema of a kind, compiled, or why there is none."""
        wanted = KindId(group, version, kind)
        found = self._found.get(wanted)
        if found is None:
            found = self._unreadable.get((group, kind)) or self._lookup(wanted)
            self._found[wanted] = found
        return found

    def validate_many(self, bodies: Iterable[Any]) -> Iterator[Errors | Missing]:
        """Yield for each object what is wrong with it (nothing: empty), or why nobody can say."""
        checks: dict[tuple[Any, Any], Any] = {}
        for body in bodies:
            key = body.get("apiVersion"), body.get("kind")
            try:
                is_valid, schema = checks[key]
            except KeyError:
                group, _, version = str(key[0]).rpartition("/")
                schema = self.lookup(group, version, str(key[1]))
                is_valid = schema._validator.is_valid if isinstance(schema, Schema) else None
                checks[key] = is_valid, schema
            if is_valid is None:
                yield schema
            elif is_valid(body):
                yield ()
            else:
                yield tuple(schema.errors(body))

    def crd_for(self, group: str, kind: str) -> Mapping[str, Any] | Missing:
        """Return the CustomResourceDefinition that brings a kind, or why there is none."""
        if extra := self._extra.get((group, kind)):
            return extra[0].manifest
        if unreadable := self._unreadable.get((group, kind)):
            return unreadable
        if line := self._packed.crd_index.get((group, kind)):
            manifest: Mapping[str, Any] = line.pack.read(manifest_name(group, kind))
            return manifest
        return self._unknown(KindId(group, "", kind))

    def kinds(self) -> tuple[KindId, ...]:
        """Return every kind that has a schema, sorted."""
        own = {
            KindId(group, version, kind)
            for (group, kind), line in self._packed.crd_index.items()
            for version in line.served
        }
        extra = {KindId(g, v, k) for (g, k), (d, _) in self._extra.items() for v in d.served}
        return tuple(sorted({*self._packed.core_index, *own, *extra}))

    @property
    def provenance(self) -> tuple[Provenance, ...]:
        """Where everything came from."""
        found = []
        if isinstance(self._packed.core, Pack):
            found.append(Provenance.from_data(self._packed.core.index["provenance"]))
        found.extend(dict.fromkeys(line.source for line in self._packed.crd_index.values()))
        found.extend(source for _, source in self._extra.values())
        return tuple(sorted(found, key=lambda one: one.component))

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What could not be had when the packs were made."""
        out = []
        if isinstance(self._packed.core, Missing):
            out.append(LeftOut("kubernetes", self._packed.core.reason))
        had = {one.component for one in self.provenance}
        lines = [line for pack in self._packed.crds for line in pack.index["left_out"]]
        listed = (LeftOut(name, reason, tuple(kinds)) for name, reason, kinds in lines)
        out.extend(one for one in dict.fromkeys(listed) if one.component not in had)
        return tuple(out)

    def _lookup(self, id: KindId) -> Schema | Missing:
        if extra := self._extra.get((id.group, id.kind)):
            definition, source = extra
            for version, document in crd.strict_schemas(definition.manifest):
                if version == id.version:
                    return _schema(id, definition.namespaced, source, document)
            return _not_served(id, definition.served, source.source)
        return self._packed.lookup(id) or self._unknown(id)

    def _unknown(self, id: KindId) -> Missing:
        """Say why a kind has no schema."""
        known = [one for one in self._packed.core_index if one.group == id.group]
        if not known and not _is_builtin(id.group):
            for left in self.left_out:
                if f"{id.group}/{id.kind}" in left.kinds:
                    return Missing(f"{id.kind} belongs to {left.component}: {left.reason}; {HINT}")
            return Missing(f"no schema of {id.kind} in {id.group} is stored; {HINT}")
        if isinstance(self._packed.core, Missing):
            return self._packed.core
        if served := [one.version for one in known if one.kind == id.kind]:
            return _not_served(id, served, f"Kubernetes {self.kubernetes}")
        hint = did_you_mean(id.kind, {one.kind for one in known})
        where = f"{id.group}/{id.version}" if id.group else id.version
        return Missing(f"Kubernetes {self.kubernetes} has no {id.kind} in {where}{hint}", True)


def _unreadable(manifest: Mapping[str, Any], source: str) -> dict[tuple[str, str], Missing]:
    """Say of the kind that a malformed CRD names why it has no schema."""
    match manifest:
        case {"spec": {"group": str(group), "names": {"kind": str(kind)}}}:
            why = crd_shape.fault(manifest)
            return {(group, kind): Missing(f"{source} defines {kind}, but cannot be read: {why}")}
    return {}


def _schema(
    id: KindId, namespaced: bool, source: Provenance, document: Mapping[str, Any]
) -> Schema | Missing:
    """Compile a schema; one that cannot be compiled is as good as none."""
    try:
        return Schema(id, namespaced, source, document)
    except ValueError as error:
        reason = str(error).partition("\n")[0][:200]
        return Missing(
            f"the schema of {id.kind} {id.group}/{id.version} cannot be compiled: {reason}"
        )


def _is_builtin(group: str) -> bool:
    """Whether no CRD can have this group: CRD groups are domain names."""
    return "." not in group


def _not_served(id: KindId, served: Iterable[str], by: str) -> Missing:
    versions = ", ".join(served) or "none"
    return Missing(
        f"{id.kind} {id.group}/{id.version} is not served by {by}, only {versions}", True
    )
