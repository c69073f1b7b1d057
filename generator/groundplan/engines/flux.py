"""What Flux's kustomize-controller and helm-controller would do with one unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from groundplan.engines import charts
from groundplan.runners.client import Client, apply
from groundplan.runners.definitions import define, established
from groundplan.runners.kinds import discover

if TYPE_CHECKING:
    from groundplan.gitops.model import Cluster, Unit
    from groundplan.resources import Resource
    from groundplan.schemas import SchemaStore

_FIRST = ("CustomResourceDefinition", "Namespace")
"""What the controller applies before the rest, and waits for."""


def prepare(client: Client, cluster: Cluster) -> None:
    """Make the namespaces that Flux is started in, as its installation does."""
    for name in sorted({unit.id.namespace for unit in cluster.units} - {""}):
        labels = {
            "groundplan.dev/owner": "platform",
            "pod-security.kubernetes.io/enforce": "restricted",
        }
        metadata = {"name": name, "labels": labels}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        client.send(apply(f"/api/v1/namespaces/{name}", body, dry_run=False))


def apply_unit(
    client: Client, unit: Unit, schemas: SchemaStore
) -> tuple[tuple[Resource, str], ...]:
    """Apply a unit's objects by server-side apply; the result is what was refused.

    Definitions and namespaces come first, then the rest, in the order of the unit; substitutions
    were made when it was built. Of a chart its definitions are installed. Objects that only the
    cluster can decrypt are left out.
    """
    for release in unit.releases:
        define(client, charts.definitions(charts.component_of(release), schemas))
    for problem in unit.problems:
        if problem.elsewhere is not None:
            define(client, charts.source_definitions(problem.elsewhere.repository, schemas))
    refused: list[tuple[Resource, str]] = []
    first = [r for r in unit.resources if r.id.kind in _FIRST]
    rest = [r for r in unit.resources if r.id.kind not in _FIRST and "sops" not in r.body]
    for resources in (first, rest):
        refused += _apply(client, resources, schemas)
        established(client, [r.body for r in resources if r.id.kind == _FIRST[0]])
    return tuple(refused)


def _apply(
    client: Client, resources: list[Resource], schemas: SchemaStore
) -> list[tuple[Resource, str]]:
    kinds = discover(client)
    wanted = {(r.id.group, r.id.kind) for r in resources if kinds.find(r.id) is None}
    # They come with the engine, or from a source that is not to be had here.
    found = (schemas.crd_for(*key) for key in sorted(wanted))
    manifests = [crd for crd in found if isinstance(crd, Mapping)]
    define(client, manifests)
    for manifest in manifests:
        # Discovery tells of them a little later.
        kinds = kinds.having(manifest)
    refused = []
    for resource in resources:
        served = kinds.find(resource.id)
        if served is None:
            refused.append((resource, f"the cluster has no {resource.id.kind}"))
            continue
        answer = client.send(apply(served.path(resource.id), resource.body, dry_run=False))
        if not answer.ok:
            refused.append((resource, answer.message))
    return refused
