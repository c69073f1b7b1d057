"""What keeps objects out of a cluster, in a form in which two of a kind can be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.posture.admission.expressions import canonical, conjuncts
from groundplan.posture.admission.matching import Scope
from groundplan.posture.model import Verdict
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.resources import Resource

Words = dict[str, str]
"""Something in words, with the JSON pointer of it."""


class Strength(IntEnum):
    """What happens to an object that breaks a rule."""

    NOTHING = 0
    REPORTS = 1
    REFUSES = 2

    @classmethod
    def of(cls, actions: list[Any]) -> Strength:
        """Read `validationActions`."""
        if "Deny" in actions:
            return cls.REFUSES
        return cls.REPORTS if actions else cls.NOTHING


class Weaker(NamedTuple):
    """One way in which a guard lets more through."""

    verdict: Verdict
    atom: str
    origin: Resource
    pointer: str


@dataclass(frozen=True, slots=True)
class Guard:
    """One policy, one binding of a policy, or one webhook."""

    resource: Resource
    strength: Strength
    scope: Scope
    at: str = "/spec"
    """JSON pointer to what is described here."""
    scoped: str = "/spec/matchConstraints"
    acts: str = "/spec/validationActions"
    loose: Words = field(default_factory=dict)
    """One more lets more through."""
    asks: Words = field(default_factory=dict)
    """One less lets more through."""
    conditions: Words = field(default_factory=dict)
    """All must hold before anything is asked: one more lets more through."""
    opaque: Words = field(default_factory=dict)
    """Named parts, as canonical text: any difference is incomparable."""
    bindings: tuple[Guard, ...] = ()
    """What makes a policy apply, where that is a matter of other objects."""

    def weaker(self, old: Guard) -> Iterator[Weaker]:
        """Find how this guard lets more through than the old one did."""
        for verdict, atom, pointer in self._weaker(old):
            yield Weaker(verdict, atom, self.resource, pointer)
        for binding in old.bindings:
            yield from self._unbound(binding)

    def _weaker(self, old: Guard) -> Iterator[tuple[Verdict, str, str]]:
        if self.strength < old.strength:
            atom = "only reports what it refused" if self.strength else "refuses nothing any more"
            yield Verdict.WIDENED, atom, self.acts
        for atom, pointer in old.scope.missed(self.scope):
            yield Verdict.WIDENED, atom, f"{self.scoped}{pointer}"
        for atom, pointer in self.loose.items():
            if atom not in old.loose:
                yield Verdict.WIDENED, atom, pointer
        yield from self._asked(old)
        for name in sorted({*self.opaque} & {*old.opaque}):
            if self.opaque[name] != old.opaque[name]:
                yield Verdict.INCOMPARABLE, f"{name} changed", self.at

    def _asked(self, old: Guard) -> Iterator[tuple[Verdict, str, str]]:
        """Compare what is asked, and before it whether to ask at all."""
        gone, fresh = _apart(old.asks, self.asks)
        for asked in sorted(gone):
            if fresh:
                atom = f"asks something else instead of: {asked}"
                yield Verdict.INCOMPARABLE, atom, next(iter(fresh.values()))
            else:
                yield Verdict.WIDENED, f"no longer asks: {asked}", self.at
        dropped, added = _apart(old.conditions, self.conditions)
        for condition, pointer in sorted(added.items()):
            verdict = Verdict.INCOMPARABLE if dropped else Verdict.WIDENED
            yield verdict, f"asks only where: {condition}", pointer

    def _unbound(self, old: Guard) -> Iterator[Weaker]:
        """Find what a binding did and no binding does any more."""
        ways = [tuple(new.weaker(old)) for new in self.bindings]
        if not ways:
            yield Weaker(Verdict.WIDENED, "is bound nowhere any more", self.resource, "")
        elif all(ways):
            same = [
                way
                for new, way in zip(self.bindings, ways, strict=True)
                if new.resource.id.key == old.resource.id.key
            ]
            yield from min(same or ways, key=len)


def _apart(old: Words, new: Words) -> tuple[Words, Words]:
    """What only one of two has."""
    gone = {word: at for word, at in old.items() if word not in new}
    return gone, {word: at for word, at in new.items() if word not in old}


_OPEN = "lets everything through when it cannot be evaluated"


def loosened(body: Mapping[str, Any], at: str) -> Words:
    """Read `failurePolicy`, which fails closed unless it says otherwise."""
    return {_OPEN: f"{at}/failurePolicy"} if body.get("failurePolicy") == "Ignore" else {}


def conditions(body: Mapping[str, Any], at: str) -> Words:
    """Read `matchConditions`; their names mean nothing."""
    return {
        part: f"{at}/matchConditions/{index}"
        for index, condition in enumerate(map(mapping, items(body, "matchConditions")))
        for part in conjuncts(str(condition.get("expression", "")))
    }


def text(body: Any) -> str:
    """Write a part of an object in one way."""
    return json.dumps(body, sort_keys=True)


def admission_policy(policy: Resource, bindings: tuple[Guard, ...]) -> Guard:
    """Read a ValidatingAdmissionPolicy or MutatingAdmissionPolicy."""
    spec = mapping(policy.body, "spec")
    return Guard(
        policy,
        Strength.NOTHING,
        Scope.of(mapping(spec, "matchConstraints")),
        loose=loosened(spec, "/spec"),
        asks=_asks(spec),
        conditions=conditions(spec, "/spec"),
        opaque={**_variables(spec), "what it is given as parameters": text(spec.get("paramKind"))},
        bindings=bindings,
    )


def binding(written: Resource) -> Guard:
    """Read a binding. One of a MutatingAdmissionPolicy always acts."""
    spec = mapping(written.body, "spec")
    mutates = written.id.kind.startswith("Mutating")
    reference = mapping(spec, "paramRef")
    loose = {}
    if reference.get("parameterNotFoundAction") == "Allow":
        loose["lets everything through without its parameters"] = "/spec/paramRef"
    given = {key: reference[key] for key in reference if key != "parameterNotFoundAction"}
    return Guard(
        written,
        Strength.REFUSES if mutates else Strength.of(items(spec, "validationActions")),
        Scope.of(mapping(spec, "matchResources")),
        scoped="/spec/matchResources",
        loose=loose,
        opaque={"where its parameters come from": text(given)},
    )


def kyverno_policy(policy: Resource) -> Guard:
    """Read a policy of `policies.kyverno.io`, which is its own binding."""
    spec = mapping(policy.body, "spec")
    loose = loosened(spec, "/spec")
    for part, settings in mapping(spec, "evaluation").items():
        if mapping(settings).get("enabled") is False:
            loose[f"is not evaluated in {part}"] = f"/spec/evaluation/{part}"
    actions = items(spec, "validationActions") or ["Deny"]
    known = {"validations", "variables", "matchConditions", "matchConstraints", "evaluation"}
    known |= {"failurePolicy", "validationActions", "auditAnnotations"}
    return Guard(
        policy,
        Strength.of(actions),
        Scope.of(mapping(spec, "matchConstraints")),
        loose=loose,
        asks=_asks(spec),
        conditions=conditions(spec, "/spec"),
        opaque={
            **_variables(spec),
            "the rest of it": text({k: v for k, v in spec.items() if k not in known}),
        },
    )


def webhook(configuration: Resource, index: int) -> Guard:
    """Read one webhook of a configuration."""
    body, at = mapping(items(configuration.body, "webhooks")[index]), f"/webhooks/{index}"
    client = mapping(body, "clientConfig")
    whom = {key: client[key] for key in ("service", "url") if key in client}
    return Guard(
        configuration,
        Strength.REFUSES,
        Scope.of(body, "rules"),
        at=at,
        scoped=at,
        loose=loosened(body, at),
        conditions=conditions(body, at),
        opaque={"who is asked": text(whom)},
    )


def _asks(spec: Mapping[str, Any]) -> Words:
    """What a policy asks, or what it sets."""
    found = {
        part: f"/spec/validations/{index}"
        for index, validation in enumerate(map(mapping, items(spec, "validations")))
        for part in conjuncts(str(validation.get("expression", "")))
    }
    for index, mutation in enumerate(map(mapping, items(spec, "mutations"))):
        kinds = ("applyConfiguration", "jsonPatch")
        words = [canonical(str(mapping(mutation, kind).get("expression", ""))) for kind in kinds]
        found[f"set {' '.join(filter(None, words))}"] = f"/spec/mutations/{index}"
    return found


def _variables(spec: Mapping[str, Any]) -> Words:
    return {
        f"variable {variable.get('name')}": canonical(str(variable.get("expression", "")))
        for variable in map(mapping, items(spec, "variables"))
    }
