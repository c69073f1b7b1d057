"""What is said of connections is the same whatever order labels, expressions and values are in."""

from __future__ import annotations

import random
from typing import Any

import pytest

from groundplan.posture import network
from tests.draws import draws
from tests.posture import small_networks as small

pytestmark = pytest.mark.brute_force
NETWORKS = draws(120)
LABELS = {"app": "x", "role": "y", "tier": "x"}


def reordered(value: Any, chance: random.Random) -> Any:
    """The same object with mappings, expressions and their values in another order."""
    if isinstance(value, dict):
        pairs = [
            (key, shuffled(one, chance) if key in {"matchExpressions", "values"} else one)
            for key, one in value.items()
        ]
        return {key: reordered(one, chance) for key, one in shuffled(pairs, chance)}
    return [reordered(one, chance) for one in value] if isinstance(value, list) else value


def shuffled(some: list[Any], chance: random.Random) -> list[Any]:
    return chance.sample(some, len(some))


def wide(chance: random.Random) -> dict[str, Any]:
    """A selector of several keys, which is cut into several pieces."""
    keys = chance.sample(sorted(LABELS), chance.randint(2, 3))
    return {"matchLabels": {key: chance.choice("xy") for key in keys}}


def policy(chance: random.Random, name: str) -> dict[str, Any]:
    found = small.some_policy(chance, name, "a")
    found["spec"]["podSelector"] = wide(chance)
    rule = {"from": [{"podSelector": wide(chance), "namespaceSelector": wide(chance)}]}
    found["spec"] |= {"ingress": [rule], "policyTypes": ["Ingress"]}
    return found


def fingerprints(base: list[Any], head: list[Any]) -> set[str]:
    changes = network.compare(small.state(base), small.state(head))
    return {change.fingerprint for change in changes}


def test_a_fingerprint_does_not_depend_on_the_order_of_labels() -> None:
    chance, said = random.Random(4), 0
    for _ in range(NETWORKS):
        spaces = [small.namespace(name, **LABELS) for name in ("a", "b")]
        pods = [small.pod("p", "a", dict(LABELS)), small.pod("q", "b", {"app": "y", "role": "x"})]
        base = [*spaces, *pods, *(policy(chance, str(i)) for i in range(2))]
        pods[1] = small.pod("q", "b", {key: chance.choice("xy") for key in LABELS})
        head = [*spaces, *pods, *(policy(chance, str(i)) for i in range(chance.randint(1, 3)))]
        first = fingerprints(base, head)
        said += len(first)
        assert fingerprints(reordered(base, chance), reordered(head, chance)) == first
    assert said > NETWORKS
