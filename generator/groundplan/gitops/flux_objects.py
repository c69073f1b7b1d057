"""What Kustomizations put on a cluster, found by name, and the order in which they are followed."""

from __future__ import annotations

import base64
import binascii
import heapq
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.gitops import sops
from groundplan.gitops.scene import maps, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.gitops.ordering import Key
    from groundplan.resources import Resource

_GENERATORS = "source.extensions.fluxcd.io"
_HOLDERS = frozenset({"ConfigMap", "Secret"})


@dataclass(frozen=True, slots=True)
class Entries:
    """What a ConfigMap or Secret holds."""

    known: Mapping[str, str]
    encrypted: frozenset[str]
    """Names whose values only the cluster can read."""


class Objects:
    """The objects of one cluster, as far as its Kustomizations have been followed."""

    def __init__(self) -> None:
        self.applied: dict[Key, Resource] = {}
        """The first object of each name that is applied."""
        self.generators: list[Resource] = []
        """Those that compose artifacts."""
        self._built: dict[Key, Resource] = {}
        self._encrypted: dict[Key, frozenset[str]] = {}

    def build(self, resources: Iterable[Resource]) -> list[Key]:
        """Note objects as they are built; gives the ConfigMaps and Secrets that are new."""
        new: list[Key] = []
        for resource in resources:
            key = resource.id.key
            if resource.id.kind not in _HOLDERS or key in self._built:
                continue
            self._built[key] = resource
            new.append(key)
            if names := sops.encrypted(resource):
                self._encrypted[key] = names
        return new

    def apply(self, resources: Iterable[Resource]) -> None:
        """Note objects as they are applied."""
        for resource in resources:
            self.applied.setdefault(resource.id.key, resource)
            if resource.id.group == _GENERATORS:
                self.generators.append(resource)

    def encrypted(self, key: Key) -> frozenset[str]:
        """The entries of a ConfigMap or Secret that are encrypted."""
        return self._encrypted.get(key, frozenset())

    def has(self, key: Key) -> bool:
        """Whether a ConfigMap or Secret is in the repository."""
        return key in self._built

    def entries(self, key: Key) -> Entries | None:
        """What a ConfigMap or Secret defines; None when it is not in the repository."""
        resource = self.applied.get(key) or self._built.get(key)
        if resource is None:
            return None
        known = _data(resource)
        hidden = self.encrypted(key)
        return Entries({n: v for n, v in known.items() if n not in hidden}, hidden)


class Waiting:
    """Kustomizations to follow: first those whose variables are there, else in their order."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._units: list[Resource] = []
        self._lacking: list[set[Key]] = []
        self._ready: list[int] = []
        self._all: deque[int] = deque()
        self._taken: set[int] = set()
        self._needed: dict[Key, list[int]] = {}

    def add(self, unit: Resource) -> None:
        """Put a Kustomization at the end."""
        number = len(self._units)
        lacking = {key for key in references(unit) if not self._objects.has(key)}
        self._units.append(unit)
        self._lacking.append(lacking)
        self._all.append(number)
        for key in lacking:
            self._needed.setdefault(key, []).append(number)
        if not lacking:
            heapq.heappush(self._ready, number)

    def arrived(self, keys: Iterable[Key]) -> None:
        """Say that ConfigMaps and Secrets are there now."""
        for key in keys:
            for number in self._needed.pop(key, ()):
                self._lacking[number].discard(key)
                if not self._lacking[number]:
                    heapq.heappush(self._ready, number)

    def take(self) -> Resource | None:
        """Take out the next one; None when there is none left."""
        while self._ready:
            number = heapq.heappop(self._ready)
            if number not in self._taken:
                self._taken.add(number)
                return self._units[number]
        while self._all:
            number = self._all.popleft()
            if number not in self._taken:
                self._taken.add(number)
                return self._units[number]
        return None


def references(unit: Resource) -> list[Key]:
    """The ConfigMaps and Secrets whose entries are a Kustomization's variables."""
    return [
        reference(unit, entry) for entry in maps(unit.body, "spec", "postBuild", "substituteFrom")
    ]


def reference(unit: Resource, entry: Mapping[str, object]) -> Key:
    """The ConfigMap or Secret that one entry of `substituteFrom` names."""
    kind, name = str(entry.get("kind", "ConfigMap")), str(entry.get("name", ""))
    return "", kind, unit.id.namespace, name


def _data(resource: Resource) -> dict[str, str]:
    """The entries of a ConfigMap or Secret as Flux takes them: without line breaks."""
    values: dict[str, str] = {}
    for name, value in section(resource.body, "data").items():
        text = str(value)
        if resource.id.kind == "Secret":
            try:
                text = base64.b64decode(text).decode()
            except (binascii.Error, ValueError):
                continue
        values[str(name)] = text
    for name, value in section(resource.body, "stringData").items():
        values[str(name)] = str(value)
    return {name: value.replace("\n", "") for name, value in values.items()}
