"""Level 1: what somebody may do after becoming everybody whom they can become.

Somebody's own permissions need not change for it: who may create pods in a namespace gains what a
new service account there is granted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.rbac.access import ACCOUNTS, MASTERS, Access, Principal
from groundplan.posture.rbac.rules import ALL, EVERYWHERE, Atom, Permissions, folded
from groundplan.posture.rbac.ways import WAYS, Whom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundplan.posture.rbac.ways import Need, Way

_SENTENCES = 4
"""How many sentences are written out; of the others the number and a checksum are given."""
_ALL = "everything"


class Step(NamedTuple):
    """One way that somebody has, and where."""

    way: Way
    scope: str
    names: frozenset[str | None]
    """Of what the last thing needed is held; None for every name."""


@dataclass(frozen=True, slots=True)
class Closure:
    """All that somebody can come to."""

    become: dict[Principal, Way]
    """Whom, themselves left out, and by which way."""
    powers: frozenset[tuple[str, str]]
    """What they control, and where."""
    bindable: frozenset[tuple[str, Atom]]
    """What roles allow that they may bind."""
    permissions: Permissions

    def covers(self, scope: str, atom: Atom) -> bool:
        """Whether it may be done in the end."""
        everything = {(_ALL, scope), (_ALL, EVERYWHERE)}
        return bool(everything & self.powers) or self.permissions.covers(scope, atom)


class Closures:
    """What principals of one side can come to."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._known: dict[Principal, Closure] = {}
        self._steps: dict[tuple[Principal, frozenset[tuple[str, Atom]]], tuple[Step, ...]] = {}

    def of(self, principal: Principal) -> Closure:
        """Follow every way, and every way of whomever that leads to."""
        if principal not in self._known:
            self._known[principal] = self._follow(principal)
        return self._known[principal]

    def _follow(self, principal: Principal) -> Closure:
        """Take every step until none gives anything new.

        Whoever may bind a role binds it to whomever they like, so what that gives, all have.
        """
        become: dict[Principal, Way] = {}
        powers: set[tuple[str, str]] = set()
        more: set[tuple[str, Atom]] = set()
        known = -1
        while known < (known := len(become) + len(powers) + len(more)):
            for step in self._open((principal, *become), frozenset(more)):
                powers |= set(self._powers(step))
                more |= set(self._roles(step))
                for other in self._others(step):
                    if other != principal:
                        become.setdefault(other, step.way)
        everyone = (principal, *become)
        held = {what for one in everyone for what in self._access.held(one)}
        bindable = frozenset(what for what in more if what[1] not in ALL)
        return Closure(become, frozenset(powers), bindable, Permissions(held | more))

    def _open(
        self, everyone: tuple[Principal, ...], more: frozenset[tuple[str, Atom]]
    ) -> Iterator[Step]:
        """Walk the ways that are open to some who act as one and hold more besides."""
        for one in everyone:
            yield from self._ways(one, more)
        # Of two requests each may be made in another name.
        if len(everyone) > 1:
            held = {what for one in everyone for what in self._access.held(one)}
            yield from _steps(held | more, _TOGETHER)

    def _ways(self, principal: Principal, more: frozenset[tuple[str, Atom]]) -> tuple[Step, ...]:
        key = principal, more
        if key not in self._steps:
            self._steps[key] = tuple(_steps({*self._access.held(principal), *more}, WAYS))
        return self._steps[key]

    def _powers(self, step: Step) -> Iterator[tuple[str, str]]:
        if step.way.power:
            yield step.way.power, step.scope
        if step.way.whom is Whom.EVERYTHING or self._is_root(step):
            yield _ALL, step.scope

    @staticmethod
    def _is_root(step: Step) -> bool:
        """Whether somebody may become anybody, or bind any role."""
        if step.way.whom is Whom.PEOPLE:
            return bool({None, MASTERS} & step.names)
        return step.way.whom is Whom.ROLES and None in step.names

    def _roles(self, step: Step) -> Iterator[tuple[str, Atom]]:
        """What roles allow that somebody may bind, and all of it for whoever may do everything."""
        if step.way.whom is Whom.EVERYTHING or self._is_root(step):
            yield step.scope, ALL[0]
        if step.way.whom is Whom.ROLES:
            for name in step.names - {None}:
                for held in self._access.role(str(name), step.scope):
                    yield step.scope, held.atom

    def _others(self, step: Step) -> Iterator[Principal]:
        """Whom a step leads to."""
        accounts = [p for p in self._access.accounts if step.scope in {EVERYWHERE, p.namespace}]
        match step.way.whom:
            case Whom.ACCOUNTS:
                yield from (*accounts, *self._any(step.scope))
            case Whom.RUNNING:
                yield from (p for p in accounts if self._access.users(p))
            case Whom.NAMED:
                yield from (p for p in accounts if {None, p.name} & step.names)
                if None in step.names or "default" in step.names:
                    yield from self._any(step.scope)
            case Whom.PEOPLE:
                people = (p for p in self._access.direct if p.kind != "ServiceAccount")
                yield from (p for p in people if p.name in step.names)

    def _any(self, scope: str) -> Iterator[Principal]:
        """Walk what every account there is in; each namespace has one, that is to come too."""
        for principal in self._access.direct:
            if principal.kind == "Group" and principal.name.startswith(ACCOUNTS):
                _, _, namespace = principal.name.removeprefix("system:").partition(":")
                if EVERYWHERE in {scope, namespace} or scope == namespace:
                    yield principal


