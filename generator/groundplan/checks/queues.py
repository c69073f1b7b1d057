"""Queues of accelerators: they count on nodes that come, and leave alone what is not queued."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan import documents
from groundplan.charts import given
from groundplan.checks import Check
from groundplan.checks._objects import objects, tolerated
from groundplan.checks.ordering import ENGINE_NAMESPACES
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import box, selects
from groundplan.verify.pools import Pool, pools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.findings import Location
    from groundplan.repository import Repository
    from groundplan.resources import Resource, ResourceId

_GROUP = "kueue.x-k8s.io"
_CONFIGURATION = re.compile(r"^apiVersion: config\.kueue\.x-k8s\.io/", re.MULTILINE)
"""At the beginning of a line: the values of a chart hold it too, further in."""
_SELECTOR = "managedJobsNamespaceSelector"
_NAME = "kubernetes.io/metadata.name"
_VALUE = "/managerConfig/controllerManagerConfigYaml"


def _placeless(repository: Repository) -> Iterator[Outcome]:
    """Find flavours whose nodes nobody makes, or keep their pods away."""
    found = list(objects(repository))
    declared = pools(found)
    for resource in found:
        if (resource.id.group, resource.id.kind) != (_GROUP, "ResourceFlavor"):
            continue
        labels = mapping(resource.body, "spec", "nodeLabels")
        if not labels:
            continue
        if not declared:
            yield Skipped(str(resource.id), "no node pool is declared")
            continue
        fault = _misfit(resource, [p for p in declared if labels.items() <= p.labels.items()])
        if fault:
            place = repository.locate(resource.origin, "/spec")
            yield PLACELESS.fail(f"{resource.id} {fault}", place, resource.id)
        else:
            yield Passed()


def _misfit(flavour: Resource, fitting: list[Pool]) -> str:
    spec = mapping(flavour.body, "spec")
    if not fitting:
        wanted = ", ".join(f"{k}={v}" for k, v in sorted(mapping(spec, "nodeLabels").items()))
        return f"stands for nodes with {wanted}, which no declared pool gives its nodes"
    tolerations = [mapping(each) for each in items(spec, "tolerations")]
    announced = {mapping(each).get("key") for each in items(spec, "nodeTaints")}
    for pool in fitting:
        for taint in pool.taints:
            if taint["key"] not in announced and not tolerated(taint, tolerations):
                return f"neither tolerates nor names the taint {taint['key']} of {pool.name}"
    return ""


class _Configured(NamedTuple):
    """What a Kueue is told."""

    where: Location
    who: ResourceId
    namespace: str
    text: str


def _overreaching(repository: Repository) -> Iterator[Outcome]:
    """Find a Kueue without which the pods of the platform itself do not start."""
    labels = {
        resource.id.name: mapping(resource.body, "metadata", "labels")
        for resource in objects(repository)
        if (resource.id.group, resource.id.kind) == ("", "Namespace")
    }
    engines = sorted({ENGINE_NAMESPACES[cluster.engine] for cluster in repository.clusters})
    for kueue in _configured(repository):
        fault = _reach(kueue, ["kube-system", *engines], labels)
        if fault:
            yield OVERREACHING.fail(f"{kueue.who} {fault}", kueue.where, kueue.who)
        else:
            yield Passed()


def _configured(repository: Repository) -> Iterator[_Configured]:
    for installed in repository.installations:
        release = installed.release
        if release.chart != "kueue":
            continue
        told = mapping(given(release), "managerConfig").get("controllerManagerConfigYaml", "")
        where = repository.locate(*installed.place(_VALUE))
        yield _Configured(where, release.id, release.namespace, str(told))
    for resource in objects(repository):
        for key, text in mapping(resource.body, "data").items():
            if resource.id.kind == "ConfigMap" and _CONFIGURATION.search(str(text)):
                pointer = "/data/" + key.replace("~", "~0").replace("/", "~1")
                where = repository.locate(resource.origin, pointer)
                yield _Configured(where, resource.id, resource.id.namespace, str(text))


def _reach(kueue: _Configured, platform: list[str], labels: Mapping[str, Mapping[str, Any]]) -> str:
    try:
        told = documents.load(kueue.text, str(kueue.who)) if kueue.text else {}
    except documents.YamlError as error:
        return f"has a configuration that cannot be read: {error}"
    if _SELECTOR not in mapping(told):
        return f"is asked about pods of every namespace: it has no {_SELECTOR}"
    wanted = box(mapping(told, _SELECTOR))
    for name in (*platform, kueue.namespace):
        if selects(wanted, {**labels.get(name, {}), _NAME: name}):
            return f"is asked about pods of {name}, which then do not start while it is away"
    return ""


PLACELESS = Check(
    "GPU023",
    "A flavour stands for nodes that somebody makes",
    Severity.HIGH,
    "Name the label that the pool gives its nodes, and tolerate its taint.",
    _placeless,
)
OVERREACHING = Check(
    "GPU024",
    "Kueue is asked about teams' pods alone",
    Severity.HIGH,
    "Set managedJobsNamespaceSelector to a label of the namespaces whose work is queued.",
    _overreaching,
)
CHECKS = (PLACELESS, OVERREACHING)
