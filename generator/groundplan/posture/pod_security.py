"""The pod security dimension: which pods are admitted, and what those of a workload may do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.pod_security_checks import NEWEST, Level, mapping
from groundplan.posture.pod_security_facts import facts
from groundplan.posture.pod_security_levels import PREFIX, admitted, labels
from groundplan.posture.workloads import bodies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.posture.facts import Facts
    from groundplan.posture.pod_security_levels import Labels
    from groundplan.resources import Resource

_ADMIN_ACCESS = "resource.kubernetes.io/admin-access"


def compare(base: State, head: State) -> tuple[Change, ...]:
    """Find what pods may do on one side only.

    A new namespace and a new workload are compared with the level `baseline`.
    """
    return (*_namespaces(base, head), *_workloads(base, head))


def _namespaces(base: State, head: State) -> Iterator[Change]:
    """Compare the labels of the namespaces."""
    before, after = _of_kind(base, "Namespace"), _of_kind(head, "Namespace")
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old is None and new is not None:
            yield from _new_namespace(new)
        elif new is None and old is not None:
            if any(resource.id.namespace == old.id.name for resource in head.resources):
                what = "the namespace's labels are no longer in the repository"
                left = _change(Verdict.INCOMPARABLE, what, old, "", "its objects are still there")
                yield replace(left, gone=True)
        elif old is not None and new is not None:
            for mode in ("enforce", "audit", "warn"):
                yield from _mode(old, new, mode)
            yield from _admin_access(old, new)


def _new_namespace(namespace: Resource) -> Iterator[Change]:
    """A namespace that was not there before must admit no more than `baseline`."""
    said = labels(_labels(namespace))
    if not said.known:
        yield _unknown(namespace, said, "enforce")
        return
    more = said.at_most() - _admitted_by_default()
    if more and said.level == "privileged":
        atom = "a new namespace admits privileged pods"
        yield _change(Verdict.WIDENED, atom, namespace, _pointer("enforce"), "new")
    if mapping(namespace.body, "metadata", "labels").get(_ADMIN_ACCESS) == "true":
        yield _change(Verdict.WIDENED, _ADMIN_ATOM, namespace, "/metadata/labels", "new")


def _admitted_by_default() -> frozenset[str]:
    """What a namespace may admit without having to say why."""
    return admitted(Level.BASELINE, NEWEST)


_ADMIN_ATOM = "pods may take devices that others use (admin access)"


def _admin_access(old: Resource, new: Resource) -> Iterator[Change]:
    """Compare the label that lets a namespace's pods take any device."""
    before, after = (_labels(side).get(_ADMIN_ACCESS) == "true" for side in (old, new))
    if after and not before:
        yield _change(Verdict.WIDENED, _ADMIN_ATOM, new, "/metadata/labels")
    elif before and not after:
        yield _change(Verdict.NARROWED, f"no longer: {_ADMIN_ATOM}", new, "/metadata/labels")


def _mode(old: Resource, new: Resource, mode: str) -> Iterator[Change]:
    """Compare what one mode of a namespace admits."""
    before, after = labels(_labels(old), mode), labels(_labels(new), mode)
    if before == after:
        return
    for said in (before, after):
        if not said.known:
            yield _unknown(new, said, mode)
            return
    more = after.at_most() - before.at_least()
    less = before.at_most() - after.at_least()
    detail = f"from {before} to {after}"
    atom = f"{mode}: {after} admits" if mode == "enforce" else f"{mode}: {after} is silent about"
    pointer = _pointer(mode)
    verdict = _verdict(before, after)
    if verdict is not Verdict.EQUAL:
        what = ", ".join(sorted(more or less))
        text = f"{atom} {what}" if more else f"{mode}: {after} no longer admits {what}"
        yield _change(verdict, text, new, pointer, detail)


def _verdict(before: Labels, after: Labels) -> Verdict:
    """Order two sets of labels: more is over-approximated, what there was is not."""
    more = not after.at_most() <= before.at_least()
    less = not before.at_most() <= after.at_least()
    # Of a version that is left open only one side is certain.
    shrinks = not before.at_least() <= after.at_most()
    if more and shrinks:
        return Verdict.INCOMPARABLE
    if more:
        return Verdict.WIDENED
    return Verdict.NARROWED if less else Verdict.EQUAL


def _workloads(base: State, head: State) -> Iterator[Change]:
    """Compare what the pods of each workload may do."""
    before, after = _pod_facts(base), _pod_facts(head)
    for key in sorted(after):
        resource, new = after[key]
        old = before[key][1] if key in before else None
        note = "" if old else "new"
        for atom, pointer in new.gained(old):
            yield _change(Verdict.WIDENED, atom, resource, pointer, note)
        if old:
            for atom, pointer in new.lost(old):
                yield _change(Verdict.NARROWED, atom, resource, pointer)
            for atom, pointer in new.unclear(old):
                yield _change(Verdict.INCOMPARABLE, atom, resource, pointer)


def _pod_facts(state: State) -> dict[tuple[str, ...], tuple[Resource, Facts]]:
    """The facts of every workload of a cluster."""
    accounts = bodies(state, "ServiceAccount")
    found = {r.id.key: (r, facts(r, accounts)) for r in state.resources}
    return {key: (r, said) for key, (r, said) in found.items() if said.weak or said.reach}


def _of_kind(state: State, kind: str) -> dict[tuple[str, ...], Resource]:
    return {r.id.key: r for r in state.resources if r.id.kind == kind and not r.id.group}


def _labels(namespace: Resource) -> Mapping[str, str]:
    return mapping(namespace.body, "metadata", "labels")


def _pointer(mode: str) -> str:
    return f"/metadata/labels/{PREFIX.replace('/', '~1')}{mode}"


def _unknown(namespace: Resource, said: Labels, mode: str) -> Change:
    atom = f"{mode}: Kubernetes does not know {said}"
    return _change(Verdict.INCOMPARABLE, atom, namespace, _pointer(mode))


def _change(
    verdict: Verdict, atom: str, resource: Resource, pointer: str, detail: str = ""
) -> Change:
    return Change(
        dimension=Dimension.POD_SECURITY,
        verdict=verdict,
        atom=atom,
        subject=resource.id,
        origin=resource.origin,
        pointer=pointer,
        detail=detail,
    )
