"""Who acts as whom outside the cluster on one side only, and what those principals may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.posture.identity.edges import Edge, covers, edges
from groundplan.posture.identity.iam import Document, document
from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.posture.selectors import box, within
from groundplan.posture.workloads import roles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.graph import Key
    from groundplan.resources import Resource, ResourceId

_AZURE = "azure.workload.identity/use"


def compare(base: State, head: State) -> tuple[Change, ...]:
    """Find as whom workloads may act on one side only."""
    before, after = _by_means(base), _by_means(head)
    roles = _roles(base), _roles(head)
    return (
        *_edges(before, after, roles),
        *_documents(base, head),
        *_labelled(base, head),
        *_selected(base, head),
    )


Means = dict[tuple["ResourceId", str], list[Edge]]


def _by_means(state: State) -> Means:
    """The ways out, by the subject and the means."""
    found: Means = {}
    for edge in edges(state):
        found.setdefault((edge.subject, edge.kind), []).append(edge)
    return found


def _edges(
    before: Means, after: Means, roles: tuple[Mapping[str, Document], Mapping[str, Document]]
) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        old, new = before.get(key, []), after.get(key, [])
        gained = [one for one in new if not any(covers(known, one) for known in old)]
        lost = [one for one in old if not any(covers(known, one) for known in new)]
        for edge in gained:
            if lost and not edge.kind.startswith("Google grant"):
                yield _instead(edge, lost, roles)
            else:
                yield _change(Verdict.WIDENED, edge.says, edge)
        for edge in lost if not gained else ():
            yield _change(Verdict.NARROWED, f"no longer {edge.says}", edge, gone=True)


def _instead(
    edge: Edge, lost: list[Edge], roles: tuple[Mapping[str, Document], Mapping[str, Document]]
) -> Change:
    """Compare two principals by what their policies allow, where the repository has both."""
    atom = f"{edge.says}; it was: {', '.join(sorted(one.says for one in lost))}"
    old, new = roles[0].get(_name(lost[0].arn)), roles[1].get(_name(edge.arn))
    if old is None or new is None or len(lost) > 1:
        return _change(Verdict.INCOMPARABLE, atom, edge)
    more = list(new.beyond(old))
    verdict = Verdict.WIDENED if more else Verdict.NARROWED
    return _change(verdict, f"{atom}: {'; '.join(more)}" if more else atom, edge)


def _name(arn: str) -> str:
    """The name of a role inside its ARN; empty when there is more to it than one role."""
    return arn.rpartition("/")[2] if arn.startswith("arn:") and " " not in arn else ""


def _roles(state: State) -> dict[str, Document]:
    """What each AWS role may do, for roles all of whose policies are in the repository."""
    policies = {
        r.id.name: document(_provided(r).get("policyDocument") or _provided(r).get("policy"))
        for r in state.resources
        if r.id.kind == "Policy" and r.id.group.startswith("iam.")
    }
    found = {}
    for role in state.resources:
        if role.id.kind != "Role" or not role.id.group.startswith("iam."):
            continue
        spec = _provided(role)
        attached = [
            policies.get(str(mapping(reference, "from").get("name")))
            for reference in items(spec, "policyRefs")
        ]
        inline = [document(text) for text in mapping(spec, "inlinePolicies").values()]
        known = [one for one in (*attached, *inline) if one is not None]
        if len(known) == len(attached) + len(inline) and not items(spec, "policies"):
            allows = frozenset[Any]().union(*(one.allows for one in known))
            denies = frozenset[Any]().union(*(one.denies for one in known))
            found[str(spec.get("name") or role.id.name)] = Document(allows, denies)
    return found


def _provided(resource: Resource) -> Mapping[str, Any]:
    """What an object of a cloud is to be, as the cloud's own controllers or Crossplane have it."""
    spec = mapping(resource.body, "spec")
    return mapping(spec, "forProvider") or spec


_DOCUMENTS = ("policyDocument", "policy", "assumeRolePolicyDocument", "assumeRolePolicy")


