"""How many objects a second an API server judges as a dry run, with 32 requests in flight."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from groundplan import toolchain
from groundplan.runners.apiserver import Binaries, running
from groundplan.runners.client import Request, apply
from tests.bench.measure import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundplan.runners.client import Client

OBJECTS = 2_000
ROUNDS = 3


def rows() -> Iterator[Row]:
    """One row, beside the same calls one after the other."""
    binaries = Binaries(toolchain.ensure("etcd").path, toolchain.ensure("kube-apiserver").path)
    requests = [_request(number) for number in range(OBJECTS)]
    with running(binaries) as server:
        _together(server.client, requests[:200])
        ours = max(_together(server.client, requests) for _ in range(ROUNDS))
        peer = max(_in_turn(server.client, requests[:400]) for _ in range(ROUNDS))
    yield Row(
        f"`verify`: {OBJECTS} objects, server-side dry run",
        f"{ours:.0f}/s",
        f"one at a time {peer:.0f}/s",
        f"{ours / peer:.1f}",
        "at least 700/s",
    )


def _together(client: Client, requests: Sequence[Request]) -> float:
    begin = time.perf_counter()
    if not all(answer.ok for answer in client.send_all(requests)):
        raise RuntimeError("an object was refused")
    return len(requests) / (time.perf_counter() - begin)


def _in_turn(client: Client, requests: Sequence[Request]) -> float:
    begin = time.perf_counter()
    for request in requests:
        client.send(request)
    return len(requests) / (time.perf_counter() - begin)


def _request(number: int) -> Request:
    """Apply one object; every fourth is a Deployment, a Service, a ConfigMap, a NetworkPolicy."""
    prefix, kind, plural, rest = _KINDS[number % len(_KINDS)]
    name = f"object-{number}"
    body = {
        "apiVersion": prefix.removeprefix("/apis/").removeprefix("/api/"),
        "kind": kind,
        "metadata": {"name": name},
        **rest,
    }
    return apply(f"{prefix}/namespaces/default/{plural}/{name}", body, dry_run=True)


_APP = {"app": "web"}
_POD = {
    "containers": [
        {
            "name": "web",
            "image": "example.com/web:1.0.0",
            "ports": [{"name": "http", "containerPort": 8080}],
            "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
        }
    ]
}
_KINDS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "/apis/apps/v1",
        "Deployment",
        "deployments",
        {
            "spec": {
                "selector": {"matchLabels": _APP},
                "template": {"metadata": {"labels": _APP}, "spec": _POD},
            }
        },
    ),
    ("/api/v1", "Service", "services", {"spec": {"selector": _APP, "ports": [{"port": 80}]}}),
    ("/api/v1", "ConfigMap", "configmaps", {"data": {"settings": "x" * 200}}),
    (
        "/apis/networking.k8s.io/v1",
        "NetworkPolicy",
        "networkpolicies",
        {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}},
    ),
)
