"""No connection is gained without a word: policies judged by trying every connection."""

from __future__ import annotations

import json
import random
from functools import cache
from itertools import product
from typing import Any

import pytest

from groundplan.posture.model import Verdict
from groundplan.posture.network import compare
from groundplan.posture.network.gains import gains
from groundplan.posture.network.sides import Sides
from tests.draws import draws
from tests.posture import small_networks as small

pytestmark = pytest.mark.brute_force
PAIRS = draws(20_000)
NETWORKS = PAIRS // 5

SPACES = {"a": {"team": "x"}, "b": {"team": "y"}}
"""Namespaces of the repository; others come with labels of which it knows nothing."""
UNKNOWN = ({}, {"team": "x"}, {"team": "fresh"})
LABELS = [
    {key: value for key, value in (("app", app), ("role", role)) if value}
    for app, role in product((None, "x", "y", "fresh"), (None, "x", "fresh"))
]
NAMED: tuple[dict[str, int], ...] = ({}, {"http": 1}, {"http": 9})


NAMESPACES = [
    *({small.NAME: name, **labels} for name, labels in SPACES.items()),
    *({small.NAME: "c", **labels} for labels in UNKNOWN),
]
PODS = [*product(LABELS, NAMESPACES)]

CELLS = {
    "Ingress": [
        (own, end, port, named)
        for own, named in product(LABELS, NAMED)
        for end in (*PODS, *small.ADDRESSES)
        for port in small.PORTS
    ],
    "Egress": [
        (own, end, port, named)
        for own in LABELS
        for end, named in (
            *product(PODS, NAMED),
            *product(small.ADDRESSES, (None,)),
        )
        for port in small.PORTS
    ],
}
"""Every connection of a pod of namespace a: its labels, the other end, port, receiver's names."""


class Judge:
    """The connections that policies allow, as the bits of a number; parts are worked out once."""

    @staticmethod
    @cache
    def groups(direction: str, *places: int) -> list[tuple[list[Any], int]]:
        """What connections have at these places, and which ones have it."""
        found: dict[tuple[int, ...], tuple[list[Any], list[int]]] = {}
        for number, cell in enumerate(CELLS[direction]):
            asked = [cell[place] for place in places]
            found.setdefault(tuple(map(id, asked)), (asked, []))[1].append(number)
        return [
            (asked, sum(1 << number for number in numbers)) for asked, numbers in found.values()
        ]

    @classmethod
    def mask(cls, direction: str, holds: Any, *places: int) -> int:
        """The connections of which it holds, by what they have at these places."""
        return sum(bits for asked, bits in cls.groups(direction, *places) if holds(*asked))

    @classmethod
    @cache
    def part(cls, direction: str, kind: str, text: str) -> int:
        said = json.loads(text)
        match kind:
            case "own":
                return cls.mask(direction, lambda own: small.selected(said, own), 0)
            case "peer":
                return cls.mask(direction, lambda end: small.peer_matches(said, end, "a"), 1)
            case "port":
                return cls.mask(direction, lambda *of: small.port_matches(said, *of), 2, 3)
        raise AssertionError(kind)

    @classmethod
    def peer(cls, direction: str, peer: dict[str, Any]) -> int:
        """A peer is what its selectors have in common, which keeps the parts few."""
        parts = [{key: value} for key, value in peer.items()]
        if "namespaceSelector" in peer and "podSelector" in peer:
            anywhere = {"namespaceSelector": {}, "podSelector": peer["podSelector"]}
            parts = [{"namespaceSelector": peer["namespaceSelector"]}, anywhere]
        found = -1
        for part in parts:
            found &= cls.part(direction, "peer", json.dumps(part))
        return found

    @classmethod
    def any(cls, direction: str, kind: str, listed: list[Any]) -> int:
        found = 0 if listed else (1 << len(CELLS[direction])) - 1
        for one in listed:
            is_peer = kind == "peer"
            found |= (
                cls.peer(direction, one) if is_peer else cls.part(direction, kind, json.dumps(one))
            )
        return found

    @classmethod
    def allowed(cls, policies: list[dict[str, Any]], direction: str) -> int:
        field, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
        isolated = let = 0
        for spec in (one["spec"] for one in policies):
            if direction in small.directions(spec):
                own = cls.part(direction, "own", json.dumps(spec["podSelector"]))
                isolated |= own
                for rule in spec.get(field, ()):
                    to = cls.any(direction, "peer", rule.get(peers, []))
                    let |= own & to & cls.any(direction, "port", rule.get("ports", []))
        return let | (((1 << len(CELLS[direction])) - 1) & ~isolated)


def test_the_judge_says_what_the_reference_says() -> None:
    chance = random.Random(0)
    for _ in range(20):
        policies = [small.some_policy(chance, str(i), "a") for i in range(2)]
        for direction, cells in CELLS.items():
            bits = Judge.allowed(policies, direction)
            for i in chance.sample(range(len(cells)), 200):
                said = small.allowed(policies, direction, *cells[i])
                assert said is bool(bits >> i & 1)


