"""Who may do what on one side only, said of whoever got it and of what gave it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.catalogue import ESCALATION
from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.pod_security_checks import mapping
from groundplan.posture.rbac.access import Access, Grant, Principal, role_key
from groundplan.posture.rbac.escalation import Closures, Gain, gained
from groundplan.posture.rbac.roles import GROUP
from groundplan.posture.rbac.rules import OTHERS, folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.graph import Key
    from groundplan.posture.rbac.rules import Atom
    from groundplan.posture.workloads import Running
    from groundplan.resources import Origin, Resource, ResourceId

Grants = dict[Principal, list[Grant]]


class Place(NamedTuple):
    """What to look at."""

    origin: Origin
    pointer: str
    gone: bool = False


class Side(NamedTuple):
    """One of the two states, and who may do what in it."""

    access: Access
    objects: Mapping[Key, Resource]

    @classmethod
    def of(cls, state: State) -> Side:
        """Read a state."""
        return cls(Access(state), {r.id.key: r for r in state.resources})


def compare(base: State, head: State) -> tuple[Change, ...]:
    """Find what principals and workloads may do on one side only."""
    before, after = Side.of(base), Side.of(head)
    won, lost = _more(before, after), _more(after, before)
    return (
        *_ambiguous(base, head),
        *_principals(won, before, after, Verdict.WIDENED),
        *_workloads(won, before, after, Verdict.WIDENED),
        *_principals(lost, after, before, Verdict.NARROWED),
        *_workloads(lost, after, before, Verdict.NARROWED),
        *_refused(before, after),
        *_closures(won, before, after),
    )


def _more(old: Side, new: Side) -> Grants:
    """What principals hold by their own names and did not hold in any way."""
    found: Grants = {}
    for principal, grants in sorted(new.access.direct.items()):
        known = old.access.held(principal)
        more = [grant for what, grant in grants.items() if not known.covers(*what)]
        # An account that is new took over from another one when its workloads could do it before.
        if principal.kind == "ServiceAccount" and principal not in old.access.accounts:
            more = [grant for grant in more if not _inherited(principal, grant, old, new)]
        if more:
            found[principal] = _without_guesses(more)
    return found


def _inherited(principal: Principal, grant: Grant, old: Side, new: Side) -> bool:
    """Whether all workloads that run as a new account could do something before."""
    users = new.access.users(principal)
    runs = [old.access.running.get(run.key) for run in users]
    return bool(runs) and all(old.access.power(run).covers(*grant.what) for run in runs)


def _without_guesses(more: list[Grant]) -> list[Grant]:
    """Leave out what an aggregated role may hold besides, when what it surely holds is said."""
    sure = {role_key(grant.binding) for grant in more if not grant.atom.unknown}
    return [
        grant
        for grant in more
        if not (grant.atom.unknown.startswith(OTHERS) and role_key(grant.binding) in sure)
    ]


def _principals(gained: Grants, old: Side, new: Side, verdict: Verdict) -> Iterator[Change]:
    """Say what principals got; with the sides swapped, what they lost."""
    for principal, grants in gained.items():
        by_what = {grant.what: grant for grant in grants}
        for words, whats in folded(by_what):
            causes = [by_what[what] for what in sorted(whats, key=str)]
            yield _change(
                _verdict(causes[0].atom, verdict),
                _atom(words, verdict),
                principal.id,
                _cause(principal, causes[0], old, verdict),
                _through(causes, principal, new),
            )


def _workloads(gained: Grants, old: Side, new: Side, verdict: Verdict) -> Iterator[Change]:
    """Say what workloads got because they hold another token than before."""
    for key, run in sorted(new.access.running.items()):
        former = old.access.running.get(key)
        if former is None and verdict is Verdict.NARROWED:
            continue
        power = old.access.power(former)
        for token in sorted(run.tokens - (former.tokens if former else frozenset())):
            principal = Principal("ServiceAccount", *token)
            said = {grant.what for grant in gained.get(principal, ())}
            held = new.access.held(principal) if former else new.access.direct.get(principal, ())
            more = [what for what in held if what not in said and not power.covers(*what)]
            if not all(atom.unknown for _, atom in more):
                more = [what for what in more if not what[1].unknown.startswith(OTHERS)]
            yield from _of_workload(run, former, principal, more, verdict)


def _of_workload(
    run: Running,
    former: Running | None,
    principal: Principal,
    more: Iterable[tuple[str, Atom]],
    verdict: Verdict,
) -> Iterator[Change]:
    place = run if verdict is Verdict.WIDENED or former is None else former
    note = "" if former else "new; "
    for words, whats in folded(more):
        yield _change(
            _verdict(whats[0][1], verdict),
            _atom(words, verdict),
            run.workload.id,
            Place(place.workload.origin, place.pointer),
            f"{note}with the token of {principal.id}",
        )


def _verdict(atom: Atom, verdict: Verdict) -> Verdict:
    """To lose something unknown is to lose something; to get it may be to get nothing new."""
    return Verdict.INCOMPARABLE if atom.unknown and verdict is Verdict.WIDENED else verdict


def _atom(words: str, verdict: Verdict) -> str:
    return f"may now {words}" if verdict is Verdict.WIDENED else f"may no longer {words}"


def _cause(principal: Principal, grant: Grant, old: Side, verdict: Verdict) -> Place:
    """Find what to look at: a binding that one side lacks, else the rule."""
    binding, role = grant.binding, grant.held.role
    linked = (principal, grant.scope, role_key(binding)) in old.access.links
    if not linked or role is None or not role.origin.path:
        return _place(binding, grant.pointer, old, verdict)
    former = old.objects.get(role.id.key)
    same = former is not None and former.body.get("rules") == role.body.get("rules")
    # The rules are as they were: a label made another role take them up.
    pointer = "/metadata/labels" if same else grant.held.pointer
    return _place(role, pointer, old, verdict)


def _place(resource: Resource, pointer: str, head: Side, verdict: Verdict) -> Place:
    """Where something is, or is missing, in HEAD when the object is there."""
    if verdict is Verdict.WIDENED:
        return Place(resource.origin, pointer)
    if resource.id.key not in head.objects:
        return Place(resource.origin, pointer, gone=True)
    return Place(head.objects[resource.id.key].origin, "")


def _through(causes: Iterable[Grant], principal: Principal, side: Side) -> str:
    """Name the bindings and roles that give it, and the workloads that have it."""
    ways = dict.fromkeys(
        f"{grant.binding.id} and {_role(role_key(grant.binding), grant.held.role)}"
        for grant in causes
    )
    text = f"through {', '.join(sorted(ways))}"
    if principal.kind != "ServiceAccount":
        return text
    users = sorted(str(run.workload.id) for run in side.access.users(principal))
    return f"{text}; for {', '.join(users)}" if users else f"{text}; no workload holds its token"


def _role(key: Key, written: Resource | None) -> str:
    _, kind, namespace, name = key
    text = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    return text if written is None or written.id.name == name else f"{text}, from {written.id}"


def _closures(won: Grants, before: Side, after: Side) -> Iterator[Change]:
    """Compare what principals can come to by becoming others."""
    old, new = Closures(before.access), Closures(after.access)
    said: set[tuple[Principal, str]] = set()
    # Groups first: what one gained need not be said of each of its accounts.
    for principal in sorted(after.access.direct, key=lambda p: (p.kind != "Group", p)):
        former = [old.of(one) for one in _formerly(principal, before, after)]
        for gain in gained(principal, former, new.of(principal), after.access):
            said.add((principal, gain.words))
            if not any((group, gain.words) in said for group in principal.groups):
                place = _reason(principal, gain, won, before, after)
                detail = f"level 1 by {gain.way}" if gain.way else "level 1"
                found = _change(Verdict.WIDENED, gain.words, principal.id, place, detail)
                yield replace(found, policy=ESCALATION)


def _reason(principal: Principal, gain: Gain, won: Grants, before: Side, after: Side) -> Place:
    """Find what opened a way: a grant of their own, else a grant of whom they become."""
    direct = after.access.direct
    if principal not in won and gain.whom and gain.first:
        for other in (gain.whom, *gain.whom.groups):
            if gain.first in direct.get(other, ()):
                return _cause(other, direct[other][gain.first], before, Verdict.WIDENED)
    # Whoever gains through a group, such as everybody signed in, may have nothing of their own.
    holders = (principal, *principal.groups)
    grants = next(
        found
        for found in (
            *(won.get(holder) for holder in holders),
            *(list(direct.get(holder, {}).values()) for holder in holders),
        )
        if found
    )
    return _cause(principal, grants[0], before, Verdict.WIDENED)


def _formerly(principal: Principal, old: Side, new: Side) -> list[Principal]:
    """Whom a principal is compared with: a new account with those its workloads ran as."""
    if principal.kind != "ServiceAccount" or principal in old.access.accounts:
        return [principal]
    runs = [old.access.running.get(r.key) for r in new.access.users(principal)]
    if not all(run and run.tokens for run in runs):
        return [principal]
    tokens = (token for run in runs if run for token in run.tokens)
    return [Principal("ServiceAccount", *token) for token in tokens] or [principal]


def _refused(before: Side, after: Side) -> Iterator[Change]:
    """Find narrowed bindings that stay as they are, as the API server never changes a roleRef."""
    for key, binding in sorted(after.objects.items()):
        old = before.objects.get(key)
        if old is None or key[0] != GROUP or role_key(old) == role_key(binding):
            continue
        for principal, grants in before.access.direct.items():
            held = after.access.held(principal)
            of_binding = [grant for grant in grants.values() if grant.binding.id.key == key]
            if any(not held.covers(*grant.what) for grant in of_binding):
                atom = f"keeps {_role(role_key(old), None)} until the binding is deleted"
                place = Place(binding.origin, "/roleRef")
                yield _change(Verdict.INCOMPARABLE, atom, principal.id, place, str(binding.id))


def _ambiguous(base: State, head: State) -> Iterator[Change]:
    """Find RBAC objects that are written more than once: nobody knows which one is applied last."""
    before, after = _versions(base), _versions(head)
    for key, found in sorted(after.items()):
        if len(found) > 1 and set(found) != set(before.get(key, {})):
            resource = list(found.values())[-1]
            yield _change(
                Verdict.INCOMPARABLE,
                "is written more than once, and not the same each time",
                resource.id,
                Place(resource.origin, ""),
                "whichever is applied last counts",
            )


def _versions(state: State) -> dict[Key, dict[str, Resource]]:
    """The different contents of each RBAC object."""
    found: dict[Key, dict[str, Resource]] = {}
    for resource in state.resources:
        if resource.id.group == GROUP:
            fields = ("rules", "aggregationRule", "roleRef", "subjects")
            labels = mapping(resource.body, "metadata", "labels")
            decides = [labels, *(resource.body.get(field) for field in fields)]
            text = json.dumps(decides, sort_keys=True)
            found.setdefault(resource.id.key, {})[text] = resource
    return found


def _change(verdict: Verdict, atom: str, subject: ResourceId, place: Place, detail: str) -> Change:
    return Change(
        dimension=Dimension.RBAC,
        verdict=verdict,
        atom=atom,
        subject=subject,
        origin=place.origin,
        pointer=place.pointer,
        detail=detail,
        gone=place.gone,
    )
