"""What network policies leave open, in the words of the built-in policies about the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundplan.checks import Check
from groundplan.checks._scenes import charted, on_clusters, scenes
from groundplan.findings import Outcome, Passed, Severity, Skipped
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.rules import SYSTEM, TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from groundplan.gitops.model import Cluster
    from groundplan.posture.network.policies import Allowance, Policy
    from groundplan.posture.network.scene import Scene, Workload
    from groundplan.repository import Repository
    from groundplan.resources import Resource

    Fault = tuple[str, str]
    """A JSON pointer in a policy and what is wrong there."""

METADATA = ("169.254.169.254/32", "fd00:ec2::254/128")
"""Where the clouds' metadata services answer."""
NODE_LOCAL = "169.254.0.0/16"
"""Where a DNS cache of the node's own listens."""
GKE_DISKS = "pd.csi.storage.gke.io"
RESOLVERS = frozenset({"kube-system"})
"""Namespaces whose pods may be asked for names."""


class Around(NamedTuple):
    """What is known of a policy's namespace."""

    labels: Mapping[str, str]
    workloads: tuple[Workload, ...]
    """None where charts bring pods that nobody sees here."""
    on_gke: bool = False
    """Whether the cluster is Google's, by the disks that it makes."""


if TYPE_CHECKING:
    Looks = Callable[[Policy, Around], Iterator[Fault]]


def _closed(repository: Repository) -> Iterator[Outcome]:
    """Find namespaces in which a pod that no policy selects is open."""
    from groundplan.posture.network.policies import DIRECTIONS

    for scene in scenes(repository):
        if scene.opaque:
            yield Skipped("namespaces", "policies of another kind may close them")
            continue
        for name, resource in sorted(scene.namespaces.items()):
            whole = [p for p in scene.by_namespace.get(name, ()) if not p.pods.part("of")]
            held = {direction for policy in whole for direction in policy.allowances}
            missing = [direction.lower() for direction in DIRECTIONS if direction not in held]
            if name in SYSTEM or not missing:
                yield Passed()
                continue
            yield CLOSED.fail(
                f"{resource.id}: no policy closes {' and '.join(missing)} for every pod",
                repository.locate(resource.origin),
                resource.id,
            )


def _egress(policy: Policy) -> tuple[Allowance, ...]:
    from groundplan.posture.network.policies import EGRESS

    return policy.allowances.get(EGRESS, ())


def _other_resolvers(policy: Policy, _: Around) -> Iterator[Fault]:
    """Find rules that were written for names, and let them be asked anywhere."""
    from groundplan.posture.network import addresses, ports
    from groundplan.posture.network.boxes import ADDRESS, NAME, PORT

    query = ports.numbers("UDP", 53, 53) | ports.numbers("TCP", 53, 53)
    for allowance in _egress(policy):
        box = allowance.box
        if PORT not in box.sides or not box.ports.numbers & query:
            continue
        space = box.part("namespace").get(NAME)
        near = ADDRESS in box.sides and not box.addresses - addresses.block(NODE_LOCAL)
        inside = space is not None and not space.others and space.named <= RESOLVERS
        if not near and not inside:
            yield allowance.pointer, "lets names be asked elsewhere than in kube-system"


def _metadata(policy: Policy, around: Around) -> Iterator[Fault]:
    """Find rules whose addresses include those of the metadata services.

    Of the platform's own pods some get their cloud identity there, and name that address alone. So
    may a team's on GKE: there a server of the cluster's own answers, with the pod's own identity
    (cloud.google.com/kubernetes-engine/docs/concepts/workload-identity).
    """
    from groundplan.posture.network import addresses
    from groundplan.posture.network.boxes import ADDRESS

    for allowance in _egress(policy):
        for one in METADATA:
            service, reached = addresses.block(one), allowance.box.addresses
            meant = reached == service and (around.on_gke or TENANT not in around.labels)
            if ADDRESS in allowance.box.sides and reached & service and not meant:
                address = one.partition("/")[0]
                yield allowance.pointer, f"reaches {address}, the metadata service of its node"


def _unsaid(policy: Policy, _: Around) -> Iterator[Fault]:
    """Find policies that leave it to the API server which way they count."""
    if not mapping(policy.resource.body, "spec").get("policyTypes"):
        yield "/spec", "does not say policyTypes"


def _selected(policy: Policy, around: Around) -> list[Workload]:
    from groundplan.posture.selectors import selects

    return [one for one in around.workloads if selects(dict(policy.pods.part("of")), one.labels)]


def _dangling(policy: Policy, around: Around) -> Iterator[Fault]:
    """Find policies for pods that there are none of."""
    if around.workloads and not _selected(policy, around):
        yield "/spec/podSelector", "selects none of the namespace's workloads"


def _unresolved(policy: Policy, around: Around) -> Iterator[Fault]:
    """Find ports by names that none of the selected pods has."""
    from groundplan.posture.network.policies import INGRESS

    chosen = _selected(policy, around)
    for allowance in policy.allowances.get(INGRESS, ()):
        for protocol, name in sorted(allowance.box.ports.names):
            if chosen and not any((protocol, name) in one.named for one in chosen):
                yield (
                    allowance.pointer,
                    f"opens {protocol} {name}, a port that none of its pods has",
                )


