"""When both sides changed one value: the newer version, the stricter posture, or nobody knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.merge.model import Cause

if TYPE_CHECKING:
    from groundplan.merge.model import Place, Three

STRICTNESS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (
        r"pod-security\.kubernetes\.io/(enforce|audit|warn)",
        ("privileged", "baseline", "restricted"),
    ),
    (r"runAsNonRoot|readOnlyRootFilesystem", (False, True)),
    (r"privileged|allowPrivilegeEscalation|hostNetwork|hostPID|hostIPC", (True, False)),
    (r"hostUsers|automountServiceAccountToken|shareProcessNamespace", (True, False)),
    (r"failurePolicy", ("Ignore", "Fail")),
    (r"procMount", ("Unmasked", "Default")),
)
"""Fields by name, as a pattern, and their values from the loosest to the strictest."""

GUARDED = (
    (r"(Cluster)?Role", r"rules"),
    (r"(Cluster)?RoleBinding", r"subjects|roleRef"),
    (r"NetworkPolicy|CiliumNetworkPolicy|CiliumClusterwideNetworkPolicy", r"spec|specs"),
    (r"ValidatingAdmissionPolicy(Binding)?|AppProject", r"spec"),
    (r".*", r"capabilities|securityContext|matchConstraints|validationActions|tolerations"),
)
"""Kinds, and fields in them whose lists decide what is allowed."""

VERSIONED = re.compile(
    r"image|tag|.*[vV]ersion|targetRevision|revision|rev|ref|semver|uses|digest|resources|url"
)
"""Names of fields that pin something to a version."""

_VERSION = re.compile(
    r"(?P<before>.*?(?:^|[:@=/]))(?P<mark>v?)(?P<numbers>\d+(?:\.\d+){0,3})"
    r"(?P<rest>-[0-9A-Za-z.-]+)?(?P<build>\+[0-9A-Za-z.-]+)?(?P<digest>@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says: who is kept, or why it has to be a conflict."""

    rule: str = ""
    kept: str = ""
    cause: Cause = Cause.BOTH_CHANGED


def decide(place: Place, sides: Three[Any]) -> Ruling:
    """Judge a scalar that both sides changed. The base is None when both added it."""
    name = next((part for part in reversed(place) if not _is_item(part)), "")
    for pattern, order in STRICTNESS:
        if re.fullmatch(pattern, name):
            return _stricter(order, sides.yours, sides.template)
    if VERSIONED.fullmatch(name):
        return _newer(sides)
    return Ruling()


def guarded(kind: str, place: Place) -> bool:
    """Whether a list at this place decides what is allowed."""
    return any(
        re.fullmatch(kinds, kind) and any(re.fullmatch(fields, part) for part in place)
        for kinds, fields in GUARDED
    )


def _is_item(part: str) -> bool:
    """Whether a part of a place names an item of a list."""
    return "=" in part or part[:1] in "+*"


def _stricter(order: tuple[Any, ...], yours: Any, template: Any) -> Ruling:
    known = [value for value in order if type(value) is type(yours)]
    if yours not in known or template not in known or type(template) is not type(yours):
        return Ruling(cause=Cause.POSTURE)
    kept = "yours" if order.index(yours) > order.index(template) else "template"
    return Ruling("stricter", kept)


def _newer(sides: Three[Any]) -> Ruling:
    """The newer of two versions of one thing; one that was held back is nobody's to lift."""
    was, mine, theirs = (_version(value) for value in sides)
    if mine is None or theirs is None or mine[0] != theirs[0] or mine[1] == theirs[1]:
        return Ruling()
    if was is not None and was[0] == mine[0] and mine[1] < was[1]:
        return Ruling(cause=Cause.HELD_BACK)
    return Ruling("newer-version", "yours" if mine[1] > theirs[1] else "template")


def _version(value: Any) -> tuple[str, tuple[Any, ...]] | None:
    """What is pinned, and an order of its versions; pre-releases come before the release."""
    match = _VERSION.fullmatch(value) if isinstance(value, str) else None
    if match is None or ("." not in match["numbers"] and not match["mark"]):
        return None
    numbers = [int(number) for number in match["numbers"].split(".")]
    rest = match["rest"] or ""
    parts = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"[.-]", rest)
    )
    padded = tuple(numbers + [0] * (4 - len(numbers)))
    return match["before"], (*padded, not rest, parts)
