"""RBAC rules as atoms, and whether some atoms allow all that another one does.

Matching follows `pkg/apis/rbac/v1/evaluation_helpers.go` of Kubernetes, containment follows
`Covers` of `k8s.io/component-helpers/auth/rbac/validation`. Verbs, groups, resources and names are
an open world: a list of all that are known does not cover `*`.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.posture.pod_security_checks import items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EVERYWHERE = ""
"""The scope of a ClusterRoleBinding; every other scope is a namespace."""

_CLUSTER_SCOPED = frozenset(
    {
        ("", "nodes"),
        ("", "persistentvolumes"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("storage.k8s.io", "storageclasses"),
    }
)
"""A RoleBinding grants nothing on these. It does on its own `namespaces` object, and who may `bind`
`clusterroles` in a namespace is asked for there."""


class Atom(NamedTuple):
    """One verb on one resource or URL: the smallest thing that a rule allows."""

    verb: str
    group: str = ""
    resource: str = ""
    """With its subresource, as in `pods/log`. Empty for a URL."""
    name: str | None = None
    """None for every name; empty for requests that carry no name."""
    url: str = ""
    unknown: str = ""
    """What only the cluster knows: all that this allows, whatever it is."""


OTHERS = "any other ClusterRole with"
"""How what an aggregated role may hold besides begins."""

ALL = (Atom("*", "*", "*"), Atom("*", url="*"))
"""Together they allow everything."""


def atoms(rule: Mapping[str, Any], *, namespaced: bool) -> Iterator[Atom]:
    """Take a rule apart. A rule that the API server refuses, or that can match nothing, has none.

    Args:
        rule: As written in a role.
        namespaced: Whether the rule is a Role's, which may not name URLs.
    """
    verbs, urls = _texts(rule, "verbs"), _texts(rule, "nonResourceURLs")
    groups, resources = _texts(rule, "apiGroups"), _texts(rule, "resources")
    if urls:
        if not (namespaced or groups or resources):
            for verb, url in product(verbs, filter(None, map(_pattern, urls))):
                yield Atom(verb, url=url)
        return
    # `pods/*` is compared as it is written, and no request has such a resource.
    live = [resource for resource in resources if resource and not resource.endswith("/*")]
    names = _texts(rule, "resourceNames") or (None,)
    for verb, group, resource, name in product(verbs, groups, live, names):
        yield Atom(verb, group, resource, name)


def _texts(rule: Mapping[str, Any], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, items(rule, field))))


def _pattern(url: str) -> str:
    """Write a URL pattern in one way: `/*` and `*` are the same, as every path begins with `/`."""
    prefix = url.rstrip("*")
    if prefix == url:
        return url if url.startswith("/") else ""
    if prefix in {"", "/"}:
        return "*"
    return f"{prefix}*" if prefix.startswith("/") else ""


def bound(atom: Atom, scope: str) -> bool:
    """Whether a binding at a scope makes anything of an atom."""
    if scope == EVERYWHERE:
        return True
    return not atom.url and (atom.group, atom.resource.split("/")[0]) not in _CLUSTER_SCOPED


class Permissions:
    """Atoms by scope, to be asked what they cover."""

    def __init__(self, held: Iterable[tuple[str, Atom]] = ()) -> None:
        self._held = frozenset(held)
        self._patterns = tuple(
            (atom.verb, atom.url[:-1])
            for scope, atom in self._held
            if scope == EVERYWHERE and atom.url.endswith("*")
        )

    def __iter__(self) -> Iterator[tuple[str, Atom]]:
        return iter(self._held)

    def covers(self, scope: str, atom: Atom) -> bool:
        """Whether all that an atom allows at a scope is allowed.

        What holds at a namespace is covered there or everywhere. What holds everywhere is never
        covered by all the namespaces there are: there will be new ones.
        """
        if (scope, atom) in self._held:
            return True
        if atom.unknown:
            return all((EVERYWHERE, one) in self._held for one in ALL)
        if atom.url:
            return self._covers_url(atom)
        scopes = dict.fromkeys((scope, EVERYWHERE))
        wider = tuple(_wider(atom))
        return any((place, one) in self._held for place in scopes for one in wider)

    def _covers_url(self, atom: Atom) -> bool:
        verbs = {atom.verb, "*"}
        if any((EVERYWHERE, atom._replace(verb=verb)) in self._held for verb in verbs):
            return True
        return any(v in verbs and atom.url.startswith(prefix) for v, prefix in self._patterns)


def _wider(atom: Atom) -> Iterator[Atom]:
    """Every atom that allows at least as much."""
    resources = [atom.resource, "*"]
    if "/" in atom.resource:
        resources.append(f"*/{atom.resource.split('/', 1)[1]}")
    for verb, group, resource, name in product(
        dict.fromkeys((atom.verb, "*")),
        dict.fromkeys((atom.group, "*")),
        dict.fromkeys(resources),
        dict.fromkeys((atom.name, None)),
    ):
        yield Atom(verb, group, resource, name)


def folded(held: Iterable[tuple[str, Atom]]) -> Iterator[tuple[str, list[tuple[str, Atom]]]]:
    """Say in words what is allowed where: as few sentences as say no more than the atoms do."""
    verbs: dict[tuple[str, Atom], set[str]] = {}
    for scope, atom in held:
        verbs.setdefault((scope, atom._replace(verb="")), set()).add(atom.verb)
    things: dict[tuple[str, tuple[str, ...], Atom], set[Atom]] = {}
    for (scope, atom), names in verbs.items():
        alike = atom._replace(resource="", url="", unknown="")
        things.setdefault((scope, tuple(sorted(names)), alike), set()).add(atom)
    sentences = []
    for (scope, every, alike), same in things.items():
        words = _sentence(scope, every, alike, sorted(map(_thing, same)))
        atoms_of = [(scope, one._replace(verb=verb)) for one in same for verb in every]
        sentences.append((words, atoms_of))
    yield from sorted(sentences, key=lambda sentence: sentence[0])


def _thing(atom: Atom) -> str:
    if atom.unknown:
        return f"all that {atom.unknown} allows (not in the repository)"
    if atom.url:
        return f"the URL {atom.url}" if atom.url != "*" else "every URL"
    if atom.resource == "*":
        return "every resource"
    head, _, sub = atom.resource.partition("/")
    return f"the subresource {sub} of everything" if head == "*" else atom.resource


def _sentence(scope: str, verbs: tuple[str, ...], atom: Atom, things: list[str]) -> str:
    """Such as `get, list secrets in namespace payments`."""
    what = ", ".join(things)
    verb = {"*": "do anything with", "": "do"}.get(", ".join(verbs), ", ".join(verbs))
    group = {"": "", "*": " of every group"}.get(atom.group, f" of {atom.group}")
    name = "" if atom.name is None else f" named {atom.name}" if atom.name else " without a name"
    where = "everywhere" if scope == EVERYWHERE else f"in namespace {scope}"
    return f"{verb} {what}{group}{name} {where}"
