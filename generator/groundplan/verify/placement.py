"""Where the scheduler puts a pod, or why it does not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from groundplan.errors import ToolError
from groundplan.runners.client import Client, Request, apply
from groundplan.verify import pools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from groundplan.verify.pools import Pool

_PATIENCE = 30.0
"""Seconds for the scheduler to decide about one pod."""

_RESOURCES = "/apis/resource.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Placed:
    """A node was found."""

    pool: str
    """Empty for a node that is not simulated."""
    name: str
    """The pod's."""


@dataclass(frozen=True, slots=True)
class Pending:
    """No node fits."""

    reason: str
    """In the scheduler's words."""
    name: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The pod was not let in."""

    reason: str
    """In the API server's words."""


Placement = Placed | Pending | Denied


def furnish(client: Client, pool: Pool) -> None:
    """Bring the nodes and the devices of a pool.

    Raises:
        ToolError: `placement.node` when the API server refuses one, or none becomes ready.
    """
    for node in pools.nodes(pool):
        name = node["metadata"]["name"]
        _sent(client, Request("POST", "/api/v1/nodes", node))
        until(partial(_ready, client, name), f"node {name} did not become ready")
    for body in pools.slices(pool):
        _sent(client, Request("POST", f"{_RESOURCES}/resourceslices", body))


def remove(client: Client, pool: Pool) -> None:
    """Take the nodes and the devices of a pool away again."""
    for body in pools.slices(pool):
        name = body["metadata"]["name"]
        client.send(Request("DELETE", f"{_RESOURCES}/resourceslices/{name}"))
    for node in pools.nodes(pool):
        client.send(Request("DELETE", f"/api/v1/nodes/{node['metadata']['name']}"))


def place(client: Client, namespace: str, pod: Mapping[str, Any]) -> Placement:
    """Ask for a pod for real and wait for what the scheduler decides."""
    answer = client.send(Request("POST", f"/api/v1/namespaces/{namespace}/pods", pod))
    if not answer.ok:
        return Denied(answer.message)
    name = str(answer.body["metadata"]["name"])
    said: list[Placement] = []

    def decided() -> bool:
        said.extend(_decision(client, f"/api/v1/namespaces/{namespace}", name))
        return bool(said)

    until(decided, f"the scheduler did not decide about {name}")
    return said[-1]


def _decision(client: Client, namespace: str, name: str) -> Iterator[Placement]:
    """Read what became of a pod; nothing while it is still open."""
    body = client.get(f"{namespace}/pods/{name}").body
    if node := body.get("spec", {}).get("nodeName"):
        labels = client.get(f"/api/v1/nodes/{node}").body["metadata"]["labels"]
        yield Placed(labels.get(pools.POOL, ""), name)
        return
    # A pod that waits for another to make room is not left where it is.
    if not body.get("status", {}).get("nominatedNodeName"):
        for condition in body.get("status", {}).get("conditions") or ():
            if condition["type"] == "PodScheduled" and _final(condition):
                yield Pending(condition["message"], name)
    if body.get("spec", {}).get("resourceClaims"):
        fields = f"involvedObject.name={name},reason=FailedResourceClaimCreation"
        events = client.get(f"{namespace}/events?fieldSelector={fields}").body["items"]
        yield from (Pending(event["message"], name) for event in events[:1])


def _final(condition: Mapping[str, Any]) -> bool:
    """Whether no node fits, or the API server refuses what the scheduler writes for the pod."""
    message = str(condition.get("message"))
    return condition.get("reason") == "Unschedulable" or "is forbidden: " in message


def take_away(client: Client, namespace: str, placement: Placement) -> None:
    """Delete a pod and wait until it is gone."""
    if isinstance(placement, Denied):
        return
    path = f"/api/v1/namespaces/{namespace}/pods/{placement.name}"
    client.send(Request("DELETE", f"{path}?gracePeriodSeconds=0"))
    until(lambda: client.get(path).status == 404, f"the pod {placement.name} did not go")


def install(client: Client, path: str, body: Mapping[str, Any]) -> None:
    """Apply an object that pods refer to.

    Raises:
        ToolError: `placement.object` when the API server refuses it.
    """
    _sent(client, apply(path, body, dry_run=False))


def until(done: Callable[[], bool], otherwise: str) -> None:
    """Ask again and again for a limited time."""
    give_up = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > give_up:
            raise ToolError("placement.undecided", f"{otherwise} in {_PATIENCE:.0f} s")
        time.sleep(0.05)


def _ready(client: Client, name: str) -> bool:
    node = client.get(f"/api/v1/nodes/{name}").body
    conditions = node.get("status", {}).get("conditions") or ()
    lifted = not any(t["key"].startswith("node.kubernetes.io/") for t in _taints(node))
    return lifted and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _taints(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(node.get("spec", {}).get("taints") or ())


def _sent(client: Client, request: Request) -> None:
    answer = client.send(request)
    if not answer.ok:
        raise ToolError("placement.object", f"{request.path}: {answer.message}")
