"""The generators of ApplicationSets: which parameters they find in a repository."""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.gitops import globs
from groundplan.gitops.gofunctions import normalized
from groundplan.gitops.model import Problem
from groundplan.gitops.scene import Scene, dig, entries, maps, section
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.selectors import matches

if TYPE_CHECKING:
    from groundplan.gitops.templating import Templating
    from groundplan.resources import Resource

Parameters = dict[str, Any]
_NESTING = ("matrix", "merge")
_REGISTRATION = "argocd.argoproj.io/secret-type"
IN_CLUSTER = "https://kubernetes.default.svc"


class UnevaluatedError(Exception):
    """A generator that asks somebody who is not there."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One set of parameters and, where a generator has one, its own template."""

    parameters: Parameters
    template: Mapping[str, Any]


class Generators:
    """Evaluates the generators of one ApplicationSet."""

    def __init__(
        self,
        scene: Scene,
        resource: Resource,
        templating: Templating,
        is_here: Callable[[str], bool],
    ) -> None:
        self._scene = scene
        self._resource = resource
        self._templating = templating
        self._is_here = is_here
        self.problems: list[Problem] = []

    def all(self) -> Iterator[Generated]:
        """Every set of parameters, generator by generator."""
        for index, generator in enumerate(maps(self._resource.body, "spec", "generators")):
            pointer = f"/spec/generators/{index}"
            try:
                yield from self._generated(generator, {}, pointer)
            except UnevaluatedError as error:
                self._note("generator", str(error), pointer)
            except (RefusedError, ValueError) as error:
                self.problems.append(
                    Problem("generator", str(error), self._resource.origin, pointer)
                )

    def _note(self, kind: str, message: str, pointer: str) -> None:
        self.problems.append(Problem(kind, message, self._resource.origin, pointer, False))

    def _generated(
        self, generator: Mapping[str, Any], outer: Parameters, pointer: str
    ) -> Iterator[Generated]:
        kind = next((name for name in generator if name not in ("selector", "template")), "")
        spec = section(generator, kind)
        template = section(spec, "template")
        for parameters in self._parameters(kind, spec, outer, f"{pointer}/{kind}"):
            if self._selected(generator.get("selector"), parameters):
                yield Generated(parameters, template)

    def _parameters(
        self, kind: str, spec: Any, outer: Parameters, pointer: str
    ) -> list[Parameters]:
        if kind in _NESTING:
            nested = self._matrix if kind == "matrix" else self._merge
            return nested(spec, outer, pointer)
        spec = self._templating.value(spec, outer) if outer else spec
        if kind == "list":
            return self._list(spec)
        if kind == "git":
            return self._git(spec)
        if kind == "clusters":
            return self._clusters(spec, pointer)
        raise UnevaluatedError(f"the generator {kind} asks outside the repository; not evaluated")

    def _matrix(self, spec: Mapping[str, Any], outer: Parameters, pointer: str) -> list[Parameters]:
        generators = maps(spec, "generators")
        if len(generators) != 2:
            raise ValueError("a matrix has two generators")
        return [
            self._combined(second.parameters, first.parameters)
            for first in self._generated(generators[0], outer, f"{pointer}/generators/0")
            for second in self._generated(
                generators[1], {**outer, **first.parameters}, f"{pointer}/generators/1"
            )
        ]

    def _combined(self, one: Parameters, other: Parameters) -> Parameters:
        if self._templating.go:
            return merged(one, other)
        for key in one.keys() & other.keys():
            if one[key] != other[key]:
                raise ValueError(f"both generators of a matrix give {key}")
        return {**one, **other}

    def _merge(self, spec: Mapping[str, Any], outer: Parameters, pointer: str) -> list[Parameters]:
        keys = [str(key) for key in entries(spec, "mergeKeys")]
        generators = maps(spec, "generators")
        if not keys or len(generators) < 2:
            raise ValueError("a merge has mergeKeys and at least two generators")
        base: dict[str, Parameters] = {}
        for index, generator in enumerate(generators):
            for found in self._generated(generator, outer, f"{pointer}/generators/{index}"):
                identity = json.dumps([_at(found.parameters, key) for key in keys], default=str)
                if index == 0:
                    if identity in base:
                        raise ValueError("the mergeKeys are not unique in the first generator")
                    base[identity] = found.parameters
                elif identity in base:
                    base[identity] = merged(base[identity], found.parameters)
        return list(base.values())

    def _list(self, spec: Mapping[str, Any]) -> list[Parameters]:
        elements = list(entries(spec, "elements"))
        written = spec.get("elementsYaml")
        if written:
            parsed, problems = documents.parse("", str(written).encode())
            if problems:
                raise ValueError(f"elementsYaml: {problems[0].message}")
            elements += (parsed[0].body if parsed else None) or []
        return [self._shaped(e) for e in elements if isinstance(e, Mapping)]

    def _shaped(self, element: Mapping[str, Any]) -> Parameters:
        """Parameters as the kind of template takes them: nested for Go, flat otherwise."""
        if self._templating.go:
            shaped: Parameters = _with_floats(element)
            return shaped
        result: Parameters = {}
        for key, value in element.items():
            if key == "values" and isinstance(value, Mapping):
                result |= {f"values.{name}": str(item) for name, item in value.items()}
            else:
                result[key] = value if isinstance(value, str) else _flat_text(value)
        return result

    def _git(self, spec: Mapping[str, Any]) -> list[Parameters]:
        url = str(spec.get("repoURL", ""))
        if not self._is_here(url):
            raise UnevaluatedError(f"the git generator reads {url}; nothing is fetched")
        prefix = str(spec.get("pathParamPrefix") or "")
        found = (
            self._folders(spec, prefix) if spec.get("directories") else self._files(spec, prefix)
        )
        values = section(spec, "values")
        return [self._with_values(parameters, values) for parameters in found]

    def _files(self, spec: Mapping[str, Any], prefix: str) -> list[Parameters]:
        chosen: set[str] = set()
        for entry in maps(spec, "files"):
            pattern = globs.pathspec(str(entry.get("path", "")))
            found = {path for path in self._scene.tree.files if pattern.fullmatch(path)}
            chosen = chosen - found if entry.get("exclude") else chosen | found
        return [
            {**content, **self._path(posixpath.dirname(path), prefix, path)}
            for path in sorted(chosen)
            for content in self._contents(path)
        ]

    def _contents(self, path: str) -> list[Parameters]:
        known = self._scene.documents.get(path)
        if known is None:
            known, problems = documents.parse(path, self._scene.tree.files[path])
            if problems:
                raise ValueError(f"{path}: {problems[0].message}")
        body = known[0].body if known else {}
        entries = body if isinstance(body, list) else [body]
        maps_only = [entry for entry in entries if isinstance(entry, Mapping)]
        if self._templating.go:
            return [_with_floats(entry) for entry in maps_only]
        return [flattened(entry) for entry in maps_only]

    def _folders(self, spec: Mapping[str, Any], prefix: str) -> list[Parameters]:
        folders = set()
        for path in self._scene.tree.files:
            while path := posixpath.dirname(path):
                folders.add(path)
        wanted = [e for e in maps(spec, "directories") if not e.get("exclude")]
        unwanted = [e for e in maps(spec, "directories") if e.get("exclude")]
        result = []
        for name in sorted(folders):
            if any(part.startswith(".") for part in name.split("/")):
                continue
            if _any_path(wanted, name) and not _any_path(unwanted, name):
                result.append(self._path(name, prefix, None))
        return result

    def _path(self, folder: str, prefix: str, file: str | None) -> Parameters:
        name = posixpath.basename(folder)
        if self._templating.go:
            facts: Parameters = {
                "path": folder,
                "basename": name,
                "basenameNormalized": normalized(name),
                "segments": folder.split("/"),
            }
            if file is not None:
                facts["filename"] = posixpath.basename(file)
                facts["filenameNormalized"] = normalized(posixpath.basename(file))
            return {prefix: {"path": facts}} if prefix else {"path": facts}
        start = f"{prefix}.path" if prefix else "path"
        result = {
            start: folder,
            f"{start}.basename": name,
            f"{start}.basenameNormalized": normalized(name),
        }
        if file is not None:
            result[f"{start}.filename"] = posixpath.basename(file)
            result[f"{start}.filenameNormalized"] = normalized(posixpath.basename(file))
        for index, segment in enumerate(folder.split("/")):
            result[f"{start}[{index}]"] = segment
        return result

    def _with_values(self, parameters: Parameters, values: Mapping[str, Any]) -> Parameters:
        if not values:
            return parameters
        rendered = {
            str(key): self._templating.text(str(value), parameters) for key, value in values.items()
        }
        if self._templating.go:
            return {**parameters, "values": rendered}
        return {**parameters, **{f"values.{key}": value for key, value in rendered.items()}}

    def _clusters(self, spec: Mapping[str, Any], pointer: str) -> list[Parameters]:
        secrets = [
            resource
            for resource in self._scene.of_kind("", "Secret")
            if dig(resource.body, "metadata", "labels", _REGISTRATION) == "cluster"
        ]
        found = [
            self._cluster(secret)
            for secret in secrets
            if _labels_fit(spec.get("selector"), section(secret.body, "metadata", "labels"))
        ]
        local = any(_entry(secret, "server") == IN_CLUSTER for secret in secrets)
        if not spec.get("selector") and not local:
            found.insert(0, self._facts("in-cluster", IN_CLUSTER, {}))
        if not secrets:
            message = "which clusters are registered with Argo CD is not in the repository"
            self._note("clusters", message, pointer)
        values = section(spec, "values")
        return [self._with_values(parameters, values) for parameters in found]

    def _cluster(self, secret: Resource) -> Parameters:
        name = _entry(secret, "name") or secret.id.name
        return self._facts(name, _entry(secret, "server"), section(secret.body, "metadata"))

    def _facts(self, name: str, server: str, metadata: Mapping[str, Any]) -> Parameters:
        facts: Parameters = {
            "name": name,
            "nameNormalized": normalized(name),
            "server": server,
            "project": "",
        }
        described = {
            where: {str(k): str(v) for k, v in section(metadata, where).items()}
            for where in ("labels", "annotations")
        }
        if self._templating.go:
            return {**facts, "metadata": described}
        for where, described_by in described.items():
            facts |= {f"metadata.{where}.{key}": value for key, value in described_by.items()}
        return facts

    def _selected(self, selector: Any, parameters: Parameters) -> bool:
        return not selector or _labels_fit(
            selector, {key: str(value) for key, value in flattened(parameters).items()}
        )


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Parameters:
    """Maps merged in depth; the second wins."""
    result = dict(one)
    for key, value in other.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = merged(known, value)
        else:
            result[key] = value
    return result


