"""Kubernetes objects and where in the repository each comes from."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple


class ResourceId(NamedTuple):
    """What makes an object the same object on a cluster."""

    group: str
    version: str
    kind: str
    namespace: str
    """Empty when the object is cluster-scoped or does not say."""
    name: str

    @property
    def api_version(self) -> str:
        """`group/version`, or only the version in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Identity without the version: two versions of one object are one object."""
        return self.group, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The YAML document that an object was written in."""

    path: str
    """Relative to the repository, with `/`."""
    document: int = 0
    """Index of the document in the file, from 0."""
    pointer: str = ""
    """JSON pointer inside the document, for an item of a `List`."""


@dataclass(frozen=True)
class Resource:
    """One Kubernetes object."""

    id: ResourceId
    body: Mapping[str, Any]
    """As the API server would receive it. Never changed in place."""
    origin: Origin

    @cached_property
    def content(self) -> tuple[Origin, bytes]:
        """The same for objects of one document that have the same body.

        Clusters share files, so most objects are on several of them.
        """
        # Version 2 writes no back-references: equal bodies give equal bytes.
        return self.origin, marshal.dumps(dict(self.body), 2)

    @classmethod
    def of(cls, body: Mapping[str, Any], origin: Origin) -> Resource:
        """Read the identity of an object. Missing parts are empty strings."""
        group, _, version = str(body.get("apiVersion", "")).rpartition("/")
        metadata = body.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        name = metadata.get("name") or metadata.get("generateName") or ""
        namespace = str(metadata.get("namespace") or "")
        identity = ResourceId(group, version, str(body.get("kind", "")), namespace, str(name))
        return cls(identity, body, origin)