_TOGETHER = tuple(way for way in WAYS if len(way.needs) > 1 and not way.alone)


@cache
def _met(atom: Atom) -> tuple[Need, ...]:
    """What an atom allows of all that ways need: nothing, for most of them."""
    return tuple({need: None for way in WAYS for need in way.needs if need.met(atom)})


def _steps(held: Iterable[tuple[str, Atom]], ways: Iterable[Way]) -> Iterator[Step]:
    """Find the ways that permissions open."""
    known: dict[Need, list[tuple[str, Atom]]] = {}
    for scope, atom in held:
        for need in _met(atom):
            known.setdefault(need, []).append((scope, atom))
    for way in ways:
        met = [known.get(need, []) for need in way.needs]
        if not all(met):
            continue
        scopes = {scope for found in met for scope, _ in found}
        for scope in scopes:
            here = [[a for s, a in found if s in {scope, EVERYWHERE}] for found in met]
            if all(here) and (scope == EVERYWHERE or not way.cluster):
                yield Step(way, scope, frozenset(atom.name for atom in here[0]))


class Gain(NamedTuple):
    """What somebody can come to and could not before."""

    words: str
    way: str = ""
    """The id of the way, where it leads to somebody."""
    whom: Principal | None = None
    first: tuple[str, Atom] | None = None
    """One of the things that they can do then."""


def gained(
    principal: Principal, old: Iterable[Closure], new: Closure, access: Access
) -> Iterator[Gain]:
    """Find what somebody can come to and could not before."""
    known = tuple(old)
    held = access.held(principal)
    for power, scope in sorted(new.powers):
        wider = {(power, EVERYWHERE), (_ALL, scope), (_ALL, EVERYWHERE)} - {(power, scope)}
        # Whoever may do everything by a rule is told so at level 0.
        if wider & new.powers or held.covers(scope, ALL[0]):
            continue
        if not all(({(power, scope)} | wider) & closure.powers for closure in known):
            yield Gain(f"may now control {power} {_where(scope)}")
    if (_ALL, EVERYWHERE) in new.powers:
        return
    ways: list[tuple[Gain, Iterable[tuple[str, Atom]]]] = [
        (Gain("can bind roles", "E5"), new.bindable)
    ]
    ways += [
        (Gain(f"can become {other.id}", by.id, other), _own(other, new, access))
        for other, by in sorted(new.become.items(), key=lambda item: item[0])
    ]
    for gain, there in ways:
        more = [
            what
            for what in there
            if not what[1].unknown
            and not held.covers(*what)
            and not all(closure.covers(*what) for closure in known)
        ]
        if more:
            words = f"{gain.words}, and so may now {_joined(more)}"
            yield gain._replace(words=words, first=min(more, key=str))


def _own(other: Principal, new: Closure, access: Access) -> Iterator[tuple[str, Atom]]:
    """What somebody else may do, without what is said of the groups that they are in."""
    said = [access.held(group) for group in other.groups if group in new.become]
    return (what for what in access.held(other) if not any(one.covers(*what) for one in said))


def _where(scope: str) -> str:
    return "everywhere" if scope == EVERYWHERE else f"of namespace {scope}"


def _joined(more: Iterable[tuple[str, Atom]]) -> str:
    """Write sentences in one; too many of them are told apart by a checksum."""
    sentences = [words for words, _ in folded(more)]
    if len(sentences) <= _SENTENCES:
        return "; ".join(sentences)
    rest = sentences[_SENTENCES:]
    checksum = hashlib.sha256("\0".join(rest).encode()).hexdigest()[:8]
    return f"{'; '.join(sentences[:_SENTENCES])}; and {len(rest)} more ({checksum})"
