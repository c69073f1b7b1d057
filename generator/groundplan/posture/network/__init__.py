"""The network dimension: which connections the NetworkPolicies of one side only allow.

Four questions, one after the other: what the policies of a namespace let through, for pods that
are there and for any that may come (`exposure`); what workloads gained by other labels or port
numbers (`relabelled`); which connections between workloads of the repository follow (`reach`); and
who may come from outside at all (`publication`).
What counts and what does not: docs/decisions/0025-network-widening.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.network.boxes import TooComplexError
from groundplan.posture.network.causes import Cause, cause
from groundplan.posture.network.compensation import compensated
from groundplan.posture.network.gains import Gain, gains
from groundplan.posture.network.policies import DIRECTIONS
from groundplan.posture.network.publication import published
from groundplan.posture.network.reach import examples
from groundplan.posture.network.relabelled import relabelled
from groundplan.posture.network.sides import Sides
from groundplan.posture.network.unmodelled import opaque, refused, touching
from groundplan.resources import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.network.relabelled import Relabelled


def compare(base: State, head: State) -> tuple[Change, ...]:
    """Find the connections that are allowed on one side only.

    A new namespace is compared with one that nobody may connect to, where others have policies.
    """
    sides = Sides.of(base, head)
    found = [*refused(sides), *opaque(sides)]
    unknown = {r.id.namespace or "default" for r, *_ in sides.refused}
    for namespace in sides.namespaces:
        known = not (sides.is_gone(namespace) or sides.is_new(namespace) or namespace in unknown)
        if known:
            for direction in DIRECTIONS:
                found += _namespace(sides, namespace, direction)
    found += _new_namespaces(sides)
    found += _workloads(sides)
    found += published(base, head)
    # Both ends of one connection may gain it, each by a policy of its own.
    return tuple({change.fingerprint: change for change in found}.values())


def _namespace(sides: Sides, namespace: str, direction: str) -> Iterator[Change]:
    """Compare what the policies of a namespace allow in one direction."""
    try:
        old, new = sides.base.of(namespace, direction), sides.head.of(namespace, direction)
        more, less = gains(namespace, direction, new, old), gains(namespace, direction, old, new)
    except TooComplexError:
        yield _incomparable(sides, namespace, f"its policies ({direction}) cannot be told apart")
        return
    for gain in more:
        yield _gained(sides, gain, cause(sides, gain))
    for gain in less:
        yield _lost(sides.swapped, gain, cause(sides.swapped, gain))
    if not more:
        yield from _compensated(sides, namespace, direction)
    others = touching(sides, namespace) if more or less else ()
    if others:
        atom = f"its policies changed ({direction}), and {', '.join(others)} may count too"
        yield _incomparable(sides, namespace, atom)


def _gained(sides: Sides, gain: Gain, by: Cause, of: Relabelled | None = None) -> Change:
    """Say what is allowed now, by which rule, and between which workloads."""
    notes = [f"by {gain.policy.resource.id}"] if gain.policy else []
    ends = examples(sides, gain)
    if ends:
        notes.append(f"for example {', '.join(ends)}")
    elif of is None or not of.host:
        notes.append(LATENT)
    if gain.may_be_pods:
        notes.append("pods may have these addresses, and some networks judge them by it")
    atom = _atom(gain, of, "may", "any more")
    return _change(Verdict.WIDENED, atom, _subject(sides, gain, of), by, "; ".join(notes))


LATENT = "latent: no workload that this repository shows is concerned yet"


def _lost(sides: Sides, gain: Gain, by: Cause, of: Relabelled | None = None) -> Change:
    atom = _atom(gain, of, "may no longer", "yet")
    return _change(Verdict.NARROWED, atom, _subject(sides, gain, of), by)


def _atom(gain: Gain, of: Relabelled | None, verb: str, when: str) -> str:
    """Who may connect to whom, and why when it is no policy's doing."""
    named = {"other" if of.as_peer else "own": of.names} if of else {}
    sentence = gain.sentence(verb, **named)
    if gain.policy:
        return sentence
    reason = of.reason if of else f"no policy isolates them {when}"
    return f"{sentence}, because {reason}"


def _subject(sides: Sides, gain: Gain, of: Relabelled | None) -> ResourceId:
    """The workload that a gain is about, or the namespace when it is about none or several."""
    found = of.workloads if of else gain.workloads(sides.head)
    if len(found) == 1:
        return found[0].resource.id
    return _of(of.workloads[0].namespace if of else gain.namespace)


def _compensated(sides: Sides, namespace: str, direction: str) -> Iterator[Change]:
    """Report what was loosened and yet allows nothing more."""
    for one in compensated(sides, namespace, direction):
        atom = f"{one.policy.resource.id} {one.words}, and nothing more is allowed"
        by = ", ".join(str(other.resource.id) for other in one.by) or "its other rules"
        about, where = one.policy.resource.id, Cause(one.policy.resource, "")
        yield _change(Verdict.EQUAL, atom, about, where, f"compensated by {by}")


def _new_namespaces(sides: Sides) -> Iterator[Change]:
    """Find namespaces that come without isolation, where others have it."""
    if not sides.base.scene.policies:
        return
    for name, resource in sorted(sides.head.scene.namespaces.items()):
        if sides.is_new(name) and not sides.head.isolates(name):
            atom = "anything may connect to pods of the new namespace"
            yield _change(Verdict.WIDENED, atom, resource.id, Cause(resource, ""), "new")


def _workloads(sides: Sides) -> Iterator[Change]:
    """Report what workloads gained or lost by what they are."""
    try:
        more, less = tuple(relabelled(sides)), tuple(relabelled(sides.swapped))
    except TooComplexError:
        yield _incomparable(sides, "", "labels changed, and policies cannot be told apart")
        return
    for one in more:
        yield _gained(sides, one.gain, _template(one), one)
    for one in less:
        yield _lost(sides.swapped, one.gain, _template(one), one)


def _template(found: Relabelled) -> Cause:
    first = found.workloads[0]
    below = "spec" if first.host else "metadata/labels"
    return Cause(first.resource, f"{first.role.pointer}/{below}")


def _of(namespace: str) -> ResourceId:
    return ResourceId("", "v1", "Namespace", "", namespace)


def _incomparable(sides: Sides, namespace: str, atom: str) -> Change:
    policies = sides.head.scene.by_namespace.get(namespace, ())
    by = Cause(policies[0].resource if policies else None, "")
    return _change(Verdict.INCOMPARABLE, atom, _of(namespace), by)


def _change(
    verdict: Verdict, atom: str, subject: ResourceId, by: Cause, detail: str = ""
) -> Change:
    return Change(
        dimension=Dimension.NETWORK,
        verdict=verdict,
        atom=atom,
        subject=subject,
        origin=by.resource.origin if by.resource else None,
        pointer=by.pointer,
        detail=detail,
    )
