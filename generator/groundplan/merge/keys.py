"""The fields by which Kubernetes tells the items of a list apart, from the schemas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from groundplan.schemas import Missing, SchemaStore, default_store


@dataclass(frozen=True)
class SchemaKeys:
    """Asks the schemas of one Kubernetes version, its CRDs included; opens them when asked."""

    kubernetes: str

    @cached_property
    def _store(self) -> SchemaStore:
        return default_store(self.kubernetes)

    def __call__(self, api_version: str, kind: str, path: tuple[str | int, ...]) -> tuple[str, ...]:
        """The fields for the list at this path; empty when no schema names any."""
        if not (api_version and kind and path):
            return ()
        group, _, version = api_version.rpartition("/")
        schema = self._store.lookup(group, version, kind)
        if isinstance(schema, Missing):
            return ()
        merge_key = schema.patch_key(path)
        return schema.list_keys(path) or ((merge_key,) if merge_key else ())
