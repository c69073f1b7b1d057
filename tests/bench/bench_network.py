"""Comparing what network policies allow, beside `netpol-analyzer diff` of the same folders.

The peer walks every pair of workloads; here nothing is done per pair. What it does not do (pods
that may come, addresses of IPv6, other dimensions of posture) has no row.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from groundplan import toolchain
from groundplan.garbage import uncollected
from groundplan.posture import network
from groundplan.posture.model import State
from groundplan.resources import Origin, Resource
from groundplan.toolchain import gobuilds, recipes
from tests.bench.measure import Row, pairs, run

if TYPE_CHECKING:
    from collections.abc import Iterator

PEER = recipes.Module(
    "github.com/np-guard/netpol-analyzer",
    "1.4.4",
    (
        "h1:ut8Cg4/uqsqrskwIEDLTYNOISatxX60/gqQNyUC/UPo=",
        "h1:T31vBeTIBl1ksQr9NTW5GJBMHpmP2AdlsHB/4s7SE3o=",
    ),
)
SIDE_BY_SIDE = (100, 300)
ALONE = (1_000, 4_000)
EACH = 10
"""Workloads in a namespace."""
CLUSTER = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 1h
  path: ./apps
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def rows() -> Iterator[Row]:
    """Whole processes beside the peer, and how the work grows by itself."""
    with tempfile.TemporaryDirectory() as name:
        peer = shutil.which("netpolicy") or _built(Path(name))
        for count in SIDE_BY_SIDE:
            yield _beside(peer, Path(name, str(count)), count)
    few, many = (_alone(count) for count in ALONE)
    yield Row(
        f"`posture diff`: network of {ALONE[1]:,} workloads, per workload",
        f"{many * 1e6:.0f} µs",
        f"of {ALONE[0]:,} workloads {few * 1e6:.0f} µs",
        f"{many / few:.2f}",
        "about 1: linear",
    )


def _built(folder: Path) -> str:
    """Build the peer from its module, which has no release to download."""
    go = toolchain.ensure("go").path
    place = folder / "peer"
    place.mkdir()
    return str(gobuilds.build(go, f"{PEER.path}/cmd/netpolicy", PEER, place))


def _beside(peer: str, folder: Path, count: int) -> Row:
    """Both tools on the same two folders, of which the second allows less."""
    for side, wide in (("base", True), ("head", False)):
        _write(folder / side, count, wide)
    base, head = folder / "base", folder / "head"
    ours = (sys.executable, "-m", "groundplan", "posture", "diff", base, head)
    theirs = (peer, "diff", "--dir1", base, "--dir2", head, "-q")
    mine, their, ratio = pairs(lambda: run(ours), lambda: run(theirs), count=3)
    return Row(
        f"`posture diff`: {count} workloads, a policy each, all dimensions",
        f"{mine:.2f} s",
        f"netpol-analyzer diff {their:.2f} s",
        f"{ratio:.2f}",
        "≤ 1",
    )


def _write(folder: Path, count: int, wide: bool) -> None:
    """A repository with one cluster."""
    (folder / "clusters" / "prod").mkdir(parents=True)
    (folder / "apps").mkdir()
    (folder / "clusters" / "prod" / "apps.yaml").write_text(CLUSTER)
    listed = []
    for space in range(count // EACH):
        listed.append(f"ns-{space}.yaml")
        (folder / "apps" / listed[-1]).write_text(yaml.safe_dump_all(_objects(space, wide)))
    (folder / "apps" / "kustomization.yaml").write_text(yaml.safe_dump({"resources": listed}))


def _alone(count: int) -> float:
    """Seconds a workload that the network dimension takes, the median of three."""
    base, head = (
        State(
            "prod",
            tuple(
                Resource.of(body, Origin(f"ns-{space}.yaml", index))
                for space in range(count // EACH)
                for index, body in enumerate(_objects(space, wide))
            ),
        )
        for wide in (True, False)
    )
    times = []
    for _ in range(3):
        begin = time.process_time()
        with uncollected():
            found = network.compare(base, head)
        times.append((time.process_time() - begin) / count)
        if not found:
            raise RuntimeError("the change was not seen")
    return statistics.median(times)


def _objects(space: int, wide: bool) -> list[dict[str, Any]]:
    """A closed namespace of workloads that each talk to a neighbour and to the internet."""
    name = f"ns-{space}"
    found: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"team": f"team-{space % 20}"}},
        },
        _policy(name, "default-deny", {"podSelector": {}}),
    ]
    for number in range(EACH):
        labels = {"app": f"app-{number}", "tier": "abc"[number % 3]}
        found.append(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": labels["app"], "namespace": name},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [{"name": "app", "image": "app"}]},
                    },
                },
            }
        )
        found.append(_policy(name, labels["app"], _rules(space, number, wide)))
    return found


def _rules(space: int, number: int, wide: bool) -> dict[str, Any]:
    ports = [{"port": 8080}]
    after, before = (f"app-{(number + step) % EACH}" for step in (1, -1))
    senders = [{"podSelector": {"matchLabels": {"app": after}}}]
    senders[0]["namespaceSelector"] = {"matchLabels": {"team": f"team-{(space + 1) % 20}"}}
    if wide and (space, number) == (0, 0):
        senders.append({"namespaceSelector": {}, "podSelector": {"matchLabels": {"tier": "b"}}})
    receivers = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": before}}}
    block = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.0.0/16"]}
    return {
        "podSelector": {"matchLabels": {"app": f"app-{number}"}},
        "ingress": [{"from": senders, "ports": ports}],
        "egress": [
            {"to": [receivers], "ports": ports},
            {"to": [{"ipBlock": block}], "ports": [{"port": 443}]},
        ],
    }


def _policy(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**spec, "policyTypes": ["Ingress", "Egress"]},
    }
