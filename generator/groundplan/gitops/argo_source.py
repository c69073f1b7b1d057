"""What one source of an Argo CD Application is: objects, a chart, or somewhere else."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.gitops import globs
from groundplan.gitops.model import Elsewhere, Problem, Release, Values
from groundplan.gitops.scene import dig, entries, folder, maps, section
from groundplan.kustomize import BuildError
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from groundplan.gitops.argo_placing import Placed, Placing

_MANIFEST = re.compile(r".*\.(?:yaml|yml|json|jsonnet)$")
_SKIP = b"+argocd:skip-file-rendering"
_IMAGE = re.compile(
    r"(?:(?P<name>[^=]+)=)?(?P<new>[^@]+?)(?::(?P<tag>[^/:@]+))?(?:@(?P<digest>.+))?$"
)


@dataclass(slots=True)
class Rendered:
    """What came of the sources of an Application."""

    paths: list[str] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class Sources:
    """Renders the sources of one Application."""

    def __init__(
        self,
        placing: Placing,
        application: Resource,
        is_here: Callable[[str], bool],
        inside: str = "",
    ) -> None:
        """Prepare to render.

        Args:
            placing: The repository, and what of it is placed already.
            application: The Application.
            is_here: Whether a URL is this repository.
            inside: Where the Application stands in the document that it comes from.
        """
        self._placing = placing
        self._scene = placing.scene
        self._application = application
        self._is_here = is_here
        self._inside = inside
        self._namespace = str(dig(application.body, "spec", "destination", "namespace", default=""))
        self._result = Rendered()

    def render(self) -> Rendered:
        """Render every source."""
        spec = section(self._application.body, "spec")
        sources = entries(spec, "sources")
        several = bool(sources)
        if not several and section(spec, "source"):
            sources = [spec["source"]]
        hydrated = dig(spec, "sourceHydrator", "drySource")
        if not sources and isinstance(hydrated, Mapping):
            sources, several = [hydrated], False
        references = {
            str(source["ref"]): source
            for source in sources
            if isinstance(source, Mapping) and source.get("ref")
        }
        for index, source in enumerate(sources):
            if isinstance(source, Mapping):
                place = f"/spec/sources/{index}" if several else "/spec/source"
                pointer = f"{self._inside}{place}"
                self._one(source, references, pointer)
        if not sources:
            self._problem("missing-path", "the Application has no source", "/spec")
        return self._result

    def _problem(self, kind: str, message: str, pointer: str, *, evaluated: bool = True) -> None:
        origin = self._application.origin
        self._result.problems.append(Problem(kind, message, origin, pointer, evaluated))

    def _one(self, source: Mapping[str, Any], references: Mapping[str, Any], pointer: str) -> None:
        if source.get("chart"):
            self._chart(source, references, pointer, str(source["chart"]))
            return
        if source.get("path") is None:
            if not source.get("ref"):
                self._problem("missing-path", "the source has neither path nor chart", pointer)
            return
        if not self._is_here(str(source.get("repoURL", ""))):
            message = f"its source is in {source.get('repoURL')}; nothing is fetched"
            origin = self._application.origin
            place = _elsewhere(source)
            problem = Problem("other-source", message, origin, pointer, False, place)
            self._result.problems.append(problem)
            return
        path = folder(str(source["path"]))
        if not self._scene.argo_builder.files.is_folder(path):
            message = f"the path {path or '.'} does not exist in this repository"
            self._problem("missing-path", message, f"{pointer}/path")
            return
        self._result.paths.append(path)
        self._path(source, references, pointer, path)

    def _path(
        self,
        source: Mapping[str, Any],
        references: Mapping[str, Any],
        pointer: str,
        path: str,
    ) -> None:
        files = self._scene.argo_builder.files
        if source.get("plugin") is not None:
            message = "its objects are made by a plugin, which is not run"
            self._problem("plugin", message, f"{pointer}/plugin", evaluated=False)
        elif files.is_file(posixpath.join(path, "Chart.yaml")):
            name = dig(files.body(posixpath.join(path, "Chart.yaml")), "name")
            self._chart(source, references, pointer, str(name or posixpath.basename(path)))
        else:
            try:
                kustomized = files.kustomization(path) is not None
            except BuildError as error:
                self._result.problems.extend(error.problems)
                return
            if kustomized:
                self._kustomize(source, path)
            else:
                self._directory(source, pointer, path)

    def _kustomize(self, source: Mapping[str, Any], path: str) -> None:
        options = source.get("kustomize")
        builder = self._scene.argo_builder
        overlay = None
        if isinstance(options, Mapping) and set(options) - {"version"}:
            try:
                overlay = with_options(builder.definition(path), options)
            except BuildError as error:
                self._result.problems.extend(error.problems)
                return
        built = builder.build(path, overlay)
        if overlay is None:
            placed = self._placing.folder(path, self._namespace, built.resources)
        else:
            placed = self._placing.objects(built.resources, self._namespace)
        self._result.placed.append(placed)
        self._result.problems.extend(built.problems)

    def _directory(self, source: Mapping[str, Any], pointer: str, path: str) -> None:
        options = section(source, "directory")
        start = f"{path}/" if path else ""
        for file in self._scene.argo_builder.files.below(path):
            relative = file.removeprefix(start)
            if "/" in relative and not options.get("recurse"):
                continue
            if not _MANIFEST.match(file) or not _wanted(relative, options):
                continue
            if file.endswith(".jsonnet"):
                message = f"{file} is Jsonnet, which is not run"
                self._problem("plugin", message, pointer, evaluated=False)
                continue
            self._manifests(file)

    def _manifests(self, file: str) -> None:
        content = self._scene.tree.files[file]
        if _SKIP in content:
            return
        parsed = self._scene.documents.get(file)
        if parsed is None:
            parsed, problems = documents.parse(file, content)
            if problems:
                message = f"line {problems[0].line}: {problems[0].message}"
                self._result.problems.append(Problem("syntax", message, Origin(file)))
        for document in parsed:
            found = documents.resources((document,))
            if not found and document.body:
                message = "is no Kubernetes object, but its folder is applied as objects"
                self._result.problems.append(Problem("not-an-object", message, document.origin))
            self._result.placed.append(self._placing.objects(found, self._namespace))

    def _chart(
        self,
        source: Mapping[str, Any],
        references: Mapping[str, Any],
        pointer: str,
        chart: str,
    ) -> None:
        helm = section(source, "helm")
        repository = str(source.get("repoURL", "")).rstrip("/")
        if "://" not in repository:
            repository = f"oci://{repository}"
        self._result.releases.append(
            Release(
                id=self._application.id,
                chart=chart,
                repository=repository,
                version=str(source.get("targetRevision") or "*"),
                namespace=str(helm.get("namespace") or self._namespace),
                values=tuple(self._values(source, helm, references, f"{pointer}/helm")),
                origin=self._application.origin,
            )
        )

    def _values(
        self,
        source: Mapping[str, Any],
        helm: Mapping[str, Any],
        references: Mapping[str, Any],
        pointer: str,
    ) -> list[Values]:
        """In the order in which Argo CD gives them to Helm; later ones win."""
        result: list[Values] = []
        for index, name in enumerate(entries(helm, "valueFiles")):
            place = f"{pointer}/valueFiles/{index}"
            found = self._value_file(str(name), source, references, helm, place)
            if found is not None:
                result.append(found)
        origin = self._application.origin
        written = helm.get("values")
        if isinstance(written, str) and written.strip():
            parsed, problems = documents.parse(origin.path, written.encode())
            if problems:
                self._problem("values", f"values: {problems[0].message}", f"{pointer}/values")
            elif parsed and isinstance(parsed[0].body, Mapping):
                result.append(Values(parsed[0].body, origin, f"{pointer}/values"))
        if isinstance(helm.get("valuesObject"), Mapping):
            result.append(Values(helm["valuesObject"], origin, f"{pointer}/valuesObject"))
        for index, parameter in enumerate(maps(helm, "parameters")):
            body = _parameter(str(parameter.get("name", "")), parameter.get("value"))
            result.append(Values(body, origin, f"{pointer}/parameters/{index}"))
        return result

    def _value_file(
        self,
        name: str,
        source: Mapping[str, Any],
        references: Mapping[str, Any],
        helm: Mapping[str, Any],
        pointer: str,
    ) -> Values | None:
        holder: Mapping[str, Any] = source
        path = posixpath.join(str(source.get("path") or ""), name)
        if name.startswith("$"):
            reference, _, path = name[1:].partition("/")
            holder = references.get(reference) or {}
            if not holder:
                self._problem("values", f"no source has the ref {reference}", pointer)
                return None
        if "://" in name or not self._is_here(str(holder.get("repoURL", ""))):
            message = f"the values {name} are in another place; nothing is fetched"
            self._problem("values", message, pointer, evaluated=False)
            return None
        path = folder(path)
        content = self._scene.tree.files.get(path)
        if content is None:
            if helm.get("ignoreMissingValueFiles") is not True:
                self._problem("missing-path", f"the values file {path} does not exist", pointer)
            return None
        parsed = self._scene.documents.get(path) or documents.parse(path, content)[0]
        body = parsed[0].body if parsed else {}
        if not isinstance(body, Mapping):
            self._problem("values", f"{path} is no map of values", pointer)
            return None
        return Values(body, Origin(path))


def with_options(definition: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A kustomization with what an Application's `kustomize` adds to it."""
    result = dict(definition)
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if options.get(name):
            result[name] = options[name]
    for name in ("components", "patches"):
        if options.get(name):
            result[name] = [*result.get(name, ()), *options[name]]
    if options.get("images"):
        result["images"] = _images(result["images"], options["images"])
    if options.get("replicas"):
        counts = {str(r.get("name")): int(str(r.get("count"))) for r in options["replicas"]}
        kept = [r for r in result.get("replicas", ()) if r.get("name") not in counts]
        result["replicas"] = [*kept, *({"name": n, "count": c} for n, c in counts.items())]
    labels = {str(k): str(v) for k, v in section(options, "commonLabels").items()}
    if labels and options.get("labelWithoutSelector"):
        templates = bool(options.get("labelIncludeTemplates"))
        entry = {"pairs": labels, "includeTemplates": templates}
        result["labels"] = [*result.get("labels", ()), entry]
    elif labels:
        result["commonLabels"] = {**result.get("commonLabels", {}), **labels}
    annotations = section(options, "commonAnnotations")
    if annotations:
        result["commonAnnotations"] = {
            **result.get("commonAnnotations", {}),
            **{str(k): str(v) for k, v in annotations.items()},
        }
    return result


