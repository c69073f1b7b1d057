"""The Pod Security Standards judged by a real API server: dry runs in labelled namespaces."""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any

import pytest

from groundplan.posture.pod_security_checks import Level, violations
from groundplan.runners.apiserver import running
from groundplan.runners.client import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundplan.runners.apiserver import Binaries

PODS = 150
MINORS = (7, 18, 20, 24, 28, 31, 33, 34, 36, 37)
LEVELS = (Level.BASELINE, Level.RESTRICTED)

SECURE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {}, "annotations": {}},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "c",
                "image": "registry.example/c:1",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    },
}


def pod_field(name: str, value: Any) -> Callable[[Any], None]:
    return lambda pod: pod["spec"].__setitem__(name, value)


def pod_context(name: str, value: Any) -> Callable[[Any], None]:
    return lambda pod: pod["spec"]["securityContext"].__setitem__(name, value)


def context(name: str, value: Any) -> Callable[[Any], None]:
    return lambda pod: pod["spec"]["containers"][0]["securityContext"].__setitem__(name, value)


def container(name: str, value: Any) -> Callable[[Any], None]:
    return lambda pod: pod["spec"]["containers"][0].__setitem__(name, value)


def volume(**source: Any) -> Callable[[Any], None]:
    return pod_field("volumes", [{"name": "v", **source}])


def probe(**http: Any) -> Callable[[Any], None]:
    return container("livenessProbe", {"httpGet": {"port": 80, **http}})


CHANGES: tuple[Callable[[Any], None], ...] = (
    pod_field("hostNetwork", True),
    pod_field("hostPID", True),
    pod_field("hostIPC", True),
    pod_field("hostUsers", False),
    pod_context("runAsNonRoot", False),
    pod_context("runAsUser", 0),
    pod_context("runAsUser", 1000),
    pod_context("seccompProfile", {"type": "Unconfined"}),
    pod_context("seccompProfile", {"type": "Localhost", "localhostProfile": "p.json"}),
    pod_context("seLinuxOptions", {"type": "container_t"}),
    pod_context("seLinuxOptions", {"type": "container_engine_t"}),
    pod_context("seLinuxOptions", {"type": "spc_t"}),
    pod_context("seLinuxOptions", {"user": "root"}),
    pod_context("appArmorProfile", {"type": "Unconfined"}),
    pod_context("appArmorProfile", {"type": "RuntimeDefault"}),
    *(
        pod_context("sysctls", [{"name": name, "value": "1"}])
        for name in (
            "kernel.msgmax",
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_reserved_ports",
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_rmem",
        )
    ),
    context("privileged", True),
    context("allowPrivilegeEscalation", True),
    context("capabilities", {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    context("capabilities", {"drop": ["ALL"], "add": ["CHOWN"]}),
    context("capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    context("capabilities", {"drop": ["NET_RAW"]}),
    context("runAsUser", 0),
    context("runAsNonRoot", True),
    context("runAsNonRoot", False),
    context("seccompProfile", {"type": "RuntimeDefault"}),
    context("seccompProfile", {"type": "Unconfined"}),
    context("procMount", "Default"),
    container("ports", [{"containerPort": 80, "hostPort": 80}]),
    container("ports", [{"containerPort": 80}]),
    probe(),
    probe(host="example.org"),
    probe(host="127.0.0.1"),
    container("lifecycle", {"preStop": {"tcpSocket": {"port": 80, "host": "example.org"}}}),
    volume(hostPath={"path": "/etc"}),
    volume(emptyDir={}),
    volume(nfs={"server": "s", "path": "/"}),
    volume(configMap={"name": "m"}),
    volume(image={"reference": "r.example/a:1", "pullPolicy": "Always"}),
    pod_field("os", {"name": "linux"}),
    lambda pod: pod["spec"].pop("securityContext"),
    lambda pod: pod["spec"]["containers"][0].pop("securityContext"),
    lambda pod: pod["metadata"]["annotations"].update(
        {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}
    ),
    lambda pod: pod["spec"].__setitem__(
        "initContainers", [{"name": "i", "image": "registry.example/i:1"}]
    ),
)


def some_pod(chance: random.Random, number: int) -> dict[str, Any]:
    """A secure pod, weakened in up to three ways; the first ones in one way each."""
    pod = copy.deepcopy(SECURE)
    picked = [CHANGES[number]] if number < len(CHANGES) else chance.sample(CHANGES, 3)
    for change in picked:
        try:
            change(pod)
        except KeyError:  # What it changes was taken away before.
            continue
    return pod


@pytest.mark.cluster
def test_pods_are_admitted_as_the_api_server_admits_them(binaries: Binaries) -> None:
    chance = random.Random(19)
    pods = [some_pod(chance, number) for number in range(PODS)]
    asked = refused = invalid = 0
    with running(binaries) as server:
        places = [(level, minor) for level in LEVELS for minor in MINORS]
        for level, minor in places:
            labels = {
                "pod-security.kubernetes.io/enforce": str(level),
                "pod-security.kubernetes.io/enforce-version": f"v1.{minor}",
            }
            name = f"{level}-{minor}"
            metadata = {"name": name, "labels": labels}
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default"},
            }
            assert server.client.send(Request("POST", "/api/v1/namespaces", made)).ok
            path = f"/api/v1/namespaces/{name}"
            assert server.client.send(Request("POST", f"{path}/serviceaccounts", account)).ok
            requests = [Request("POST", f"{path}/pods?dryRun=All", pod) for pod in pods]
            for pod, answer in zip(pods, server.client.send_all(requests), strict=True):
                if not answer.ok and "violates PodSecurity" not in answer.message:
                    invalid += 1
                    assert answer.status == 422, answer.message
                    continue
                found = violations(pod, level, minor)
                asked += 1
                refused += not answer.ok
                assert bool(found) is not answer.ok, (level, minor, pod, found, answer.message)
    print(f"\npod security: {asked:,} dry runs, {refused:,} refused, {invalid} were no pods at all")
    assert asked > 5 * refused // 4
    assert refused > asked // 10
    assert invalid < asked // 5
