"""Who mends a change and who lives with it. There is always an answer, and it says why."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from groundplan.documents import parse
from groundplan.posture.catalogue import ENTRIES, check_of
from groundplan.posture.exceptions.model import KIND
from groundplan.posture.exceptions.reading import read
from groundplan.posture.pod_security_checks import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.gitops.model import Cluster
    from groundplan.graph import Key
    from groundplan.posture.model import Change
    from groundplan.resources import Origin, Resource
    from groundplan.tree import Tree

CODEOWNERS = ("CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
LABELS = ("groundplan.dev/owner", "a8r.io/owner", "owner")
"""Labels or annotations that name an owner, the first one first."""
ARGO = "argoproj.io"
_BACKSTAGE = "backstage.io/kubernetes-id"
NOBODY = "platform"
"""Who mends what no policy has a default owner for."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is responsible."""

    name: str
    because: str
    known: bool = True
    """False when nothing in the repository names an owner."""


@dataclass(frozen=True, slots=True)
class Codeowners:
    """The rules of a CODEOWNERS file: the last one that matches a path counts."""

    path: str
    rules: tuple[tuple[str, tuple[str, ...], int], ...] = ()
    """Pattern, owners and line."""

    @classmethod
    def read(cls, tree: Tree) -> Codeowners:
        """Read the file of a repository, wherever it lies."""
        path = next((name for name in CODEOWNERS if name in tree.files), "")
        lines = tree.files.get(path, b"").decode("utf-8", "replace").splitlines()
        rules = []
        for number, line in enumerate(lines, 1):
            words = line.split("#")[0].split()
            if words and not line.startswith("["):
                rules.append((words[0], tuple(words[1:]), number))
        return cls(path, tuple(rules))

    def rule(self, path: str) -> tuple[tuple[str, ...], int]:
        """The owners of a path and the line that says so."""
        for pattern, owners, line in reversed(self.rules):
            if _pattern(pattern).match(path):
                return owners, line
        return (), 0


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """Translate a CODEOWNERS pattern: like gitignore's, without negation and classes."""
    anchored = "/" in pattern.rstrip("/")
    body = pattern.strip("/")
    parts = (_WILD.get(part, re.escape(part)) for part in re.split(r"(\*\*/?|\*|\?)", body))
    start = "" if anchored else "(?:.*/)?"
    # `docs/*` names the files of a folder, and not those of the folders in it.
    end = "$" if pattern.endswith("/*") else "/" if pattern.endswith("/") else "(?:/|$)"
    return re.compile(f"{start}{''.join(parts)}{end}")


_WILD = {"*": "[^/]*", "?": "[^/]", "**": ".*", "**/": "(?:.*/)?"}


@dataclass(frozen=True, slots=True)
class Owners:
    """All that a repository says about its owners."""

    codeowners: Codeowners
    resources: Mapping[Key, Resource] = field(default_factory=dict)
    """Every object of one cluster by identity."""
    appliers: Mapping[Key, tuple[str, Resource]] = field(default_factory=dict)
    """The Flux Kustomization or Argo CD Application that applies an object."""
    written: Mapping[Origin, Resource] = field(default_factory=dict)
    """The objects by where they are written."""
    exceptions: Mapping[str, Owner] = field(default_factory=dict)
    """Who must remove an exception, by its name."""
    catalogue: Mapping[str, Owner] = field(default_factory=dict)
    """The owners that Backstage knows, by the id that objects carry."""

    @classmethod
    def read(cls, tree: Tree, cluster: Cluster | None) -> Owners:
        """Collect what names an owner."""
        units = cluster.units if cluster else ()
        applied = {r.id.key: r for unit in units for r in unit.resources}
        appliers = {
            r.id.key: (str(unit.id), applied[unit.id.key])
            for unit in units
            if unit.id.key in applied
            for r in unit.resources
        }
        written = {resource.origin: resource for resource in applied.values()}
        exceptions = {
            one.name: Owner(one.owner, f"spec.owner in {one.location.path}")
            for one in read(tree.files)[0]
            if one.owner
        }
        rules = Codeowners.read(tree)
        return cls(rules, applied, appliers, written, exceptions, dict(_catalogue(tree)))

    def of(self, resource: Resource) -> Owner | None:
        """The owner of an object, if anything names one."""
        return next(self._named(resource), None)

    def of_path(self, path: str) -> Owner | None:
        """The owner of a file."""
        owners, line = self.codeowners.rule(path)
        if not owners:
            return None
        return Owner(owners[0], f"{self.codeowners.path}:{line} names {' '.join(owners)}")

    def _named(self, resource: Resource) -> Iterator[Owner]:
        yield from _labelled(resource, "")
        namespace = self.resources.get(("", "Namespace", "", resource.id.namespace))
        if namespace is not None:
            yield from _labelled(namespace, f" of Namespace {resource.id.namespace}")
        if resource.id.key in self.appliers:
            name, unit = self.appliers[resource.id.key]
            yield from _labelled(unit, f" of {name}, which applies it")
            project = str(mapping(unit.body, "spec").get("project", ""))
            known = self.resources.get((ARGO, "AppProject", unit.id.namespace, project))
            if unit.id.kind == "Application" and known is not None:
                yield from _labelled(known, f" of {known.id}, which {name} belongs to")
        by_path = self.of_path(resource.origin.path)
        if by_path:
            yield by_path
        for place in ("labels", "annotations"):
            known_as = str(mapping(resource.body, "metadata", place).get(_BACKSTAGE))
            if known_as in self.catalogue:
                yield self.catalogue[known_as]