def _images(own: list[Any], added: list[Any]) -> list[dict[str, Any]]:
    """Images as `kustomize edit set image` writes them."""
    result = {str(entry.get("name")): dict(entry) for entry in own}
    for written in added:
        match = _IMAGE.fullmatch(str(written))
        if match is None:
            continue
        name = match["name"] or match["new"]
        entry = {"name": name}
        if match["name"]:
            entry["newName"] = match["new"]
        elif "newName" in result.get(name, {}):
            entry["newName"] = result[name]["newName"]
        if match["tag"]:
            entry["newTag"] = match["tag"]
        if match["digest"]:
            entry["digest"] = match["digest"]
        result[name] = entry
    return list(result.values())


def _wanted(relative: str, options: Mapping[str, Any]) -> bool:
    include, exclude = options.get("include"), options.get("exclude")
    if exclude and globs.files(str(exclude)).fullmatch(relative):
        return False
    return not include or globs.files(str(include)).fullmatch(relative) is not None


def _parameter(name: str, value: Any) -> dict[str, Any]:
    """`--set name=value` as a map."""
    body: Any = value
    for part in reversed(re.split(r"(?<!\\)\.", name)):
        body = {part.replace("\\.", "."): body}
    result: dict[str, Any] = body
    return result


def _elsewhere(source: Mapping[str, Any]) -> Elsewhere | None:
    """The folder that an Application takes unchanged from another repository."""
    if any(source.get(name) for name in ("kustomize", "directory", "helm", "plugin")):
        return None
    revision = str(source.get("targetRevision") or "")
    return Elsewhere(str(source.get("repoURL")), revision, folder(str(source["path"])))
