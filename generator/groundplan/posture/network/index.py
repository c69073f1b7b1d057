"""Finds what selects some labels without asking every selector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from groundplan.posture.selectors import selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.posture.selectors import Values

Item = TypeVar("Item")


class Index(Generic[Item]):
    """Items by the labels that they ask for.

    Most selectors name one value of a key; those are found by it, and only the others are asked in
    turn.
    """

    def __init__(self, items: Iterable[tuple[Mapping[str, Values], Item]]) -> None:
        """Take each item with what it asks of labels."""
        self._found: dict[tuple[str, str], list[tuple[Mapping[str, Values], Item]]] = {}
        self._asked: list[tuple[Mapping[str, Values], Item]] = []
        for wanted, item in items:
            named = [(key, v.named) for key, v in wanted.items() if not (v.others or v.absent)]
            if not named:
                self._asked.append((wanted, item))
                continue
            key, values = min(named, key=lambda one: len(one[1]))
            for value in values:
                self._found.setdefault((key, value), []).append((wanted, item))

    def selecting(self, labels: Mapping[str, str]) -> Iterator[Item]:
        """Every item whose selector has these labels."""
        for label in labels.items():
            for wanted, item in self._found.get(label, ()):
                if selects(dict(wanted), labels):
                    yield item
        for wanted, item in self._asked:
            if selects(dict(wanted), labels):
                yield item
