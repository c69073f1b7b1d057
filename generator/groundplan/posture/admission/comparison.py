"""What passes on one side only: policies, bindings, webhooks, exceptions, namespaces left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from groundplan.posture.admission import engines, guards
from groundplan.posture.admission.guards import Guard, Strength, Weaker
from groundplan.posture.catalogue import PILED
from groundplan.posture.exceptions.suppressions import ENGINE, of_object
from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import selects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.graph import Key
    from groundplan.resources import Resource, ResourceId

NATIVE = "admissionregistration.k8s.io"
_MUTATES = ("MutatingAdmissionPolicy", "MutatingWebhookConfiguration")
_IGNORED = "admission.gatekeeper.sh/ignore"


class Name(NamedTuple):
    """Which guard: an object, or one part of an object."""

    key: Key
    part: str = ""

    @property
    def prefix(self) -> str:
        """How a sentence about the part begins."""
        return f"{self.part}: " if self.part else ""


def compare(base: State, head: State) -> tuple[Change, ...]:
    """Find what passes admission on one side only."""
    before, after = _guards(base), _guards(head)
    return (
        *_kept(before, after),
        *_gone(before, after, Verdict.WIDENED),
        *_gone(after, before, Verdict.NARROWED),
        *_new_mutations(before, after),
        *_exceptions(base, head),
        *_namespaces(base, head, before, after),
        *_parameters(base, head, after),
        *_suppressions(base, head),
    )


def _guards(state: State) -> dict[Name, Guard]:
    """Read everything that keeps objects out."""
    found: dict[Name, Guard] = {}
    bindings: dict[tuple[str, str], list[Guard]] = {}
    for resource in state.resources:
        if resource.id.group == NATIVE and resource.id.kind.endswith("PolicyBinding"):
            policy = str(mapping(resource.body, "spec").get("policyName", ""))
            kind = resource.id.kind.removesuffix("Binding")
            bindings.setdefault((kind, policy), []).append(guards.binding(resource))
    for resource in state.resources:
        for part, guard in _read(resource, bindings):
            found[Name(resource.id.key, part)] = guard
    for (kind, policy), bound in bindings.items():
        if (NATIVE, kind, "", policy) not in {name.key for name in found}:
            # Something else brings the policy; what it asks is not known, that it applies is.
            found |= {Name(one.resource.id.key): one for one in bound}
    return found


def _read(
    resource: Resource, bindings: Mapping[tuple[str, str], list[Guard]]
) -> Iterator[tuple[str, Guard]]:
    """Read the guards of one object."""
    group, kind = resource.id.group, resource.id.kind
    if group == NATIVE and kind.endswith("AdmissionPolicy"):
        bound = tuple(bindings.get((kind, resource.id.name), ()))
        yield "", guards.admission_policy(resource, bound)
    elif group == NATIVE and kind.endswith("WebhookConfiguration"):
        for index, webhook in enumerate(items(resource.body, "webhooks")):
            yield f"webhook {mapping(webhook).get('name')}", guards.webhook(resource, index)
    elif group == "policies.kyverno.io" and kind.endswith("Policy"):
        yield "", guards.kyverno_policy(resource)
    elif group == "kyverno.io" and kind in {"ClusterPolicy", "Policy"}:
        for name, guard in engines.cluster_policy(resource):
            yield f"rule {name}", guard
    elif group == "constraints.gatekeeper.sh":
        yield "", engines.constraint(resource)
    elif group == "templates.gatekeeper.sh":
        yield "", engines.constraint_template(resource)
    elif group == "config.gatekeeper.sh":
        yield "", engines.gatekeeper_config(resource)


def _kept(before: Mapping[Name, Guard], after: Mapping[Name, Guard]) -> Iterator[Change]:
    """Compare the guards that both sides have."""
    for name in sorted({*before} & {*after}):
        old, new = before[name], after[name]
        subject = new.resource.id
        for weaker in new.weaker(old):
            yield _change(subject, weaker, name.prefix)
        for weaker in old.weaker(new):
            if weaker.verdict is Verdict.WIDENED:
                yield _undone(subject, weaker, new, name.prefix)


def _undone(subject: ResourceId, weaker: Weaker, new: Guard, prefix: str) -> Change:
    """Say what lets less through than before, where it is in HEAD."""
    atom = f"undone: {weaker.atom}"
    return _change(subject, Weaker(Verdict.NARROWED, atom, new.resource, ""), prefix)


def _gone(
    before: Mapping[Name, Guard], after: Mapping[Name, Guard], verdict: Verdict
) -> Iterator[Change]:
    """Find guards that one side has and that nothing on the other side stands for."""
    fresh = [guard for name, guard in after.items() if name not in before]
    for name in sorted({*before} - {*after}):
        old = before[name]
        kind = old.resource.id.kind
        like = [guard for guard in fresh if guard.resource.id.kind == kind]
        if any(not tuple(new.weaker(old)) for new in like):
            continue
        refused = _strength(old) is Strength.REFUSES
        atom = f"is gone: what it {'refused passes' if refused else 'reported is not seen'}"
        if verdict is Verdict.NARROWED:
            atom = f"is new: it {'refuses' if refused else 'reports'} more"
        weaker = Weaker(verdict, atom, old.resource, old.at)
        gone = verdict is Verdict.WIDENED
        yield _change(old.resource.id, weaker, name.prefix, gone=gone)


def _strength(guard: Guard) -> Strength:
    return max((guard.strength, *(binding.strength for binding in guard.bindings)))


def _new_mutations(before: Mapping[Name, Guard], after: Mapping[Name, Guard]) -> Iterator[Change]:
    """Find what may change objects and did not before: nobody can say into what."""
    for name in sorted({*after} - {*before}):
        new = after[name]
        if new.resource.id.kind in _MUTATES:
            atom = "changes objects before they are judged"
            weaker = Weaker(Verdict.INCOMPARABLE, atom, new.resource, new.at)
            yield _change(new.resource.id, weaker, name.prefix)


def _exceptions(base: State, head: State) -> Iterator[Change]:
    """Compare the exceptions of Kyverno: a new one lets through all that it names."""
    before, after = (_exceptions_of(state) for state in (base, head))
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if new is None and old is not None:
            for atom in old.loose:
                weaker = Weaker(Verdict.NARROWED, f"undone: {atom}", old.resource, "")
                yield _change(old.resource.id, weaker, gone=True)
        elif new is not None:
            yield from _exception(new, old)


def _exceptions_of(state: State) -> dict[Key, Guard]:
    return {
        r.id.key: engines.exception(r)
        for r in state.resources
        if r.id.kind == "PolicyException" and r.id.group.endswith("kyverno.io")
    }


def _exception(new: Guard, old: Guard | None) -> Iterator[Change]:
    subject = new.resource.id
    known = old or Guard(new.resource, new.strength, new.scope)
    for weaker in new.weaker(known):
        yield _change(subject, weaker, detail="" if old else "new")
    if old is None:
        return
    for weaker in old.weaker(new):
        if weaker.verdict is Verdict.WIDENED:
            yield _undone(subject, weaker, new, "")
    ends, ended = engines.expiry(new.resource), engines.expiry(old.resource)
    if ends != ended:
        # RFC 3339 in one zone sorts as time does, and `never` after every date.
        verdict = Verdict.WIDENED if ends > ended else Verdict.NARROWED
        weaker = Weaker(verdict, f"ends {ends} instead of {ended}", new.resource, "/spec/expiresAt")
        yield _change(subject, weaker)


def _namespaces(
    base: State, head: State, before: Mapping[Name, Guard], after: Mapping[Name, Guard]
) -> Iterator[Change]:
    """Find namespaces whose new labels keep a guard away that is there on both sides."""
    old_ones, new_ones = _of_namespaces(base), _of_namespaces(head)
    for name in sorted({*old_ones} & {*new_ones}):
        written = new_ones[name]
        old, new = _labels(old_ones[name]), _labels(written)
        if new.get(_IGNORED) is not None and old.get(_IGNORED) is None:
            weaker = Weaker(
                Verdict.WIDENED, "is ignored by Gatekeeper", written, "/metadata/labels"
            )
            yield _change(written.id, weaker)
        if old == new:
            continue
        for guard_name in sorted({*before} & {*after}):
            guard = before[guard_name]
            scopes = [guard.scope, *(binding.scope for binding in guard.bindings)]
            was, is_now = (
                all(selects(scope.namespaces, labels) for scope in scopes) for labels in (old, new)
            )
            if was and not is_now:
                atom = f"{guard.resource.id} no longer looks at it"
                yield _change(
                    written.id, Weaker(Verdict.WIDENED, atom, written, "/metadata/labels")
                )


def _of_namespaces(state: State) -> dict[str, Resource]:
    return {r.id.name: r for r in state.resources if (r.id.group, r.id.kind) == ("", "Namespace")}


def _labels(namespace: Resource) -> dict[str, str]:
    """The labels of a namespace, with the one that Kubernetes adds."""
    name = {"kubernetes.io/metadata.name": namespace.id.name}
    return {**mapping(namespace.body, "metadata", "labels"), **name}


def _parameters(base: State, head: State, after: Mapping[Name, Guard]) -> Iterator[Change]:
    """Find changed objects that policies take parameters from."""
    old_ones, new_ones = (
        {(r.id.group, r.id.kind, r.id.name): r for r in state.resources} for state in (base, head)
    )
    for name in sorted(after):
        policy = after[name].resource
        asked = mapping(policy.body, "spec", "paramKind")
        for binding in after[name].bindings:
            reference = mapping(binding.resource.body, "spec", "paramRef")
            group = str(asked.get("apiVersion", "")).rpartition("/")[0]
            key = (group, str(asked.get("kind", "")), str(reference.get("name", "")))
            old, new = old_ones.get(key), new_ones.get(key)
            if asked and _content(old) != _content(new):
                place = new or binding.resource
                atom = f"its parameters in {key[1]} {key[2]} changed"
                yield _change(policy.id, Weaker(Verdict.INCOMPARABLE, atom, place, ""))


def _content(resource: Resource | None) -> str:
    body = resource.body if resource else {}
    return guards.text({key: body[key] for key in body if key != "metadata"})


def _suppressions(base: State, head: State) -> Iterator[Change]:
    """Find objects that scanners are told to pass over."""
    before, after = _passed_over(base), _passed_over(head)
    for found, other, verdict, words in (
        (after, before, Verdict.WIDENED, "is passed over by"),
        (before, after, Verdict.NARROWED, "is no longer passed over by"),
    ):
        for key, what in sorted({*found} - {*other}):
            resource, pointer = found[key, what]
            weaker = Weaker(verdict, f"{words} {what}", resource, pointer)
            gone = verdict is Verdict.NARROWED
            yield replace(_change(resource.id, weaker, gone=gone), policy=PILED)


def _passed_over(state: State) -> dict[tuple[Key, str], tuple[Resource, str]]:
    """What each object asks scanners not to look at, with its place."""
    return {
        (resource.id.key, what): (resource, pointer)
        for resource in state.resources
        for what, pointer in of_object(resource)
        # The engine's own words are compared with its other guards.
        if what != ENGINE
    }


def _change(
    subject: ResourceId, weaker: Weaker, prefix: str = "", detail: str = "", *, gone: bool = False
) -> Change:
    named = "" if weaker.origin.id == subject else str(weaker.origin.id)
    return Change(
        dimension=Dimension.ADMISSION,
        verdict=weaker.verdict,
        atom=f"{prefix}{weaker.atom}",
        subject=subject,
        origin=weaker.origin.origin,
        pointer=weaker.pointer,
        gone=gone,
        detail=detail or named,
    )
