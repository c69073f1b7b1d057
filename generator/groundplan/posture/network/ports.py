"""Ports of TCP, UDP and SCTP, by number and by the name that the receiving pod gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.posture.network.spans import NONE, Spans

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOLS = ("TCP", "UDP", "SCTP")
HIGHEST = 65535

Names = frozenset[tuple[str, str]]
"""Protocol and name: what number it has is for the receiving pod to say."""


def numbers(protocol: str, first: int = 1, last: int = HIGHEST) -> Spans:
    """Some ports of a protocol, as numbers that no other protocol uses."""
    start = PROTOCOLS.index(protocol) << 16
    return Spans.of([(start + first, start + last)])


ALL = Spans.of(span for protocol in PROTOCOLS for span in numbers(protocol).spans)
_WHOLE = {protocol: numbers(protocol) for protocol in PROTOCOLS}


@dataclass(frozen=True, slots=True)
class Ports:
    """A set of ports.

    A name stands for a number that differs from pod to pod, so only the same name, or every port of
    its protocol, is known to contain it.
    """

    numbers: Spans = NONE
    names: Names = frozenset()

    def __bool__(self) -> bool:
        return bool(self.numbers or self.names)

    def __or__(self, other: Ports) -> Ports:
        return Ports(self.numbers | other.numbers, self.names | other.names)

    def __and__(self, other: Ports) -> Ports:
        """What is known to be in both."""
        common = self.names & other.names
        ours, theirs = other.covered(self.names), self.covered(other.names)
        return Ports(self.numbers & other.numbers, common | ours | theirs)

    def __sub__(self, other: Ports) -> Ports:
        """What is not known to be in the other."""
        names = self.names - other.names
        return Ports(self.numbers - other.numbers, names - other.covered(names))

    def covered(self, names: Names) -> Names:
        """Names of protocols all of whose ports are in the set."""
        return frozenset(n for n in names if not _WHOLE[n[0]] - self.numbers)

    def resolved(self, named: Mapping[tuple[str, str], int]) -> Ports:
        """The set as a pod sees it that gives its ports names; a name it lacks is nothing."""
        found = self.numbers
        for protocol, name in self.names:
            number = named.get((protocol, name))
            if number is not None:
                found |= numbers(protocol, number, number)
        return Ports(found)

    def __str__(self) -> str:
        """Write the ports as people do: `TCP 80, 8000-8080, UDP 53`."""
        if self.numbers == ALL:
            return "any port"
        words = []
        for protocol in PROTOCOLS:
            whole = _WHOLE[protocol]
            start = PROTOCOLS.index(protocol) << 16
            found = [_span(a - start, b - start) for a, b in (self.numbers & whole).spans]
            if self.numbers & whole == whole:
                found = ["any port"]
            found += sorted(name for of, name in self.names if of == protocol)
            words += [f"{protocol} {', '.join(found)}"] if found else []
        return ", ".join(words)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


EVERY = Ports(ALL)
