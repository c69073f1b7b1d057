"""Argo CD's ApplicationSets and projects: what is made, and what it may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.findings import Failed, Outcome, Passed, Severity
from groundplan.gitops.model import Engine
from groundplan.sharing import once

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundplan.gitops.model import Unit
    from groundplan.repository import Repository
    from groundplan.resources import Resource

GROUP = "argoproj.io"
DEFAULT = "default"
"""The project that Argo CD makes itself."""
IN_CLUSTER = {"server": "https://kubernetes.default.svc", "name": "in-cluster"}


def _sets_yield(repository: Repository) -> Iterator[Outcome]:
    """Find ApplicationSets of which nothing is made."""
    used = {unit.origin for cluster in repository.clusters for unit in cluster.units}
    for resource in _applications(repository):
        if resource.id.kind != "ApplicationSet":
            continue
        if resource.origin in used:
            yield Passed()
        else:
            yield YIELDS.fail(
                f"{resource.id} makes no Application",
                repository.locate(resource.origin, "/spec/generators"),
                resource.id,
            )


def _projects_exist(repository: Repository) -> Iterator[Outcome]:
    """Find Applications in projects that nobody makes."""
    projects = _projects(repository)
    for resource in _applications(repository):
        spec, pointer = _template(resource)
        project = spec.get("project", DEFAULT)
        if _is_open(project) or project == DEFAULT or project in projects:
            yield Passed()
        else:
            yield EXISTS.fail(
                f"{resource.id} is in project {project}, which does not exist",
                repository.locate(resource.origin, f"{pointer}/project"),
                resource.id,
            )


def _projects_allow(repository: Repository) -> Iterator[Outcome]:
    """Find Applications that do what their project forbids."""
    projects = _projects(repository)
    for resource in _applications(repository):
        spec, pointer = _template(resource)
        project = projects.get(str(spec.get("project", DEFAULT)))
        faults = [] if project is None else list(_forbidden(spec, project))
        for field, fault in faults:
            yield ALLOWS.fail(
                f"{resource.id}: project {spec['project']} does not allow {fault}",
                repository.locate(resource.origin, f"{pointer}{field}"),
                resource.id,
            )
        if not faults:
            yield Passed()
    yield from _objects_allowed(repository, projects)


def _objects_allowed(
    repository: Repository, projects: Mapping[str, Mapping[str, Any]]
) -> Iterator[Failed]:
    """Find objects of kinds that the project of their Application does not allow."""
    kinds = once(partial(_kinds, repository))
    for graph in repository.graphs:
        if graph.cluster.engine is not Engine.ARGOCD:
            continue
        for unit in graph.cluster.units:
            project = projects.get(str(graph.application(unit).get("project", DEFAULT)))
            if project is not None:
                yield from _kinds_allowed(repository, unit, kinds(unit.resources), project)


def _kinds(repository: Repository, resources: Sequence[Resource]) -> list[tuple[Resource, bool]]:
    """The first object of each kind that is known, and whether the kind has namespaces."""
    first: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        first.setdefault((resource.id.group, resource.id.kind), resource)
    known = ((resource, repository.is_namespaced(resource.id)) for resource in first.values())
    return [(resource, namespaced) for resource, namespaced in known if namespaced is not None]


def _kinds_allowed(
    repository: Repository,
    unit: Unit,
    kinds: Iterable[tuple[Resource, bool]],
    project: Mapping[str, Any],
) -> Iterator[Failed]:
    """Find the first object of each kind that a project does not allow."""
    for resource, namespaced in kinds:
        kind = (resource.id.group, resource.id.kind)
        if not _allows_kind(project, kind, namespaced=namespaced):
            yield ALLOWS.fail(
                f"{resource.id}: the project of {unit.id} does not allow this kind",
                repository.locate(resource.origin, "/kind"),
                resource.id,
            )


def _projects(repository: Repository) -> Mapping[str, Mapping[str, Any]]:
    """What each project of the repository says, by name; built ones before written ones."""
    found: dict[str, Mapping[str, Any]] = {}
    for (group, _, kind), subjects in repository.subjects.items():
        if (group, kind) == (GROUP, "AppProject"):
            for subject in subjects:
                spec = subject.resource.body.get("spec")
                found[subject.resource.id.name] = spec if isinstance(spec, Mapping) else {}
    return found


def _applications(repository: Repository) -> Iterator[Resource]:
    """Every Application, and every ApplicationSet as far as its template is plain."""
    for (group, _, kind), subjects in repository.subjects.items():
        if group == GROUP and kind in {"Application", "ApplicationSet"}:
            yield from (subject.resource for subject in subjects)


def _template(resource: Resource) -> tuple[Mapping[str, Any], str]:
    """What an Application, or the ones that a set makes, asks for, and where it says so."""
    match resource.body:
        case {"kind": "ApplicationSet", "spec": {"template": {"spec": dict(spec)}}}:
            return spec, "/spec/template/spec"
        case {"kind": "Application", "spec": dict(spec)}:
            return spec, "/spec"
    return {}, ""


def _forbidden(spec: Mapping[str, Any], project: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an Application asks for that its project forbids: a field, and what it says."""
    for field, source in _sources(spec):
        address = source.get("repoURL")
        if isinstance(address, str) and not _is_open(address):
            allowed = _texts(project.get("sourceRepos"))
            if not _matches(_address(address), [_address(pattern) for pattern in allowed]):
                yield f"{field}/repoURL", f"source {address}"
    destination = spec.get("destination")
    if isinstance(destination, Mapping) and not _goes_to(project, destination):
        where = destination.get("server") or destination.get("name") or "a cluster"
        yield "/destination", f"namespace {destination.get('namespace', '')!r} on {where}"


