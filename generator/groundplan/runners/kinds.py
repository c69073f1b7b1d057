"""The kinds that an API server serves, and the paths of their objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.resources import ResourceId
    from groundplan.runners.client import Client

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Served:
    """A kind in one version."""

    group: str
    version: str
    plural: str
    namespaced: bool

    def collection(self, namespace: str) -> str:
        """The path of all objects, in the default namespace where none is given."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        space = f"/namespaces/{quote(namespace or DEFAULT_NAMESPACE, '')}"
        return f"{root}{space if self.namespaced else ''}/{self.plural}"

    def path(self, id: ResourceId) -> str:
        """The path of one object."""
        return f"{self.collection(id.namespace)}/{quote(id.name, '')}"


@dataclass(frozen=True, slots=True)
class Kinds:
    """What is served, by group, version and kind."""

    served: Mapping[tuple[str, str, str], Served]

    def find(self, id: ResourceId) -> Served | None:
        """How to address an object; None when its kind is not served in its version."""
        return self.served.get((id.group, id.version, id.kind))

    def versions(self, group: str, kind: str) -> tuple[str, ...]:
        """The versions in which a kind is served."""
        return tuple(v for g, v, k in self.served if (g, k) == (group, kind))

    def having(self, crd: Mapping[str, Any]) -> Kinds:
        """These kinds and those of a CustomResourceDefinition that the server has taken."""
        spec = crd["spec"]
        group, names = spec["group"], spec["names"]
        new = {
            (group, version["name"], names["kind"]): Served(
                group, version["name"], names["plural"], spec["scope"] == "Namespaced"
            )
            for version in spec["versions"]
            if version.get("served")
        }
        return Kinds({**self.served, **new})


def discover(client: Client) -> Kinds:
    """Ask an API server which kinds it has."""
    served: dict[tuple[str, str, str], Served] = {}
    for root in ("/api", "/apis"):
        for group in client.get(root, DISCOVERY).body["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                for resource in version.get("resources", ()):
                    key = name, version["version"], resource["responseKind"]["kind"]
                    namespaced = resource["scope"] == "Namespaced"
                    served[key] = Served(name, version["version"], resource["resource"], namespaced)
    return Kinds(served)
