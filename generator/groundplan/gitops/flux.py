"""Follows Flux from an entry point through every Kustomization to the objects it applies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from groundplan.gitops import substitution
from groundplan.gitops.envsubst import SubstitutionError
from groundplan.gitops.flux_artifact import Artifact, compose
from groundplan.gitops.flux_build import FluxBuilds
from groundplan.gitops.flux_entry import GROUP, Entry, find, source_of
from groundplan.gitops.flux_objects import Objects, Waiting, reference
from groundplan.gitops.flux_release import releases_of
from groundplan.gitops.model import Cluster, Elsewhere, Engine, Problem, Unit
from groundplan.gitops.ordering import Key, in_order
from groundplan.gitops.scene import Scene, dig, folder, maps, same_repository, section
from groundplan.gitops.sops import decrypted
from groundplan.gitops.substitution import Variables
from groundplan.kustomize.items import Gvk
from groundplan.kustomize.order import kind_order
from groundplan.resources import Resource, ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def load(scene: Scene) -> tuple[Cluster, ...]:
    """Every cluster that Flux looks after."""
    builds = FluxBuilds(scene)
    return tuple(_Walk(scene, builds, entry).cluster() for entry in find(scene))


@dataclass(slots=True)
class _Applied:
    """A Kustomization that has been followed."""

    unit: Resource
    path: str | None
    """The folder of this repository; None when it takes its objects from elsewhere."""
    resources: tuple[Resource, ...] = ()
    unresolved: tuple[Resource, ...] = ()
    problems: list[Problem] = field(default_factory=list)


class _Walk:
    """One cluster."""

    def __init__(self, scene: Scene, builds: FluxBuilds, entry: Entry) -> None:
        self._scene = scene
        self._builds = builds
        self._entry = entry
        self._applied: dict[Key, _Applied] = {}
        self._parents: dict[Key, Key] = {}
        self._objects = Objects()
        self._waiting = Waiting(self._objects)
        self._artifacts: dict[Key, Artifact] = {}

    def cluster(self) -> Cluster:
        """Follow every Kustomization and put them into order."""
        for root in self._entry.roots:
            self._waiting.add(root)
        while unit := self._waiting.take():
            if unit.id.key not in self._applied:
                for child in self._follow(unit):
                    self._waiting.add(child)
        units = [self._unit(applied) for applied in self._applied.values()]
        ordered = in_order(units, self._parents)
        return Cluster(self._entry.name, Engine.FLUX, self._entry.path, ordered)

    def _follow(self, unit: Resource) -> list[Resource]:
        """Build one Kustomization; give those that it applies in turn."""
        path = folder(str(dig(unit.body, "spec", "path", default="./")))
        applied = _Applied(unit, path)
        self._applied[unit.id.key] = applied
        artifact = self._artifact(unit)
        reason = None if artifact else self._elsewhere(unit)
        if reason:
            applied.problems.append(reason)
            applied.path = None
            return []
        if artifact:
            applied.path = artifact.folder(path)
        build = artifact.build(unit) if artifact else self._builds.build(unit)
        applied.problems.extend(build.problems)
        self._waiting.arrived(self._objects.build(build.resources))
        self._substitute(applied, build.resources)
        self._objects.apply(applied.resources)
        below = [r for r in applied.resources if _is_unit(r)]
        for child in below:
            self._parents.setdefault(child.id.key, unit.id.key)
        applied.problems.extend(_unevaluated(applied.resources))
        return below

    def _artifact(self, unit: Resource) -> Artifact | None:
        source = source_of(unit)
        if source is None or source.kind != "ExternalArtifact":
            return None
        if source.key not in self._artifacts:
            generators = self._objects.generators
            found = compose(self._scene, generators, source, self._entry.source)
            if found is None:
                return None
            self._artifacts[source.key] = found
        return self._artifacts[source.key]

    def _elsewhere(self, unit: Resource) -> Problem | None:
        """Why a Kustomization does not take its objects from this repository."""
        source = source_of(unit)
        if dig(unit.body, "spec", "kubeConfig"):
            message = "applies to another cluster, by a kubeConfig that is not in the repository"
            return Problem("other-cluster", message, unit.origin, "/spec/kubeConfig", False)
        if source is None or self._entry.source is None or source.key == self._entry.source.key:
            return None
        found = self._objects.applied.get(source.key)
        url = str(dig(found.body, "spec", "url", default="")) if found else ""
        if found and same_repository(url, self._entry.url):
            return None
        what = f"is in {url}" if url else "is not in this repository"
        message = f"its source {source.kind} {source.name} {what}; nothing is fetched"
        place = _as_it_lies(unit, found) if found else None
        return Problem("other-source", message, unit.origin, "/spec/sourceRef", False, place)

    def _variables(self, applied: _Applied) -> Variables:
        known: dict[str, str] = {}
        encrypted: set[str] = set()
        complete = True
        for entry in maps(applied.unit.body, "spec", "postBuild", "substituteFrom"):
            found = self._objects.entries(reference(applied.unit, entry))
            if found is not None:
                known.update(found.known)
                encrypted = (encrypted - found.known.keys()) | found.encrypted
            elif not entry.get("optional"):
                complete = False
        inline = section(applied.unit.body, "spec", "postBuild", "substitute")
        known.update({str(name): str(value).replace("\n", "") for name, value in inline.items()})
        return Variables(known, complete, frozenset(encrypted - inline.keys()))

    def _substitute(self, applied: _Applied, resources: tuple[Resource, ...]) -> None:
        unit = applied.unit
        if dig(unit.body, "spec", "decryption"):
            resources = tuple(decrypted(resource) for resource in resources)
        if dig(unit.body, "spec", "postBuild") is None:
            applied.resources = resources
            return
        # A Kustomization may apply the ConfigMap that it reads.
        variables = self._variables(applied)
        done: list[Resource] = []
        unknown: list[Resource] = []
        for resource in resources:
            try:
                outcome = substitution.apply(resource, variables)
            except SubstitutionError as error:
                message = f"substitution in {resource.id} fails: {error}"
                applied.problems.append(Problem("substitution", message, resource.origin))
                continue
            if outcome.encrypted:
                applied.problems.append(_unreadable(unit, outcome))
            elif outcome.missing:
                applied.problems.append(_missing(unit, outcome, variables))
            open_ = outcome.encrypted or (outcome.missing and not variables.complete)
            (unknown if open_ else done).append(outcome.resource)
        applied.resources, applied.unresolved = tuple(done), tuple(unknown)

    def _unit(self, applied: _Applied) -> Unit:
        unit = applied.unit
        releases, problems = releases_of(applied.resources, self._objects, self._scene)
        return Unit(
            id=unit.id,
            origin=unit.origin,
            paths=() if applied.path is None else (applied.path,),
            depends_on=tuple(_depends_on(unit)),
            wave=0,
            resources=tuple(sorted(applied.resources, key=_apply_order)),
            releases=releases,
            problems=(*applied.problems, *problems),
            suspended=dig(unit.body, "spec", "suspend") is True,
            unresolved=applied.unresolved,
        )


def _apply_order(resource: Resource) -> int:
    """Namespaces, definitions and rights first, webhooks last, all else as it is written."""
    identity = resource.id
    return kind_order(Gvk(identity.group, identity.version, identity.kind))[0]


def _is_unit(resource: Resource) -> bool:
    return resource.id.group == GROUP and resource.id.kind == "Kustomization"


def _depends_on(unit: Resource) -> Iterator[ResourceId]:
    for entry in maps(unit.body, "spec", "dependsOn"):
        namespace = str(entry.get("namespace") or unit.id.namespace)
        yield ResourceId(GROUP, "v1", "Kustomization", namespace, str(entry.get("name", "")))


def _missing(unit: Resource, outcome: substitution.Outcome, variables: Variables) -> Problem:
    names = ", ".join(sorted(outcome.missing))
    identity = outcome.resource.id
    if variables.complete:
        message = f"{identity} uses {names}, which nothing defines; Flux puts an empty text there"
    else:
        message = f"{identity} uses {names}, which this repository does not define"
    origin = outcome.resource.origin if variables.complete else unit.origin
    pointer = "" if variables.complete else "/spec/postBuild/substituteFrom"
    return Problem("missing-variable", message, origin, pointer, variables.complete)


def _unreadable(unit: Resource, outcome: substitution.Outcome) -> Problem:
    names = ", ".join(sorted(outcome.encrypted))
    message = f"{outcome.resource.id} uses {names}, which is encrypted in this repository"
    pointer = "/spec/postBuild/substituteFrom"
    return Problem("missing-variable", message, unit.origin, pointer, False)


def _unevaluated(resources: Iterable[Resource]) -> Iterator[Problem]:
    for resource in resources:
        if resource.id.kind == "ResourceSet" and resource.id.group == "fluxcd.controlplane.io":
            message = f"{resource.id} is rendered in the cluster; its objects are not evaluated"
            yield Problem("resource-set", message, resource.origin, "/spec", False)


_REPOSITORIES = ("GitRepository", "OCIRepository")


def _as_it_lies(unit: Resource, source: Resource) -> Elsewhere | None:
    """The folder that a Kustomization takes unchanged from another repository."""
    spec = unit.body["spec"]
    changes = ("patches", "components", "namePrefix", "nameSuffix", "postBuild", "suspend")
    copied = dig(source.body, "spec", "layerSelector", "operation") == "copy"
    if source.id.kind not in _REPOSITORIES or copied or any(spec.get(name) for name in changes):
        return None
    match dig(source.body, "spec", "ref"):
        case {"tag": str(tag), **others} if not others:
            revision = tag
        case _:
            revision = ""
    url = str(dig(source.body, "spec", "url", default=""))
    return Elsewhere(url, revision, folder(str(spec.get("path", ""))))