def _catalogue(tree: Tree) -> Iterator[tuple[str, Owner]]:
    """Read who owns what in Backstage's descriptions, where they say what objects are theirs."""
    for path, content in tree.files.items():
        if path.rpartition("/")[2] != "catalog-info.yaml":
            continue
        for document in parse(path, content)[0]:
            named = mapping(document.body, "metadata", "annotations").get(_BACKSTAGE)
            owner = mapping(document.body, "spec").get("owner")
            if named and owner:
                yield str(named), Owner(str(owner), f"spec.owner in {path}")


def _labelled(resource: Resource, whose: str) -> Iterator[Owner]:
    for place in ("labels", "annotations"):
        written = mapping(resource.body, "metadata", place)
        for name in LABELS:
            if written.get(name):
                yield Owner(str(written[name]), f"{place.removesuffix('s')} {name}{whose}")


def responsible(change: Change, base: Owners, head: Owners) -> tuple[Owner, Owner]:
    """Say who mends a change and whom it affects.

    What BASE says counts first, so that no change can choose its own owner.
    """
    if change.subject.kind == KIND:
        name = change.subject.name
        explicit = base.exceptions.get(name) or head.exceptions.get(name)
        if explicit:
            return explicit, explicit
    affected = _affected(change, base, head)
    fix = _changed(change, change.origin, base, head) if change.origin else affected
    check = check_of(change)
    fix = fix or of_policy(check, ENTRIES[check].owner)
    return fix, affected or replace(fix, because=f"nobody else is named; {fix.because}")


def of_policy(policy: str, owner: str) -> Owner:
    """The owner that a policy has for what nobody else owns, the last resort."""
    return Owner(owner, f"the default of {policy}, as nobody is named", known=False)


def _owner(resource: Resource | None, base: Owners, head: Owners) -> Owner | None:
    """The owner of an object as BASE knew it; HEAD is asked about new objects only."""
    if resource is None:
        return None
    known = base.resources.get(resource.id.key)
    return (base.of(known) if known else None) or base.of(resource) or head.of(resource)


def _changed(change: Change, origin: Origin, base: Owners, head: Owners) -> Owner | None:
    """The owner of the object that decides, or of its file."""
    side = base if change.gone else head
    changed = side.written.get(origin)
    return _owner(changed, base, head) or base.of_path(origin.path) or head.of_path(origin.path)


def _affected(change: Change, base: Owners, head: Owners) -> Owner | None:
    """The owner of the subject, or of its namespace."""
    key = change.subject.key
    namespace = ("", "Namespace", "", change.subject.namespace)
    found = (owners.resources.get(k) for k in (key, namespace) for owners in (base, head))
    return _owner(next((resource for resource in found if resource), None), base, head)
