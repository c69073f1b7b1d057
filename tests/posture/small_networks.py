"""Small networks with every policy that matters, and what Kubernetes says about each connection.

The judge works on plain objects, one connection at a time, as the API reference words it; it shares
nothing with what is tested.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from groundplan.posture.model import State
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    import random

NAME = "kubernetes.io/metadata.name"
PORTS = (("TCP", 1), ("TCP", 2), ("TCP", 3), ("TCP", 9), ("UDP", 1))
ADDRESSES = ("10.0.0.1", "10.0.0.5", "10.0.0.9", "192.0.2.1", "2001:db8::1")


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions", ()):
        has, listed = one["key"] in labels, labels.get(one["key"]) in one.get("values", ())
        if not {"In": listed, "NotIn": not listed, "Exists": has, "DoesNotExist": not has}[
            one["operator"]
        ]:
            return False
    return True


def peer_matches(peer: dict[str, Any], end: Any, namespace: str) -> bool:
    """Whether a peer of a policy is a pod (labels, labels of its namespace), or an address."""
    if "ipBlock" in peer:
        if not isinstance(end, str):
            return False
        block = peer["ipBlock"]
        inside = [
            ipaddress.ip_address(end) in ipaddress.ip_network(cidr)
            for cidr in (block["cidr"], *block.get("except", ()))
        ]
        return inside[0] and not any(inside[1:])
    if isinstance(end, str):
        return False
    labels, of_namespace = end
    if "namespaceSelector" in peer:
        if not selected(peer["namespaceSelector"], of_namespace):
            return False
    elif of_namespace[NAME] != namespace:
        return False
    return selected(peer.get("podSelector", {}), labels)


def port_matches(
    entry: dict[str, Any], port: tuple[str, int], named: dict[str, int] | None
) -> bool:
    """Whether an entry means a port; `named` is what the receiving pod calls its TCP ports."""
    if entry.get("protocol", "TCP") != port[0]:
        return False
    wanted = entry.get("port")
    if isinstance(wanted, str):
        return named is not None and port[0] == "TCP" and named.get(wanted) == port[1]
    return wanted is None or wanted <= port[1] <= entry.get("endPort", wanted)


def directions(spec: dict[str, Any]) -> list[str]:
    return spec.get("policyTypes") or ["Ingress"] + (["Egress"] if spec.get("egress") else [])


def allowed(
    policies: list[dict[str, Any]], direction: str, own: dict[str, str], *other: Any
) -> bool:
    """Whether the policies of a namespace allow a connection of one of its pods.

    `other` is the other end, the port, and what the receiver calls its ports.
    """
    end, *port = other
    field, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    isolated = False
    for policy in policies:
        spec = policy["spec"]
        if direction not in directions(spec) or not selected(spec["podSelector"], own):
            continue
        isolated = True
        for rule in spec.get(field, ()):
            ends = rule.get(peers)
            if ends and not any(
                peer_matches(one, end, policy["metadata"]["namespace"]) for one in ends
            ):
                continue
            listed = rule.get("ports")
            if not listed or any(port_matches(one, *port) for one in listed):
                return True
    return not isolated


def some_selector(chance: random.Random, keys: tuple[str, ...]) -> dict[str, Any]:
    kind = chance.random()
    key = chance.choice(keys)
    if kind < 0.15:
        return {}
    if kind < 0.6:
        return {"matchLabels": {key: chance.choice("xy")}}
    found = []
    for _ in range(chance.randint(1, 2)):
        operator = chance.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        values = sorted(chance.sample("xy", chance.randint(1, 2)))
        found.append(
            {"key": chance.choice(keys), "operator": operator}
            | ({"values": values} if "In" in operator else {})
        )
    return {"matchExpressions": found}


def some_peer(chance: random.Random) -> dict[str, Any]:
    kind = chance.random()
    if kind < 0.2:
        cidr = chance.choice(("10.0.0.0/28", "10.0.0.0/29", "0.0.0.0/0", "::/0", "10.0.0.8/29"))
        inner = {"10.0.0.0/28": "10.0.0.4/30", "0.0.0.0/0": "10.0.0.0/28"}.get(cidr)
        return {"ipBlock": {"cidr": cidr} | ({"except": [inner]} if inner and kind < 0.1 else {})}
    pods = {"podSelector": some_selector(chance, ("app", "role"))}
    spaces = some_selector(chance, ("team", NAME))
    if chance.random() < 0.3:
        spaces = {"matchLabels": {NAME: chance.choice("abc")}}
    return (
        pods | {"namespaceSelector": spaces}
        if kind < 0.6
        else (pods if kind < 0.8 else {"namespaceSelector": spaces})
    )


def some_port(chance: random.Random) -> dict[str, Any]:
    kind = chance.random()
    if kind < 0.2:
        return {"port": "http"}
    if kind < 0.35:
        return {"protocol": chance.choice(("TCP", "UDP"))}
    port = {"port": chance.randint(1, 3)} | ({"protocol": "UDP"} if kind < 0.45 else {})
    return port | ({"endPort": chance.randint(port["port"], 9)} if kind > 0.8 else {})


def some_rule(chance: random.Random, peers: str) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if chance.random() < 0.85:
        rule[peers] = [some_peer(chance) for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.7:
        rule["ports"] = [some_port(chance) for _ in range(chance.randint(1, 2))]
    return rule


def some_policy(chance: random.Random, name: str, namespace: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"podSelector": some_selector(chance, ("app", "role"))}
    for field, peers in (("ingress", "from"), ("egress", "to")):
        if chance.random() < 0.6:
            spec[field] = [some_rule(chance, peers) for _ in range(chance.randint(0, 2))]
    types = chance.choice((None, [], ["Ingress"], ["Egress"], ["Ingress", "Egress"]))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec | ({} if types is None else {"policyTypes": types}),
    }


def changed(chance: random.Random, policies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The policies after one edit of the kind that people make."""
    after = [{**one, "spec": dict(one["spec"])} for one in policies]
    namespace = policies[0]["metadata"]["namespace"] if policies else "a"
    kind = chance.random()
    if kind < 0.15 or not after:
        return [*after, some_policy(chance, "extra", namespace)]
    at = chance.randrange(len(after))
    spec = after[at]["spec"]
    if kind < 0.3:
        return after[:at] + after[at + 1 :]
    if kind < 0.45:
        spec["podSelector"] = some_selector(chance, ("app", "role"))
    elif kind < 0.55:
        spec["policyTypes"] = chance.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
    else:
        field, peers = chance.choice((("ingress", "from"), ("egress", "to")))
        rules = list(spec.get(field, ()))
        where = chance.randint(0, len(rules))
        rules[where : where + chance.randint(0, 1)] = [some_rule(chance, peers)][
            : chance.randint(0, 1)
        ]
        spec[field] = rules
    return after


def namespace(name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def pod(name: str, space: str, labels: dict[str, str], **named: int) -> dict[str, Any]:
    ports = [{"name": key, "containerPort": number} for key, number in named.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "x", "ports": ports}]},
    }


def state(objects: list[dict[str, Any]]) -> State:
    return State(
        "c", tuple(Resource.of(one, Origin("all.yaml", i)) for i, one in enumerate(objects))
    )
