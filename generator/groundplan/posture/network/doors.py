"""The doors of a cluster: who may come to a Service from outside, and by which way.

NetworkPolicies decide what reaches a pod; Services, Ingresses and the routes of gateways decide who
may ask at all. The rungs are: nobody (ClusterIP), whoever reaches a node (NodePort, and a load
balancer unless it does without), an internal load balancer, a public one, an address of one's own
(`externalIPs`), and names at an Ingress or a Gateway. Sources: the API references of Service,
`networking.k8s.io/v1` and `gateway.networking.k8s.io/v1`; how a load balancer becomes internal is
each cloud's own annotation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.posture.network import addresses
from groundplan.posture.network.spans import NONE
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.resources import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.posture.network.spans import Spans
    from groundplan.resources import Resource

GATEWAY_API = "gateway.networking.k8s.io"
ROUTES = frozenset({"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"})
INTERNAL = {
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "networking.gke.io/load-balancer-type": "internal",
    "cloud.google.com/load-balancer-type": "internal",
}
"""Annotations, and the values in lower case, by which a load balancer has no public address."""
PUBLIC, PRIVATE = "through a load balancer", "through an internal load balancer"
NODES = "through the nodes' own addresses"
_ASIDE = ("groundplan.dev/", "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "a8r.io/")
"""Annotations that no Ingress controller reads."""
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


@dataclass(frozen=True)
class Door:
    """One way in."""

    to: ResourceId
    """What is reached, nearly always a Service."""
    way: str
    """The rest of `may be reached`."""
    port: str
    resource: Resource
    """Where the door is written."""
    pointer: str
    host: str = ""
    """The name that is asked for; empty for any."""
    path: tuple[str, str] = ("Prefix", "/")
    """How a path is compared, and with what."""
    conditions: frozenset[str] = frozenset()
    """What else a request must be like."""
    filters: str = ""
    """What is done to a request on its way, as it is written."""
    sources: Spans = addresses.EVERY
    """Who may come."""

    @property
    def words(self) -> str:
        """The door as the rest of a sentence."""
        kind, path = self.path
        what = path if kind == "Exact" else f"{path.rstrip('/')}/…" if kind == "Prefix" else path
        named = f" as {self.host or 'any host'}{what}" if self.way.startswith("at ") else ""
        only = f" if {' and '.join(sorted(self.conditions))}" if self.conditions else ""
        known = self.sources != addresses.EVERY
        whence = f" from {addresses.words(self.sources)}" if known else ""
        return f"{self.way}{named}{only}{whence} on {self.port}"

    def within(self, other: Door) -> bool:
        """Whether whoever comes in here could come in there. Never yes by mistake."""
        return (
            self.to.key == other.to.key
            and self._way_within(other.way)
            and self.port == other.port
            and _host_within(self.host, other.host)
            and _path_within(self.path, other.path)
            and other.conditions <= self.conditions
            and not self.sources - other.sources
        )

    def _way_within(self, other: str) -> bool:
        """Whether a way is open to no more: a private balancer, or one listener of a Gateway."""
        lower = (self.way, other) == (PRIVATE, PUBLIC)
        return self.way == other or lower or self.way.startswith(f"{other} (")


def _host_within(inner: str, outer: str) -> bool:
    """Whether a name is among those that another one stands for.

    A star stands for one label to an Ingress and for one or more to a Gateway: here for one.
    """
    if outer in {"", inner}:
        return True
    return outer.startswith("*.") and inner.partition(".")[2] == outer[2:] and bool(inner)


def _path_within(inner: tuple[str, str], outer: tuple[str, str]) -> bool:
    if inner == outer:
        return True
    kind, path = outer
    known = inner[0] in {"Prefix", "Exact"} and kind == "Prefix"
    return known and f"{inner[1]}/".startswith(f"{path.rstrip('/')}/")


def doors(resource: Resource) -> Iterator[Door]:
    """Walk the doors that an object opens."""
    match resource.id.group, resource.id.kind:
        case "", "Service":
            yield from _service(resource)
        case "networking.k8s.io", "Ingress":
            yield from _ingress(resource)
        case group, kind if group == GATEWAY_API and kind in ROUTES:
            yield from _route(resource)


def _service(service: Resource) -> Iterator[Door]:
    spec = mapping(service.body, "spec")
    notes = mapping(service.body, "metadata", "annotations")
    kind = spec.get("type") or "ClusterIP"
    ranges = items(spec, "loadBalancerSourceRanges") or [
        one.strip() for one in str(notes.get(_RANGES) or "").split(",") if one.strip()
    ]
    private = any(str(notes.get(key)).lower() == value for key, value in INTERNAL.items())
    for port in map(mapping, items(spec, "ports")):
        number = f"{port.get('protocol') or 'TCP'} {port.get('port')}"
        nodes = kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
        if kind == "NodePort" or nodes:
            yield Door(service.id, NODES, number, service, "/spec/type")
        if kind == "LoadBalancer":
            way = PRIVATE if private else PUBLIC
            yield Door(service.id, way, number, service, "/spec/type", sources=_addresses(ranges))
        for place, address in enumerate(items(spec, "externalIPs")):
            at = f"/spec/externalIPs/{place}"
            yield Door(service.id, f"through the address {address}", number, service, at)


def _addresses(ranges: list[Any]) -> Spans:
    """The addresses of some blocks; of what is no block nothing is known, so it is everybody."""
    found = NONE
    try:
        for one in ranges:
            found |= addresses.block(str(one))
    except ValueError:
        return addresses.EVERY
    return found if ranges else addresses.EVERY


def _ingress(ingress: Resource) -> Iterator[Door]:
    spec = mapping(ingress.body, "spec")
    notes = mapping(ingress.body, "metadata", "annotations")
    name = spec.get("ingressClassName") or notes.get("kubernetes.io/ingress.class")
    way = f"at Ingress class {name}" if name else "at the default Ingress class"
    # Controllers read much from annotations, so each that may be meant for them matters.
    kept = {key: value for key, value in notes.items() if not key.startswith(_ASIDE)}
    said = json.dumps(kept, sort_keys=True, default=str)
    default = mapping(spec, "defaultBackend")
    if default:
        to, port = _backend(mapping(default, "service"), "name", ingress)
        yield Door(to, way, port, ingress, "/spec/defaultBackend", filters=said)
    for index, rule in enumerate(map(mapping, items(spec, "rules"))):
        for number, path in enumerate(map(mapping, items(mapping(rule, "http"), "paths"))):
            to, port = _backend(mapping(path, "backend", "service"), "name", ingress)
            yield Door(
                to,
                way,
                port,
                ingress,
                f"/spec/rules/{index}/http/paths/{number}",
                host=str(rule.get("host") or ""),
                path=(str(path.get("pathType")), str(path.get("path") or "/")),
                filters=said,
            )


def _backend(written: Mapping[str, Any], name: str, owner: Resource) -> tuple[ResourceId, str]:
    """What a rule sends to, and on which port."""
    port = mapping(written, "port")
    number = port.get("number") or port.get("name") or written.get("port")
    kind = str(written.get("kind") or "Service")
    group = str(written.get("group") or "")
    space = str(written.get("namespace") or owner.id.namespace)
    version = "v1" if kind == "Service" else ""
    return ResourceId(group, version, kind, space, str(written.get(name))), f"port {number}"


def _route(route: Resource) -> Iterator[Door]:
    spec = mapping(route.body, "spec")
    hosts = [str(host) for host in items(spec, "hostnames")] or [""]
    for parent in map(mapping, items(spec, "parentRefs")):
        way = _parent(parent, route)
        for index, rule in enumerate(map(mapping, items(spec, "rules"))):
            filters = items(rule, "filters")
            for number, sent in enumerate(map(mapping, items(rule, "backendRefs"))):
                if sent.get("weight") == 0:
                    continue
                to, port = _backend(sent, "name", route)
                own = [*filters, *items(sent, "filters")]
                for match in map(mapping, items(rule, "matches") or [{}]):
                    for host in hosts:
                        yield Door(
                            to,
                            way,
                            port,
                            route,
                            f"/spec/rules/{index}/backendRefs/{number}",
                            host=host,
                            path=_path(mapping(match, "path")),
                            conditions=_conditions(match),
                            filters=json.dumps(own, sort_keys=True, default=str) if own else "",
                        )


def _parent(parent: Mapping[str, Any], route: Resource) -> str:
    name = f"{parent.get('namespace') or route.id.namespace}/{parent.get('name')}"
    part = parent.get("sectionName") or parent.get("port")
    return f"at {parent.get('kind') or 'Gateway'} {name}" + (f" ({part})" if part else "")


def _path(written: Mapping[str, Any]) -> tuple[str, str]:
    kind = str(written.get("type") or "PathPrefix")
    return kind.removeprefix("Path"), str(written.get("value") or "/")


def _conditions(match: Mapping[str, Any]) -> frozenset[str]:
    """What a request must be like beside its path."""
    found = {f"method is {json.dumps(match['method'])}"} if match.get("method") else set()
    for field in ("headers", "queryParams"):
        for one in map(mapping, items(match, field)):
            how = f" ({one['type']})" if one.get("type", "Exact") != "Exact" else ""
            found.add(f"{field[:-1]} {one.get('name')} is {one.get('value')}{how}")
    return frozenset(found)
