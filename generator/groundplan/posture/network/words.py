"""Boxes in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.posture.network import addresses
from groundplan.posture.network.boxes import ADDRESS, NAME
from groundplan.posture.network.ports import Ports
from groundplan.posture.network.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.posture.network.boxes import Box
    from groundplan.posture.selectors import Values

FEW = 3
"""How many kinds of pod one sentence names; beyond, the rule's own words say it shorter."""


def subject(pieces: Iterable[Box], whole: Box | None, namespace: str) -> str:
    """The pods that a policy is for; `whole` is what holds them all, if one thing does."""
    kinds = dict.fromkeys(_pods(box.part("of")) for box in pieces)
    if len(kinds) > FEW and whole is not None:
        kinds = {_pods(whole.part("of")): None}
    more = len(kinds) - FEW
    words = list(kinds)[:FEW] + ([f"{more} more kinds of pod"] if more > 0 else [])
    return " and ".join(f"{kind} of {namespace}" for kind in words)


def others(pods: list[Box], outside: list[Box], rule: list[Box]) -> str:
    """The other end: pods, addresses, or anything."""
    kinds = dict.fromkeys(map(_other, pods))
    if len(kinds) > FEW:
        kinds = dict.fromkeys(_other(box) for box in rule if ADDRESS not in box.sides)
    reached = Spans.of(span for box in outside for span in box.addresses.spans)
    if _ANYTHING in kinds and reached == addresses.EVERY:
        return "anything"
    words = list(kinds)[:FEW]
    words += [f"{len(kinds) - FEW} more kinds of pod"] if len(kinds) > FEW else []
    return " and ".join([*words, addresses.words(reached)] if reached else words)


def ports(pieces: Iterable[Box]) -> str:
    """The ports that some boxes allow together."""
    found = Ports()
    for box in pieces:
        found |= box.ports
    return str(found)


def _other(box: Box) -> str:
    """The pods of some namespaces. Those that are known by name are left out of the others."""
    pods, namespaces = _pods(box.part("pod")), dict(box.part("namespace"))
    named = namespaces.pop(NAME, None)
    if named is None:
        which = f"namespaces {_labels(namespaces)}" if namespaces else "any namespace"
    elif not named.others:
        which = _names(named)
    elif namespaces:
        which = f"other namespaces {_labels(namespaces)}"
    else:
        which = f"namespaces other than {_names(named)}"
    return f"{pods} of {which}"


def _names(named: Values) -> str:
    """The names of some namespaces, or how many there are."""
    names = sorted(named.named)
    more = len(names) - FEW
    return " and ".join([*names[:FEW], f"{more} more namespaces"] if more > 1 else names)


def _pods(wanted: Mapping[str, Values]) -> str:
    return f"pods {_labels(wanted)}" if wanted else "any pod"


_ANYTHING = "any pod of any namespace"


def _labels(wanted: Mapping[str, Values]) -> str:
    return ", ".join(_label(key, values) for key, values in sorted(wanted.items()))


def _label(key: str, values: Values) -> str:
    """One key: `app=web|api`, `app other than web`, `with app`, `without app`."""
    listed = "|".join(sorted(values.named))
    if not listed:
        return f"with {key}" if values.others else f"without {key}"
    if values.others:
        return f"{key} other than {listed}" if values.absent else f"with {key} other than {listed}"
    return f"{key}={listed}, or without it" if values.absent else f"{key}={listed}"