def pair(chance: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    base = [small.some_policy(chance, str(i), "a") for i in range(chance.randint(0, 3))]
    if chance.random() < 0.2:
        return base, [small.some_policy(chance, str(i), "a") for i in range(2)]
    return base, small.changed(chance, base)


def test_what_policies_gain_is_never_missed() -> None:
    chance, spaces = random.Random(1), [small.namespace(n, **of) for n, of in SPACES.items()]
    contained = exact = 0
    for _ in range(PAIRS // 2):
        base, head = pair(chance)
        sides = Sides.of(small.state([*spaces, *base]), small.state([*spaces, *head]))
        for direction in CELLS:
            truth = not Judge.allowed(head, direction) & ~Judge.allowed(base, direction)
            both = sides.head.of("a", direction), sides.base.of("a", direction)
            silent = not gains("a", direction, *both)
            assert truth or not silent, (base, head, direction)
            contained += truth
            exact += truth and silent
    assert contained > PAIRS // 10
    print(
        f"\npolicies: {PAIRS:,} pairs, 0 unsound, {exact / contained:.2%} of {contained:,} silent"
    )


def some_pods(chance: random.Random) -> list[dict[str, Any]]:
    return [
        small.pod(name, space, chance.choice(LABELS), **chance.choice(NAMED))
        | ({"spec": {"hostNetwork": True}} if chance.random() < 0.05 else {})
        for name, space in (("one", "a"), ("two", "a"), ("three", "b"))
    ]


def edited(chance: random.Random, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same pods, some of which look otherwise."""
    fresh = some_pods(chance)
    return [new if chance.random() < 0.3 else old for old, new in zip(pods, fresh, strict=True)]


Reached = set[tuple[str, str, tuple[str, int]]]


def reach(
    spaces: dict[str, dict[str, str]],
    policies: list[dict[str, Any]],
    pods: list[dict[str, Any]],
) -> Reached:
    """Every connection that both ends allow, between pods and with addresses."""
    found = set()
    for one, other in product([*pods, *small.ADDRESSES], repeat=2):
        if one is not other and not (isinstance(one, str) and isinstance(other, str)):
            names = tuple(x if isinstance(x, str) else x["metadata"]["name"] for x in (one, other))
            for port in small.PORTS:
                if lets(spaces, policies, (one, other), "Egress", port) and lets(
                    spaces, policies, (other, one), "Ingress", port
                ):
                    found.add((*names, port))
    return found


def lets(
    spaces: dict[str, dict[str, str]],
    policies: list[dict[str, Any]],
    pair: tuple[Any, Any],
    direction: str,
    port: tuple[str, int],
) -> bool:
    """Whether the first of a pair is allowed the connection by the policies for it."""
    own, other = pair
    if isinstance(own, str) or own["spec"].get("hostNetwork"):
        return True
    metadata = own["metadata"]
    receiver = own if direction == "Ingress" else other
    named = None
    if not isinstance(receiver, str):
        listed = receiver["spec"].get("containers", [{"ports": []}])[0]["ports"]
        named = {one["name"]: one["containerPort"] for one in listed}
    end = other
    if not isinstance(other, str):
        if other["spec"].get("hostNetwork"):
            return False  # seen as a node's address, of which nobody knows which
        space = other["metadata"]["namespace"]
        end = (other["metadata"]["labels"], {small.NAME: space, **spaces[space]})
    mine = [one for one in policies if one["metadata"]["namespace"] == metadata["namespace"]]
    return small.allowed(mine, direction, metadata["labels"], end, port, named)


def network(chance: random.Random) -> tuple[dict[str, dict[str, str]], Any, Any]:
    policies = [
        small.some_policy(chance, f"{space}{i}", space)
        for space in SPACES
        for i in range(chance.randint(0, 2))
    ]
    return dict(SPACES), policies, some_pods(chance)


def test_no_pod_reaches_more_without_a_word() -> None:
    chance, silent, held = random.Random(2), 0, 0
    for _ in range(NETWORKS):
        spaces, policies, pods = network(chance)
        after, others, theirs = dict(spaces), policies, pods
        if chance.random() < 0.3:
            after["b"] = {"team": chance.choice(("x", "y", "fresh"))}
        if chance.random() < 0.4:
            others = small.changed(chance, policies)
        if chance.random() < 0.7:
            theirs = edited(chance, pods)
        states = [
            small.state([*(small.namespace(n, **of) for n, of in where.items()), *rules, *what])
            for where, rules, what in ((spaces, policies, pods), (after, others, theirs))
        ]
        words = [c for c in compare(*states) if c.verdict is Verdict.WIDENED]
        # What a pod reached while it was in the node's network is not known.
        on_a_node = {p["metadata"]["name"] for p in pods if p["spec"].get("hostNetwork")}
        gained = reach(after, others, theirs) - reach(spaces, policies, pods)
        gained -= {one for one in gained if on_a_node.intersection(one[:2])}
        assert words or not gained, (policies, others, pods, theirs, after, gained)
        held += not gained
        silent += not words
    print(f"\nnetworks: {NETWORKS:,} pairs, 0 unsound; {silent:,} of {held:,} silent")
