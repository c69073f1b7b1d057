"""IP addresses as sets of numbers: IPv4 and IPv6 side by side, and apart."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from groundplan.posture.network.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SIX = 1 << 128
"""Where IPv6 begins; every IPv4 address is below."""

EVERY = Spans.of([(0, (1 << 32) - 1), (_SIX, 2 * _SIX - 1)])


def block(cidr: str, excepted: Iterable[str] = ()) -> Spans:
    """The addresses of a block without its exceptions.

    Raises:
        ValueError: It is no block, or an exception does not lie inside, which the API server
            refuses too.
    """
    whole = found = _block(cidr)
    for one in excepted:
        hole = _block(one)
        if hole - whole or not whole - hole:
            raise ValueError(f"{one} must lie inside {cidr} and be smaller")
        found -= hole
    return found


def _block(cidr: str) -> Spans:
    network = ipaddress.ip_network(cidr, strict=False)
    start = 0 if network.version == 4 else _SIX
    return Spans.of([(start + int(network[0]), start + int(network[-1]))])


PRIVATE = Spans.of(
    span
    for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
    for span in _block(cidr).spans
)
"""Where pods may have their addresses when nobody says which (RFC 1918, RFC 6598, RFC 4193)."""


def words(addresses: Spans) -> str:
    """Write addresses as blocks."""
    if addresses == EVERY:
        return "any address"
    return ", ".join(_blocks(addresses))


def _blocks(addresses: Spans) -> Iterator[str]:
    for first, last in addresses.spans:
        kind = ipaddress.IPv4Address if last < _SIX else ipaddress.IPv6Address
        start = 0 if last < _SIX else _SIX
        ends = kind(first - start), kind(last - start)
        yield from (
            str(one).removesuffix("/32") for one in ipaddress.summarize_address_range(*ends)
        )