def flattened(body: Mapping[str, Any], prefix: str = "") -> Parameters:
    """Nested maps as one map of dotted names to texts."""
    result: Parameters = {}
    for key, value in body.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            result |= flattened(value, f"{name}.")
        elif isinstance(value, list):
            result |= flattened({str(i): item for i, item in enumerate(value)}, f"{name}.")
        else:
            result[name] = _flat_text(value)
    return result


def _flat_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":")) if value is not None else ""


def _with_floats(value: Any) -> Any:
    """Numbers as they come out of JSON in Go."""
    if isinstance(value, Mapping):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _at(parameters: Parameters, key: str) -> Any:
    if key in parameters:
        return parameters[key]
    return dig(parameters, *key.split("."))


def _any_path(entries: list[Mapping[str, Any]], folder: str) -> bool:
    return any(globs.path(str(e.get("path", "")).strip("/")).fullmatch(folder) for e in entries)


def _labels_fit(selector: Any, labels: Mapping[str, Any]) -> bool:
    if not isinstance(selector, Mapping):
        return True
    texts = {str(key): str(value) for key, value in labels.items()}
    terms = [f"{key}={value}" for key, value in section(selector, "matchLabels").items()]
    for entry in maps(selector, "matchExpressions"):
        key, values = entry.get("key"), ",".join(map(str, entries(entry, "values")))
        terms.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": f"{key}",
                "DoesNotExist": f"!{key}",
            }.get(str(entry.get("operator")), f"{key}")
        )
    return all(matches(term, texts) for term in terms)


def _entry(secret: Resource, name: str) -> str:
    plain = dig(secret.body, "stringData", name)
    if plain is not None:
        return str(plain)
    try:
        return base64.b64decode(str(dig(secret.body, "data", name, default=""))).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
