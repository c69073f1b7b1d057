"""Whether a door lets in nobody whom another one does not, judged by knocking with every request.

A star in a hostname stands for one label to an Ingress and for one or more to a Gateway, so the
judge reads it both ways, and what is said must be right by either.
"""

from __future__ import annotations

import ipaddress
import random
from itertools import product
from typing import NamedTuple

import pytest

from groundplan.posture.network import addresses
from groundplan.posture.network.doors import NODES, PRIVATE, PUBLIC, Door
from groundplan.posture.network.publication import _only
from groundplan.resources import Origin, Resource
from tests.draws import draws

pytestmark = pytest.mark.brute_force
PAIRS = draws(100_000)
DOORS = draws(400)
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
RESOURCE = Resource.of(SERVICE, Origin("a.yaml"))
GATEWAY = "at Gateway gateway/platform"
WAYS = (GATEWAY, f"{GATEWAY} (https)", f"{GATEWAY} (http)", PUBLIC, PRIVATE, NODES)
HOSTS = ("shop.example.org", "a.shop.example.org", "example.org", "fresh.test")
ASKED = ("", "shop.example.org", "*.example.org", "*.shop.example.org")
PATHS = ("/", "/shop", "/shop/", "/shop/x", "/shopx", "/fresh")
RULES = (("Prefix", "/"), ("Prefix", "/shop"), ("Prefix", "/shop/"), ("Exact", "/shop"))
HEADERS = ("header a is 1", "header b is 2")
SOURCES = ("10.0.0.1", "10.200.0.1", "192.0.2.1", "2001:db8::1")
BLOCKS = ((), ("10.0.0.0/8",), ("10.0.0.0/9", "10.128.0.0/9"), ("10.0.0.0/9",), ("2001:db8::/32",))


class Request(NamedTuple):
    way: str
    port: str
    host: str
    path: str
    headers: frozenset[str]
    source: str


REQUESTS = tuple(
    Request(way, port, host, path, frozenset(headers), source)
    for way, port, host, path, headers, source in product(
        (f"{GATEWAY} (https)", f"{GATEWAY} (http)", "balancer", "node"),
        ("TCP 80", "TCP 443"),
        HOSTS,
        PATHS,
        ((), HEADERS[:1], HEADERS),
        SOURCES,
    )
)


def admits(door: Door, blocks: tuple[str, ...], asked: Request, *, labels: int) -> bool:
    """Whether a request comes in; `labels` is how many a star may stand for."""
    arrives = asked.way == door.way or (door.way == GATEWAY and asked.way.startswith(GATEWAY))
    arrives |= asked.way == "balancer" and door.way in {PUBLIC, PRIVATE}
    arrives |= asked.way == "node" and door.way == NODES
    if not arrives or asked.port != door.port:
        return False
    address = ipaddress.ip_address(asked.source)
    inside = any(address in ipaddress.ip_network(block) for block in blocks) or not blocks
    near = door.way != PRIVATE or address in ipaddress.ip_network("10.0.0.0/8")
    star, _, rest = door.host.partition("*.")
    before = asked.host.removesuffix(f".{rest}") if rest else ""
    known = door.host in {"", asked.host} or bool(
        rest and not star and before != asked.host and before.count(".") < labels
    )
    kind, path = door.path
    parts, wanted = asked.path.split("/"), path.rstrip("/").split("/")
    fits = asked.path == path if kind == "Exact" else parts[: len(wanted)] == wanted
    same = door.conditions <= asked.headers
    return inside and near and known and fits and same


def some_door(chance: random.Random) -> tuple[Door, tuple[str, ...]]:
    way, port = chance.choice(WAYS), chance.choice(("TCP 80", "TCP 443"))
    if way.startswith("at "):
        door = Door(
            RESOURCE.id,
            way,
            port,
            RESOURCE,
            "",
            host=chance.choice(ASKED),
            path=chance.choice(RULES),
            conditions=frozenset(chance.sample(HEADERS, chance.randint(0, 2))),
        )
        return door, ()
    blocks = chance.choice(BLOCKS)
    spans = addresses.EVERY if not blocks else addresses.block(blocks[0])
    for block in blocks[1:]:
        spans |= addresses.block(block)
    return Door(RESOURCE.id, way, port, RESOURCE, "", sources=spans), blocks


def let_in(doors: list[tuple[Door, tuple[str, ...]]], labels: int) -> int:
    said = (
        any(admits(door, blocks, request, labels=labels) for door, blocks in doors)
        for request in reversed(REQUESTS)
    )
    return int("".join("01"[let] for let in said), 2)


def test_nobody_comes_in_of_whom_nothing_is_said() -> None:
    chance = random.Random(23)
    known = [some_door(chance) for _ in range(DOORS)]
    bits = {labels: [let_in([door], labels) for door in known] for labels in (1, 9)}
    wider = silent = needless = 0
    for _ in range(PAIRS):
        old, new = ([chance.randrange(DOORS) for _ in range(chance.randint(1, 4))] for _ in "ab")
        new = [chance.choice((one, chance.choice(old))) for one in new]
        said = list(_only(tuple(known[n][0] for n in new), tuple(known[n][0] for n in old)))
        truths = []
        for found in bits.values():
            before = after = 0
            for number in old:
                before |= found[number]
            for number in new:
                after |= found[number]
            truths.append(bool(after & ~before))
        assert said or not any(truths), (
            "unsound",
            [known[n] for n in old],
            [known[n] for n in new],
        )
        wider += any(truths)
        silent += not said
        needless += bool(said) and not any(truths)
    rate = 100 * silent / (silent + needless)
    print(
        f"\ndoors: {PAIRS:,} pairs, {wider:,} wider, 0 unsound; of the others {rate:.1f} % silent"
    )
    assert wider > PAIRS // 10
    assert silent > PAIRS // 10