def _sources(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The sources of an Application and where it names them."""
    if isinstance(spec.get("source"), Mapping):
        yield "/source", spec["source"]
    several = spec.get("sources")
    for index, source in enumerate(several if isinstance(several, list) else ()):
        if isinstance(source, Mapping):
            yield f"/sources/{index}", source


def _goes_to(project: Mapping[str, Any], destination: Mapping[str, Any]) -> bool:
    """Whether a project allows a destination; what a template fills in later may be anything."""
    wanted = {name: str(destination[name]) for name in ("server", "name") if destination.get(name)}
    namespace = str(destination.get("namespace", ""))
    if _is_open(namespace) or any(_is_open(value) for value in wanted.values()):
        return True
    entries = project.get("destinations")
    entries = [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []
    denied = [e for e in entries if any(str(v).startswith("!") for v in e.values())]
    return any(
        _is_place(entry, wanted, namespace) for entry in entries if entry not in denied
    ) and not any(
        _is_place({k: str(v).removeprefix("!") for k, v in entry.items()}, wanted, namespace)
        for entry in denied
    )


def _is_place(entry: Mapping[str, Any], wanted: Mapping[str, str], namespace: str) -> bool:
    """Whether a destination entry means a place."""
    if namespace and not fnmatchcase(namespace, str(entry.get("namespace", ""))):
        return False
    told = [name for name in wanted if name in entry]
    if told:
        return all(fnmatchcase(wanted[name], str(entry[name])) for name in told)
    # The entry names the cluster by its address and the Application by its name, or the reverse.
    return any(
        wanted.get(name) == IN_CLUSTER[name] and entry.get(other) in (IN_CLUSTER[other], "*")
        for name, other in (("server", "name"), ("name", "server"))
    ) or any(entry.get(name) == "*" for name in ("server", "name"))


def _allows_kind(project: Mapping[str, Any], kind: tuple[str, str], *, namespaced: bool) -> bool:
    """Whether a project allows objects of a kind. Kinds without namespaces must be listed."""
    scope = "namespaceResource" if namespaced else "clusterResource"
    allowed, denied = project.get(f"{scope}Whitelist"), project.get(f"{scope}Blacklist")
    if _lists_kind(denied, kind):
        return False
    if namespaced and allowed is None:
        return True
    return _lists_kind(allowed, kind)


def _lists_kind(entries: Any, kind: tuple[str, str]) -> bool:
    """Whether a list of groups and kinds has one."""
    return any(
        fnmatchcase(kind[0], str(entry.get("group", "")))
        and fnmatchcase(kind[1], str(entry.get("kind", "")))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping)
    )


def _matches(value: str, patterns: list[str]) -> bool:
    """Whether a value fits a list of patterns, where `!` forbids."""
    denied = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    allowed = [pattern for pattern in patterns if not pattern.startswith("!")]
    return any(fnmatchcase(value, pattern) for pattern in allowed) and not any(
        fnmatchcase(value, pattern) for pattern in denied
    )


def _address(text: str) -> str:
    """A source's address as Argo CD compares it."""
    return text.rstrip("/").removesuffix(".git").removeprefix("oci://")


def _texts(value: Any) -> list[str]:
    """The strings of a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _is_open(text: Any) -> bool:
    """Whether a template decides later what a text says."""
    return not isinstance(text, str) or "{{" in text


YIELDS = Check(
    "GIT010",
    "Every ApplicationSet makes something",
    Severity.MEDIUM,
    "Correct the paths and selectors of its generators, or remove it.",
    _sets_yield,
)
EXISTS = Check(
    "GIT011",
    "Every Application's project exists",
    Severity.HIGH,
    "Correct `spec.project`, or add the AppProject.",
    _projects_exist,
)
ALLOWS = Check(
    "GIT012",
    "Every Application keeps to its project",
    Severity.HIGH,
    "Let the AppProject allow it, or move the Application to a project that does.",
    _projects_allow,
)
CHECKS = (YIELDS, EXISTS, ALLOWS)
