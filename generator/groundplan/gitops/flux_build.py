"""What one Flux Kustomization makes of a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from groundplan.gitops.model import Problem
from groundplan.gitops.scene import Scene, dig, entries, folder, maps, section
from groundplan.kustomize import Build, BuildError
from groundplan.resources import Resource

_CI_FILES = frozenset(
    {
        ".flux.yaml",
        ".gitlab-ci.yml",
        ".goreleaser.yml",
        ".sops.yaml",
        ".travis.yml",
        "appveyor.yml",
        "cloudbuild.yaml",
        "codeship-services.yml",
        "codeship-steps.yml",
        ".drone.yml",
        "wercker.yml",
    }
)


class FluxBuilds:
    """Builds of Kustomizations; equal ones are made once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._builder = scene.flux_builder
        self._done: dict[str, Build] = {}

    def build(self, unit: Resource) -> Build:
        """Everything that a Kustomization applies, before substitution."""
        path = folder(str(dig(unit.body, "spec", "path", default="./")))
        if not self._builder.files.is_folder(path):
            message = f"the path {path or './'} does not exist in this repository"
            return Build((), (Problem("missing-path", message, unit.origin, "/spec/path"),))
        written = section(unit.body, "spec")
        spec = {name: written[name] for name in _FIELDS if written.get(name) is not None}
        key = json.dumps([path, spec], sort_keys=True, default=str)
        if key not in self._done:
            self._done[key] = self._build(path, spec)
        return self._blame(self._done[key], unit, path)

    def _blame(self, build: Build, unit: Resource, path: str) -> Build:
        """Lead problems of what Flux wrote itself back to the Kustomization."""
        if not build.problems:
            return build
        return Build(build.resources, tuple(self._blamed(p, unit, path) for p in build.problems))

    def _blamed(self, found: Problem, unit: Resource, path: str) -> Problem:
        file = self._builder.files.kustomization(path)
        if found.origin.path not in (file, path):
            return found
        field, _, index = found.pointer.lstrip("/").partition("/")
        own = 0
        if file is not None:
            try:
                own = len(self._builder.definition(path).get(field, ()))
            except BuildError:
                return found
        number = index.partition("/")[0]
        if field in _FIELDS and number.isdecimal() and int(number) >= own:
            pointer = f"/spec/{field}/{int(number) - own}"
        elif file is None:
            pointer = "/spec/path"
        else:
            return found
        return Problem(found.kind, found.message, unit.origin, pointer, found.evaluated)

    def _build(self, path: str, spec: Mapping[str, Any]) -> Build:
        try:
            own = self._definition(path)
            if not own["resources"] and set(own) <= {"resources", "images"}:
                return Build((), ())
            overlay = self._with_spec(path, own, spec)
        except BuildError as error:
            return Build((), error.problems)
        exists = self._builder.files.kustomization(path) is not None
        built = self._builder.build(path, None if exists and not spec else overlay)
        return _with_metadata(built, spec.get("commonMetadata"))

    def _definition(self, path: str) -> dict[str, Any]:
        """The folder's kustomization, or the one that Flux writes when there is none."""
        if self._builder.files.kustomization(path) is not None:
            return self._builder.definition(path)
        resources: list[str] = []
        covered: list[str] = []
        start = f"{path}/" if path else ""
        for file in self._builder.files.below(path):
            relative = file.removeprefix(start)
            if any(relative.startswith(f"{done}/") for done in covered):
                continue
            nested = self._nested_kustomization(path, relative)
            if nested:
                covered.append(nested)
                resources.append(nested)
            elif _is_manifest(relative):
                resources.append(relative)
        return {"resources": resources, "images": []}

    def _nested_kustomization(self, path: str, relative: str) -> str:
        parts = relative.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            nested = "/".join(parts[:depth])
            if self._builder.files.kustomization(f"{path}/{nested}" if path else nested):
                return nested
        return ""

    def _with_spec(self, path: str, own: dict[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
        """The kustomization with what the Kustomization adds to it."""
        result = dict(own)
        for field, ours in (
            ("targetNamespace", "namespace"),
            ("namePrefix", "namePrefix"),
            ("nameSuffix", "nameSuffix"),
        ):
            if field in spec:
                result[ours] = spec[field]
        for name in ("patches", "components", "patchesStrategicMerge", "patchesJson6902"):
            added = [
                entry for entry in entries(spec, name) if self._wanted(path, name, entry, spec)
            ]
            if added:
                result[name] = [*own.get(name, ()), *(_as_patch(name, entry) for entry in added)]
        result["images"] = _images(own["images"], maps(spec, "images"))
        return result

    def _wanted(self, path: str, name: str, entry: Any, spec: Mapping[str, Any]) -> bool:
        if name != "components" or not spec.get("ignoreMissingComponents"):
            return True
        return self._builder.files.is_folder(folder(f"{path}/{entry}"))


_FIELDS = (
    "targetNamespace",
    "namePrefix",
    "nameSuffix",
    "patches",
    "components",
    "ignoreMissingComponents",
    "patchesStrategicMerge",
    "patchesJson6902",
    "images",
    "commonMetadata",
)


def _is_manifest(relative: str) -> bool:
    name = relative.rpartition("/")[2]
    hidden = relative.startswith((".github/", ".circleci/"))
    return name.endswith((".yaml", ".yml")) and name not in _CI_FILES and not hidden


def _as_patch(name: str, entry: Any) -> Any:
    if name == "patchesStrategicMerge" and not isinstance(entry, str):
        return json.dumps(entry)
    if name == "patchesJson6902" and isinstance(entry, Mapping):
        patch = entry.get("patch")
        return {**entry, "patch": patch if isinstance(patch, str) else json.dumps(patch)}
    return entry


def _images(own: list[Any], added: list[Mapping[str, Any]]) -> list[Any]:
    result = [dict(entry) for entry in own]
    for image in added:
        known = next((entry for entry in result if entry.get("name") == image.get("name")), None)
        if known is None:
            result.append(dict(image))
            continue
        if image.get("newName"):
            known["newName"] = image["newName"]
        if image.get("newTag") or image.get("digest"):
            known["newTag"] = image.get("newTag", "")
            known["digest"] = image.get("digest", "")
    return result


def _with_metadata(build: Build, common: Any) -> Build:
    """Labels and annotations that Flux puts on every object after the build."""
    if not isinstance(common, Mapping):
        return build
    resources = []
    for resource in build.resources:
        metadata = dict(section(resource.body, "metadata"))
        for where in ("labels", "annotations"):
            added = section(common, where)
            if added:
                metadata[where] = {**section(metadata, where), **added}
        resources.append(Resource.of({**resource.body, "metadata": metadata}, resource.origin))
    return Build(tuple(resources), build.problems)