def _unserved(repository: Repository) -> Iterator[Outcome]:
    """Find Services behind which every pod is closed to everybody."""
    for cluster, scene in on_clusters(repository):
        if scene.opaque:
            yield Skipped("services", "policies of another kind may open them")
            continue
        hidden = charted(cluster)
        for resource in (r for unit in cluster.units for r in unit.resources):
            service = (resource.id.group, resource.id.kind) == ("", "Service")
            if not service or resource.id.namespace in hidden:
                continue
            shut = list(_shut(resource, scene))
            for pointer, port in shut:
                yield UNSERVED.fail(
                    f"{resource.id}: no policy lets anything connect to {port} of its pods",
                    repository.locate(resource.origin, pointer),
                    resource.id,
                )
            yield Passed(not shut)


def _shut(service: Resource, scene: Scene) -> Iterator[Fault]:
    """The ports of a Service that are closed on all of its pods."""
    from groundplan.posture.network.ports import PROTOCOLS

    spec = mapping(service.body, "spec")
    wanted = mapping(spec, "selector").items()
    namespace = service.id.namespace or "default"
    behind = [
        one
        for one in scene.workloads.values()
        if wanted and one.namespace == namespace and wanted <= one.labels.items()
    ]
    for index, port in enumerate(map(mapping, items(spec, "ports"))):
        protocol = str(port.get("protocol") or "TCP")
        target = port.get("targetPort", port.get("port"))
        numbers = {
            one: target if type(target) is int else one.named.get((protocol, str(target)))
            for one in behind
        }
        known = {one: number for one, number in numbers.items() if number is not None}
        if protocol not in PROTOCOLS or not known:
            continue
        if not any(_open(one, protocol, number, scene) for one, number in known.items()):
            yield f"/spec/ports/{index}", f"{protocol} {target}"


def _open(workload: Workload, protocol: str, number: int, scene: Scene) -> bool:
    """Whether anything at all may connect to a port."""
    from groundplan.posture.network import ports
    from groundplan.posture.network.boxes import PORT
    from groundplan.posture.network.policies import INGRESS
    from groundplan.posture.selectors import selects

    held = [
        policy
        for policy in scene.by_namespace.get(workload.namespace, ())
        if INGRESS in policy.allowances and selects(dict(policy.pods.part("of")), workload.labels)
    ]
    asked = ports.numbers(protocol, number, number)
    return (
        workload.host
        or not held
        or any(
            PORT not in allowance.box.sides
            or allowance.box.ports.resolved(workload.named).numbers & asked
            for policy in held
            for allowance in policy.allowances[INGRESS]
        )
    )


def _host_network(repository: Repository) -> Iterator[Outcome]:
    """Find workloads that no network policy holds for."""
    for scene in scenes(repository):
        for workload in scene.workloads.values():
            resource = workload.resource
            if not workload.host:
                yield Passed()
                continue
            at = f"{workload.role.pointer}/spec/hostNetwork"
            yield HOST.fail(
                f"{workload} is in its node's network, where no policy holds",
                repository.locate(resource.origin, at),
                resource.id,
            )


def _on_gke(cluster: Cluster) -> bool:
    return any(
        resource.id.kind == "StorageClass" and resource.body.get("provisioner") == GKE_DISKS
        for unit in cluster.units
        for resource in unit.resources
    )


def _policy_check(id: str, title: str, fix: str, policy: str, looks: Looks) -> Check:
    """A check that looks at each network policy."""

    def run(repository: Repository) -> Iterator[Outcome]:
        for cluster, scene in on_clusters(repository):
            hidden, on_gke = charted(cluster), _on_gke(cluster)
            for one in scene.policies.values():
                there = () if one.namespace in hidden else scene.pods.get(one.namespace, ())
                around = Around(scene.labels(one.namespace) or {}, there, on_gke)
                found = list(looks(one, around))
                for pointer, fault in found:
                    place = repository.locate(one.resource.origin, pointer)
                    yield check.fail(f"{one.resource.id} {fault}", place, one.resource.id)
                yield Passed(not found)

    check = Check(id, title, Severity.MEDIUM, fix, run, policy)
    return check


CLOSED = Check(
    "NPL003",
    "Every namespace is closed by default, in both directions",
    Severity.HIGH,
    "Add a policy with `podSelector: {}` and `policyTypes: [Ingress, Egress]` to the namespace.",
    _closed,
    "NET-001",
)
HOST = Check(
    "NPL007",
    "No workload is in its node's network",
    Severity.MEDIUM,
    "Leave out hostNetwork, or agree on an exception.",
    _host_network,
    "NET-010",
)
UNSERVED = Check(
    "NPL010",
    "Somebody may connect to what a Service serves",
    Severity.MEDIUM,
    "Add a policy that lets the Service's clients connect, or remove the Service.",
    _unserved,
    "NET-006",
)
CHECKS = (
    CLOSED,
    _policy_check(
        "NPL004",
        "Names are asked of the cluster's own resolver",
        "Let port 53 go to the pods of kube-dns in kube-system, and to nobody else.",
        "NET-002",
        _other_resolvers,
    ),
    _policy_check(
        "NPL005",
        "Network policies say which way they count",
        "Write policyTypes out: [Ingress], [Egress] or both.",
        "NET-005",
        _unsaid,
    ),
    _policy_check(
        "NPL006",
        "Network policies select something",
        "Correct the podSelector, or remove the policy.",
        "NET-006",
        _dangling,
    ),
    HOST,
    _policy_check(
        "NPL008",
        "No policy lets pods reach the metadata service of their node",
        "Leave 169.254.0.0/16 and fd00:ec2::/32 out of the block with `except`.",
        "ID-005",
        _metadata,
    ),
    _policy_check(
        "NPL009",
        "Named ports of network policies resolve",
        "Write the number, or give a container's port that name.",
        "NET-006",
        _unresolved,
    ),
    UNSERVED,
)
