"""Ports, addresses and boxes, judged by trying every element of a small universe."""

from __future__ import annotations

import ipaddress
import random
from itertools import product

import pytest

from groundplan.posture.network import addresses
from groundplan.posture.network.boxes import PORT, Box, subtract
from groundplan.posture.network.ports import EVERY, PROTOCOLS, Ports, numbers
from groundplan.posture.network.spans import Spans
from groundplan.posture.selectors import Values
from tests.draws import draws

pytestmark = pytest.mark.brute_force
PAIRS = draws(40_000)
BOXES = draws(5_000)


def some_spans(chance: random.Random, highest: int = 15) -> Spans:
    ends = [chance.randint(0, highest) for _ in range(2 * chance.randint(0, 3))]
    return Spans.of(zip(ends[::2], ends[1::2], strict=True))


def test_sets_of_numbers_are_exact() -> None:
    chance = random.Random(1)
    for _ in range(PAIRS):
        ours, theirs = some_spans(chance), some_spans(chance)
        mine, other = ({n for n in range(17) if n in spans} for spans in (ours, theirs))
        for found, wanted in (
            (ours & theirs, mine & other),
            (ours | theirs, mine | other),
            (ours - theirs, mine - other),
        ):
            assert {n for n in range(17) if n in found} == wanted
            assert found == Spans.of((n, n) for n in wanted), "equal sets are equal values"
            assert bool(found) is bool(wanted)
    print(f"\nnumbers: {PAIRS:,} pairs, 0 disagreements")


def some_block(chance: random.Random) -> tuple[str, tuple[str, ...]]:
    length = chance.randint(26, 31)
    cidr = f"10.0.0.{chance.randint(0, 63)}/{length}"
    inner = list(ipaddress.ip_network(cidr, strict=False).subnets(new_prefix=length + 1))
    return cidr, tuple(str(one) for one in inner if chance.random() < 0.3)


def test_blocks_with_exceptions_are_exact() -> None:
    chance = random.Random(2)
    contained = 0
    for _ in range(PAIRS // 5):
        blocks = some_block(chance), some_block(chance)
        ours, theirs = (addresses.block(*block) for block in blocks)
        mine, other = (
            set(ipaddress.ip_network(cidr, strict=False)).difference(
                *map(ipaddress.ip_network, excepted)
            )
            for cidr, excepted in blocks
        )
        assert sum(last - first + 1 for first, last in ours.spans) == len(mine)
        assert all(int(one) in ours for one in mine)
        assert bool(ours - theirs) is bool(mine - other)
        contained += not mine - other
    assert contained
    print(f"\nblocks: {PAIRS // 5:,} pairs, {contained:,} contained, 0 disagreements")


def test_two_halves_are_the_whole_and_one_family_says_nothing_of_the_other() -> None:
    halves = addresses.block("0.0.0.0/1") | addresses.block("128.0.0.0/1")
    assert halves == addresses.block("0.0.0.0/0")
    assert addresses.block("::/0") - halves == addresses.block("::/0")
    assert halves | addresses.block("::/0") == addresses.EVERY
    assert addresses.words(addresses.block("10.0.0.0/8", ["10.1.0.0/16"])).startswith("10.0.0.0/16")


@pytest.mark.parametrize(
    ("cidr", "excepted"),
    [("10.0.0.0/8", "11.0.0.0/16"), ("10.0.0.0/8", "10.0.0.0/8"), ("10.0.0.0", "10.0.0.0/33")],
)
def test_an_exception_that_does_not_lie_inside_is_refused(cidr: str, excepted: str) -> None:
    with pytest.raises(ValueError, match=r"10\."):
        addresses.block(cidr, [excepted])


def some_ports(chance: random.Random) -> Ports:
    found = Ports()
    for _ in range(chance.randint(0, 3)):
        protocol = chance.choice(PROTOCOLS)
        first = chance.randint(1, 4)
        kind = chance.random()
        if kind < 0.3:
            found |= Ports(names=frozenset({(protocol, chance.choice(("http", "admin")))}))
        elif kind < 0.5:
            found |= Ports(numbers(protocol))
        else:
            found |= Ports(numbers(protocol, first, chance.randint(first, 4)))
    return found


PODS = [
    {(p, name): number for p, name, number in zip(PROTOCOLS, names, values, strict=False) if name}
    for names in product(("http", "admin", ""), repeat=2)
    for values in product((1, 3, 9), repeat=2)
]
"""Every way in which a pod may number its names, 9 standing for what no rule mentions."""
POINTS = [(index << 16) + number for index in range(3) for number in (1, 2, 3, 4, 9)]


def test_what_is_left_of_ports_is_never_too_little() -> None:
    chance, exact = random.Random(3), 0
    for _ in range(PAIRS // 5):
        ours, theirs = some_ports(chance), some_ports(chance)
        truth = all(
            point not in ours.resolved(pod).numbers or point in theirs.resolved(pod).numbers
            for pod in PODS
            for point in POINTS
        )
        said = not ours - theirs
        assert truth or not said, (ours, theirs)
        exact += truth is said
    print(f"\nports: {PAIRS // 5:,} pairs, 0 unsound, {exact / (PAIRS // 5):.2%} exact")


def test_boxes_are_subtracted_exactly() -> None:
    chance = random.Random(4)
    keys, values = ("a", "b"), (None, "x", "y", "z")
    cells = [*product(values, values, (1, 2, 3, 9))]

    def some() -> Box:
        sides = {}
        for key in keys:
            if chance.random() < 0.6:
                named = frozenset(chance.sample(("x", "y"), chance.randint(0, 2)))
                side = Values(named, chance.random() < 0.5, chance.random() < 0.5)
                sides |= {} if side.empty else {("pod", key): side}
        if chance.random() < 0.6:
            first = chance.randint(1, 3)
            sides[PORT] = Ports(numbers("TCP", first, chance.randint(first, 3)))
        return Box(sides)

    def holds(box: Box, cell: tuple[str | None, str | None, int]) -> bool:
        labels = all(side.has(cell[keys.index(key)]) for key, side in box.part("pod").items())
        return labels and cell[2] in box.ports.numbers

    for _ in range(BOXES):
        ours, theirs = [some()], [some() for _ in range(chance.randint(1, 4))]
        pieces = subtract(ours, theirs)
        for cell in cells:
            wanted = holds(ours[0], cell) and not any(holds(box, cell) for box in theirs)
            assert sum(holds(piece, cell) for piece in pieces) == wanted
    print(f"\nboxes: {BOXES:,} differences, 0 disagreements")


def test_ports_are_written_as_people_do() -> None:
    some = Ports(numbers("TCP", 80, 80)) | Ports(numbers("TCP", 8000, 8080))
    some |= Ports(numbers("UDP", 53, 53), frozenset({("TCP", "http")}))
    assert str(some) == "TCP 80, 8000-8080, http, UDP 53"
    assert str(EVERY) == "any port"
    assert str(Ports(numbers("SCTP"))) == "SCTP any port"
