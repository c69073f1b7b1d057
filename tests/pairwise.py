"""Rows of answers in which every two answers that can be together are together once.

Greedy: each row begins with a pair that no row has, and takes what covers most. Which answers
cannot be together is asked, not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

Choice = tuple[str, str]
"""A question and the label of one of its values."""
Pair = tuple[Choice, Choice]
Row = dict[str, str]
_NEAR = 4
"""Rows that are tried; a pair that was wrongly refused would show in the list of refused ones."""


@dataclass(frozen=True)
class Cover:
    """Rows that can be answered, and the pairs for which there is none."""

    rows: tuple[Row, ...]
    refused: frozenset[Pair]


def pairs(row: Mapping[str, str]) -> Iterator[Pair]:
    """Every two answers of a row."""
    return combinations(row.items(), 2)


def cover(labels: Mapping[str, Sequence[str]], faults: Callable[[Row], int]) -> Cover:
    """Cover all pairs.

    Args:
        labels: The values of each question; the first is the usual one.
        faults: How many things are wrong with a row.
    """
    usual = {question: these[0] for question, these in labels.items()}
    missing = dict.fromkeys(
        ((one, a), (other, b))
        for one, other in combinations(labels, 2)
        for a in labels[one]
        for b in labels[other]
    )
    rows: list[Row] = []
    refused: set[Pair] = set()
    while missing:
        seed = next(iter(missing))
        # A row that has half of the pair may need only the other half.
        near = [one for one in rows if any(choice in one.items() for choice in seed)]
        begun = ({**one, **dict(seed)} for one in (usual, *near[:_NEAR]))
        tried = (_possible(one, dict(seed), labels, faults) for one in begun)
        row = next(filter(None, tried), None)
        if row is None:
            refused.add(seed)
            del missing[seed]
            continue
        questions = [*labels.items()]
        orders = [questions[n:] + questions[:n] for n in range(0, len(questions), 4)]
        full = [_fuller(row, dict(seed), order, faults, missing) for order in orders]
        rows.append(max(full, key=lambda one: sum(pair in missing for pair in pairs(one))))
        for pair in pairs(rows[-1]):
            missing.pop(pair, None)
    return Cover(tuple(rows), frozenset(refused))


def _changes(
    row: Row, fixed: Collection[str], labels: Mapping[str, Sequence[str]]
) -> Iterator[Row]:
    for question, these in labels.items():
        if question not in fixed:
            yield from ({**row, question: label} for label in these if label != row[question])


def _possible(
    row: Row,
    fixed: Collection[str],
    labels: Mapping[str, Sequence[str]],
    faults: Callable[[Row], int],
) -> Row | None:
    """The row, changed elsewhere until nothing is wrong with it."""
    while left := faults(row):
        row = min(_changes(row, fixed, labels), key=faults)
        if faults(row) >= left:
            return None
    return row


def _fuller(
    row: Row,
    fixed: Collection[str],
    order: Sequence[tuple[str, Sequence[str]]],
    faults: Callable[[Row], int],
    missing: Collection[Pair],
) -> Row:
    """The row, with every other answer the possible one that covers most."""
    for question, these in (*order, *order):
        if question not in fixed:
            others = [{**row, question: label} for label in these]
            gains = [(_gain(one, missing, question), one) for one in others]
            least = _gain(row, missing, question)
            ranked = sorted((g for g in gains if g[0] > least), key=itemgetter(0), reverse=True)
            row = next((one for _, one in ranked if not faults(one)), row)
    return row


def _gain(row: Row, missing: Collection[Pair], question: str) -> int:
    """How many missing pairs one question's answer brings; those of the others stay as they are."""
    choices = [*row.items()]
    place = [*row].index(question)
    own = choices[place]
    before = sum((other, own) in missing for other in choices[:place])
    return before + sum((own, other) in missing for other in choices[place + 1 :])