def _documents(base: State, head: State) -> Iterator[Change]:
    """Compare every policy document that both sides have."""
    before, after = _written(base), _written(head)
    for key, (resource, body) in sorted(after.items(), key=lambda item: item[0]):
        old, new = document(before[key][1]) if key in before else None, document(body)
        place = Edge(resource.id, "", "", resource, "/spec")
        if key not in before or before[key][1] == body:
            continue
        if old is None or new is None:
            yield _change(Verdict.INCOMPARABLE, f"{key[1]} changed and cannot be read", place)
            continue
        for verdict, found in (
            (Verdict.WIDENED, new.beyond(old)),
            (Verdict.NARROWED, (f"undone: {words}" for words in old.beyond(new))),
        ):
            for words in found:
                yield _change(verdict, words, place)
    present = {resource.id.key: resource for resource in head.resources}
    for whole in sorted({*before} - {*after}):
        if whole[1] == "session policy" and whole[0] in present:
            resource = present[whole[0]]
            place = Edge(resource.id, "", "", resource, "/spec")
            yield _change(Verdict.WIDENED, "is no longer held back by a session policy", place)


def _written(state: State) -> dict[tuple[Key, str], tuple[Resource, Any]]:
    """The policy documents of AWS, by object and by what they are for."""
    found = {}
    for resource in state.resources:
        if not resource.id.group.startswith(("iam.", "eks.")):
            continue
        spec = _provided(resource)
        session = resource.id.kind == "PodIdentityAssociation"
        for field in _DOCUMENTS:
            if isinstance(spec.get(field), str):
                name = "session policy" if session else field
                found[resource.id.key, name] = (resource, spec[field])
        for name, text in mapping(spec, "inlinePolicies").items():
            found[resource.id.key, f"inline policy {name}"] = (resource, text)
    return found


def _labelled(base: State, head: State) -> Iterator[Change]:
    """Find pods that Azure's webhook gives a token and did not give one before."""
    before, after = _azure(base), _azure(head)
    for key, (resource, at, uses) in sorted(after.items(), key=lambda item: item[0]):
        used = key in before and before[key][2]
        if uses != used and (uses or key in before):
            edge = Edge(resource.id, "", "", resource, f"{at}/metadata/labels")
            verb = "gets" if uses else "no longer gets"
            verdict = Verdict.WIDENED if uses else Verdict.NARROWED
            yield _change(verdict, f"{verb} a token for Azure", edge)


def _azure(state: State) -> dict[tuple[Key, str], tuple[Resource, str, bool]]:
    """The pods of each role, and whether they carry the webhook's label."""
    found = {}
    for resource in state.resources:
        for role in roles(resource):
            label = mapping(role.pod, "metadata", "labels").get(_AZURE)
            uses = str(label).lower() == "true"
            found[resource.id.key, role.name] = (resource, role.pointer, uses)
    return found


def _selected(base: State, head: State) -> Iterator[Change]:
    """Compare which pods get a SPIFFE identity."""
    before = {r.id.key: r for r in base.resources if r.id.kind == "ClusterSPIFFEID"}
    for new in head.resources:
        old = before.get(new.id.key)
        if old is None or new.id.kind != "ClusterSPIFFEID":
            continue
        for field, what in (("namespaceSelector", "namespaces"), ("podSelector", "pods")):
            inner, outer = (box(mapping(one.body, "spec", field)) for one in (new, old))
            edge = Edge(new.id, "", "", new, f"/spec/{field}")
            if not within(inner, outer):
                yield _change(Verdict.WIDENED, f"is given to more {what}", edge)
            elif not within(outer, inner):
                yield _change(Verdict.NARROWED, f"is given to fewer {what}", edge)


def _change(verdict: Verdict, atom: str, edge: Edge, *, gone: bool = False) -> Change:
    same = edge.resource.id.key == edge.subject.key
    return Change(
        dimension=Dimension.IDENTITY,
        verdict=verdict,
        atom=atom,
        subject=edge.subject,
        origin=edge.resource.origin,
        pointer=edge.pointer,
        detail="" if same else f"by {edge.resource.id}",
        gone=gone,
    )
