"""What is published on one side only: doors to Services, and whose routes gateways take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.network.doors import GATEWAY_API, ROUTES, doors
from groundplan.posture.network.listeners import listeners, passages
from groundplan.posture.pod_security_checks import mapping
from groundplan.posture.selectors import box, within
from groundplan.resources import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.posture.network.doors import Door
    from groundplan.resources import Resource

_KINDS = {
    ("", "Service"),
    ("networking.k8s.io", "Ingress"),
    *((GATEWAY_API, kind) for kind in (*ROUTES, "Gateway", "ReferenceGrant")),
}


class _Side(NamedTuple):
    """What one side publishes."""

    doors: tuple[Door, ...]
    others: tuple[Any, ...]
    """Listeners and passages."""
    services: dict[tuple[str, str, str, str], Resource]


def published(base: State, head: State) -> Iterator[Change]:
    """Find what is published on one side only."""
    before, after = _read(base), _read(head)
    for verdict, old, new in (
        (Verdict.WIDENED, before, after),
        (Verdict.NARROWED, after, before),
    ):
        no = "" if verdict is Verdict.WIDENED else "no longer "
        for door in _only(new.doors, old.doors):
            atom = f"may {no}be reached {door.words}"
            yield _change(verdict, atom, door.to, door.resource, door.pointer)
        for other in _only(new.others, old.others):
            about = other.resource.id
            if about.kind != "Gateway":
                about = ResourceId("", "v1", "Namespace", "", about.namespace)
            yield _change(verdict, no + other.words, about, other.resource, other.pointer)
    yield from _refiltered(before, after)
    yield from _behind(before, after)


def _read(state: State) -> _Side:
    found = [r for r in state.resources if (r.id.group, r.id.kind) in _KINDS]
    return _Side(
        tuple(door for resource in found for door in doors(resource)),
        tuple(one for r in found for one in (*listeners(r), *passages(r))),
        {r.id.key: r for r in found if r.id.kind == "Service"},
    )


def _only(new: tuple[Any, ...], old: tuple[Any, ...]) -> Iterator[Any]:
    """Walk what nothing on the other side stands for."""
    near: dict[tuple[str, ...], list[Any]] = {}
    for one in old:
        near.setdefault(_about(one), []).append(one)
    for one in new:
        if not any(one.within(other) for other in near.get(_about(one), ())):
            yield one


def _about(one: Any) -> tuple[str, ...]:
    """By what equal things can be found fast."""
    identity: ResourceId = one.to if hasattr(one, "way") else one.resource.id
    return identity.key[:3]


def _refiltered(before: _Side, after: _Side) -> Iterator[Change]:
    """Find doors that do something else to what comes through."""
    known = {(d.to.key, d.way, d.port, d.host, d.path, d.conditions): d for d in before.doors}
    for door in after.doors:
        old = known.get((door.to.key, door.way, door.port, door.host, door.path, door.conditions))
        if old is not None and old.filters != door.filters:
            atom = f"what is done to requests {door.words} changed"
            yield _change(Verdict.INCOMPARABLE, atom, door.to, door.resource, door.pointer)


def _behind(before: _Side, after: _Side) -> Iterator[Change]:
    """Find Services with a door that lead to other pods than before."""
    open_ = {door.to.key for door in after.doors} & {door.to.key for door in before.doors}
    for key in sorted(open_ & after.services.keys() & before.services.keys()):
        old, new = (mapping(side.services[key].body, "spec") for side in (before, after))
        inner, outer = (
            box({"matchLabels": mapping(spec, "selector")}) if mapping(spec, "selector") else None
            for spec in (new, old)
        )
        service = after.services[key]
        if inner is not None and outer is not None and not within(inner, outer):
            said = ", ".join(f"{k}={v}" for k, v in sorted(mapping(new, "selector").items()))
            atom = f"leads from outside to pods {said}"
            yield _change(Verdict.WIDENED, atom, service.id, service, "/spec/selector")
        seen = [spec.get("externalTrafficPolicy", "Cluster") for spec in (old, new)]
        if seen == ["Local", "Cluster"]:
            atom = "hides where requests come from, so policies no longer know their addresses"
            yield _change(Verdict.WIDENED, atom, service.id, service, "/spec/externalTrafficPolicy")


def _change(
    verdict: Verdict, atom: str, about: ResourceId, resource: Resource, pointer: str
) -> Change:
    same = resource.id.key == about.key
    return Change(
        dimension=Dimension.NETWORK,
        verdict=verdict,
        atom=atom,
        subject=about,
        origin=resource.origin,
        pointer=pointer,
        detail="" if same else f"by {resource.id}",
        gone=verdict is Verdict.NARROWED,
        policy="NET-009",
    )
