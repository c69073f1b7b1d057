"""Sets of whole numbers as sorted, disjoint spans: addresses and ports alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Spans:
    """A set of numbers. Built by `of`; equal sets are equal values."""

    spans: tuple[tuple[int, int], ...] = ()
    """First and last number of each span; there is a gap between any two."""

    @classmethod
    def of(cls, spans: Iterable[tuple[int, int]]) -> Spans:
        """Join spans in any order; one that ends before it begins is empty."""
        joined: list[tuple[int, int]] = []
        for first, last in sorted(span for span in spans if span[0] <= span[1]):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        return cls(tuple(joined))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.spans)

    def __or__(self, other: Spans) -> Spans:
        return Spans.of((*self.spans, *other.spans))

    def __and__(self, other: Spans) -> Spans:
        return Spans(tuple(_common(self.spans, other.spans)))

    def __sub__(self, other: Spans) -> Spans:
        return Spans(tuple(_left(self.spans, other.spans)))


NONE = Spans()


def _common(
    ours: tuple[tuple[int, int], ...], theirs: tuple[tuple[int, int], ...]
) -> Iterator[tuple[int, int]]:
    """Walk both in step: linear in what both have."""
    mine = other = 0
    while mine < len(ours) and other < len(theirs):
        first = max(ours[mine][0], theirs[other][0])
        last = min(ours[mine][1], theirs[other][1])
        if first <= last:
            yield first, last
        if ours[mine][1] < theirs[other][1]:
            mine += 1
        else:
            other += 1


def _left(
    ours: tuple[tuple[int, int], ...], theirs: tuple[tuple[int, int], ...]
) -> Iterator[tuple[int, int]]:
    """What of ours lies between theirs."""
    other = 0
    for first, last in ours:
        start = first
        while other < len(theirs) and theirs[other][1] < start:
            other += 1
        at = other
        while at < len(theirs) and theirs[at][0] <= last:
            if start < theirs[at][0]:
                yield start, theirs[at][0] - 1
            start = theirs[at][1] + 1
            at += 1
        if start <= last:
            yield start, last
