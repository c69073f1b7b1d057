"""Containment of label selectors, judged by trying every object of a small universe."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from groundplan.posture.selectors import box, selects, within, within_any
from tests.draws import draws

KEYS = ("a", "b")
VALUES = ("x", "y", "z")
pytestmark = pytest.mark.brute_force
PAIRS = draws(120_000)
UNIONS = 10_000

OBJECTS = tuple(
    {key: value for key, value in zip(KEYS, values, strict=True) if value}
    for values in product((None, *VALUES, "fresh"), repeat=len(KEYS))
)


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """The operators as the Kubernetes documentation has them, one object at a time."""
    for key, value in selector["matchLabels"].items():
        if labels.get(key) != value:
            return False
    for one in selector["matchExpressions"]:
        has = one["key"] in labels
        listed = labels.get(one["key"]) in one.get("values", ())
        said = {
            "In": has and listed,
            "NotIn": not listed,
            "Exists": has,
            "DoesNotExist": not has,
        }
        if not said[one["operator"]]:
            return False
    return True


def some(chance: random.Random) -> dict[str, Any]:
    expressions = []
    for _ in range(chance.randint(0, 2)):
        operator = chance.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        values = chance.sample(VALUES, chance.randint(1, 2)) if "In" in operator else []
        expressions.append(
            {"key": chance.choice(KEYS), "operator": operator, "values": sorted(values)}
        )
    labels = {key: chance.choice(VALUES) for key in KEYS if chance.random() < 0.25}
    return {"matchLabels": labels, "matchExpressions": expressions}


def selected(selector: dict[str, Any], known: dict[str, int]) -> int:
    """The objects of the universe that are selected, as the bits of a number."""
    text = repr(selector)
    if text not in known:
        known[text] = sum(1 << i for i, o in enumerate(OBJECTS) if matches(selector, o))
    return known[text]


def test_containment_of_two_selectors_is_exact() -> None:
    chance, known = random.Random(1), {}
    contained = 0
    for _ in range(PAIRS):
        inner, outer = some(chance), some(chance)
        truth = not selected(inner, known) & ~selected(outer, known)
        assert within(box(inner), box(outer)) is truth, (inner, outer)
        contained += truth
    assert contained > PAIRS // 20, "too few pairs are contained to mean anything"
    print(f"\nselectors: {PAIRS:,} pairs, {contained:,} contained, 0 disagreements")


def test_containment_in_a_union_is_exact() -> None:
    chance, known = random.Random(2), {}
    only_together = 0
    for _ in range(UNIONS):
        inner, outer = some(chance), [some(chance) for _ in range(chance.randint(2, 4))]
        union = 0
        for one in outer:
            union |= selected(one, known)
        truth = not selected(inner, known) & ~union
        assert within_any(box(inner), map(box, outer)) is truth, (inner, outer)
        only_together += truth and not any(within(box(inner), box(one)) for one in outer)
    assert only_together
    print(f"\nunions: {UNIONS:,}, {only_together:,} contained in no single selector")


def test_a_union_of_too_many_parts_is_never_said_to_hold_all() -> None:
    halves = [exists("a"), {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}]
    more = [exists(f"key-{number}") for number in range(12)]
    assert within_any({}, map(box, halves))
    assert not within_any({}, map(box, halves + more))
    assert within_any(box(exists("key-3")), map(box, halves + more)), "one alone holds it"


def exists(key: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": "Exists"}]}


def test_an_object_is_selected_as_kubernetes_does() -> None:
    chance = random.Random(3)
    for _ in range(2_000):
        selector = some(chance)
        for labels in OBJECTS:
            assert selects(box(selector), labels) is matches(selector, labels)


@pytest.mark.parametrize("operator", ["", "Gt", "in"])
def test_an_operator_that_kubernetes_refuses_selects_nothing(operator: str) -> None:
    wanted = box({"matchExpressions": [{"key": "a", "operator": operator, "values": ["x"]}]})
    assert not selects(wanted, {"a": "x"})
    assert not selects(wanted, {})
