"""Builds kustomizations: collects objects from the bottom up, then changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundplan.kustomize import generators, order, patches, references, replacements
from groundplan.kustomize import transformers as change
from groundplan.kustomize.definition import MisshapenError, decode_kustomization
from groundplan.kustomize.fieldspecs import Config, configuration, defaults
from groundplan.kustomize.files import Files
from groundplan.kustomize.items import Identity, Items
from groundplan.kustomize.problems import BuildError, RefusedError, StylesNeededError, problem
from groundplan.kustomize.refusals import left_out, refuse
from groundplan.kustomize.settling import is_local, settle
from groundplan.resources import Origin, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from groundplan.documents import Document, YamlProblem
    from groundplan.gitops.model import Problem
    from groundplan.tree import Tree


@dataclass(frozen=True, slots=True)
class Build:
    """What came of building one folder."""

    resources: tuple[Resource, ...]
    """In the order in which they would be written. Empty when the build broke off."""
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class _Layer:
    """Objects and rules as far as one kustomization has got."""

    items: Items = field(default_factory=Items)
    config: Config = field(default_factory=Config)
    problems: list[Problem] = field(default_factory=list)
    """Why objects are missing; the others are right all the same."""

    def add(self, other: _Layer) -> None:
        self.items.extend(other.items)
        self.config = self.config.merged(other.config)
        self.problems.extend(other.problems)

    def copy(self) -> _Layer:
        items = Items([item.copy() for item in self.items])
        return _Layer(items, self.config, list(self.problems))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a kustomization stands, and how it was reached."""

    folder: str
    file: str
    visited: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin:
        return Origin(self.file)

    def problem(self, fault: RefusedError, pointer: str = "") -> BuildError:
        if isinstance(fault, MisshapenError):
            pointer += fault.pointer
        return BuildError(problem(fault.kind, fault.message, self.origin, pointer))


class Builder:
    """Builds folders of one tree; what several of them share is read and built once."""

    def __init__(
        self,
        tree: Tree,
        documents: Mapping[str, tuple[Document, ...]],
        *,
        yaml_problems: Iterable[YamlProblem] = (),
        confined: bool = True,
        sort: bool = True,
    ) -> None:
        """Make a builder.

        Args:
            tree: The files.
            documents: Their YAML documents, as far as they are read already.
            yaml_problems: What was wrong with them; such files end a build.
            confined: Refuse files above a kustomization's own folder, as kustomize does by
                default and Flux does not.
            sort: Put objects into kustomize's own order, as its command does and Flux does not.
        """
        broken = {p.path: f"line {p.line}: {p.message}" for p in reversed(tuple(yaml_problems))}
        self._files = Files(tree, documents, broken)
        self._confined = confined
        self._sort = sort
        self._layers: dict[str, _Layer] = {}
        self._built: dict[str, Build] = {}
        self._definitions: dict[str, dict[str, Any]] = {}
        self._configs: dict[tuple[str, ...], Config] = {}

    @property
    def files(self) -> Files:
        """The files that it builds from."""
        return self._files

    def build(self, path: str, overlay: Mapping[str, Any] | None = None) -> Build:
        """Build a folder; as its file says it, once.

        Args:
            path: The folder, relative to the tree.
            overlay: A kustomization to use instead of the folder's file.
        """
        while True:
            try:
                if overlay is not None:
                    return self._build(path, overlay)
                if path not in self._built:
                    self._built[path] = self._build(path, None)
                return self._built[path]
            except BuildError as error:
                return Build((), error.problems)
            except StylesNeededError as error:
                self._files.read_styles(error.path)
                self._layers.clear()
                self._built.clear()

    def _build(self, path: str, overlay: Mapping[str, Any] | None) -> Build:
        place, definition = self._load(path, overlay)
        layer = self._layer(place, definition, shared=overlay is None)
        self._finish(layer, definition, place)
        resources = tuple(Resource.of(item.body, item.origin) for item in layer.items)
        return Build(resources, tuple(layer.problems))

    def definition(self, path: str) -> dict[str, Any]:
        """The checked contents of a folder's kustomization file.

        Raises:
            BuildError: when there is none, or it is not valid.
        """
        return self._load(path, None)[1]

    def _load(
        self, folder: str, overlay: Mapping[str, Any] | None, visited: tuple[str, ...] = ()
    ) -> tuple[_Place, dict[str, Any]]:
        file = self._files.kustomization(folder)
        place = _Place(folder, file or folder, visited)
        if overlay is None and file is None:
            message = f"{folder or 'the root'} has no kustomization file"
            raise BuildError(problem("missing-path", message, Origin(folder)))
        if overlay is None and file in self._definitions:
            return place, self._definitions[file]
        try:
            body = overlay if overlay is not None else self._files.body(place.file)
            definition = decode_kustomization({} if body is None else body)
        except RefusedError as fault:
            raise place.problem(fault) from fault
        if overlay is None:
            self._definitions[place.file] = definition
        return place, definition

    def _layer(self, place: _Place, definition: dict[str, Any], *, shared: bool) -> _Layer:
        """A kustomization's own layer, from the shelf when it was built before."""
        if shared and place.folder in self._layers:
            return self._layers[place.folder].copy()
        if definition["kind"] == "Component":
            message = f"{place.folder} is a Component; list it under components"
            raise BuildError(problem("kustomize", message, place.origin, "/kind"))
        layer = _Layer()
        self._fill(layer, place, definition)
        if shared:
            self._layers[place.folder] = layer.copy()
        return layer

    def _fill(self, layer: _Layer, place: _Place, definition: dict[str, Any]) -> None:
        """Do all that a kustomization says, on top of what a component finds there."""
        refuse(definition, place.origin)
        layer.problems.extend(left_out(definition, place.origin))
        self._add_resources(layer, place, definition)
        layer.config = layer.config.merged(self._config(place, definition))
        self._generate(layer, place, definition)
        for i, name in enumerate(definition.get("components", ())):
            self._add_component(layer, place, name, f"/components/{i}")
        self._transform(layer, place, definition)

    def _add_resources(self, layer: _Layer, place: _Place, definition: dict[str, Any]) -> None:
        fatal: list[Problem] = []
        # Not asked of all objects again for each file.
        known = layer.items.identities()
        for i, name in enumerate(definition["resources"]):
            try:
                self._add_resource(layer, place, name, f"/resources/{i}", known)
            except BuildError as error:
                for found in error.problems:
                    missing = found.kind == "remote-base" and found.origin == place.origin
                    (layer.problems if missing else fatal).append(found)
        if fatal:
            raise BuildError(*layer.problems, *fatal)

    def _add_resource(
        self, layer: _Layer, place: _Place, name: str, pointer: str, known: set[Identity]
    ) -> None:
        path = self._files.locate(place.folder, name, place.origin, pointer)
        try:
            if self._files.is_file(path):
                self._confine(place, path, pointer)
                objects = self._files.objects(path)
                layer.items.extend((item.copy() for item in objects), known)
            else:
                self._no_cycle(place, path, pointer)
                below, definition = self._load(path, None, (*place.visited, place.folder))
                layer.add(self._layer(below, definition, shared=True))
                known |= layer.items.identities()
        except RefusedError as fault:
            raise place.problem(fault, pointer) from fault

    def _add_component(self, layer: _Layer, place: _Place, name: str, pointer: str) -> None:
        path = self._files.locate(place.folder, name, place.origin, pointer)
        self._no_cycle(place, path, pointer)
        below, definition = self._load(path, None, (*place.visited, place.folder))
        if definition["kind"] != "Component":
            message = f"{path} is no Component; list it under resources"
            raise BuildError(problem("kustomize", message, place.origin, pointer))
        self._fill(layer, below, definition)

    def _config(self, place: _Place, definition: dict[str, Any]) -> Config:
        paths = []
        for i, name in enumerate(definition.get("configurations", ())):
            pointer = f"/configurations/{i}"
            path = self._files.locate(place.folder, name, place.origin, pointer)
            self._confine(place, path, pointer)
            self._files.content(path, place.origin, pointer)
            paths.append(path)
        key = tuple(paths)
        if key not in self._configs:
            try:
                self._configs[key] = defaults().merged(self._extra_config(paths))
            except RefusedError as fault:
                raise place.problem(fault, "/configurations") from fault
        return self._configs[key]

    def _extra_config(self, paths: list[str]) -> Config:
        extra = Config()
        for path in paths:
            try:
                extra = extra.merged(configuration(self._files.body(path)))
            except MisshapenError as fault:
                message = f"{fault.message} in a transformer configuration"
                raise BuildError(problem("syntax", message, Origin(path), fault.pointer)) from fault
        return extra

    def _generate(self, layer: _Layer, place: _Place, definition: dict[str, Any]) -> None:
        shared = definition.get("generatorOptions", {})
        for kind, name in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
            for i, entry in enumerate(definition.get(name, ())):
                pointer = f"/{name}/{i}"
                read = self._reader(place, pointer)
                try:
                    origin = Origin(place.file, 0, pointer)
                    generators.absorb(
                        layer.items, generators.make(kind, entry, shared, read, origin)
                    )
                except RefusedError as fault:
                    if not (layer.problems and fault.kind == generators.NOTHING_TO_CHANGE):
                        raise place.problem(fault, pointer) from fault

    def _reader(self, place: _Place, pointer: str) -> Callable[[str], bytes]:
        def read(name: str) -> bytes:
            path = self._files.locate(place.folder, name, place.origin, pointer)
            self._confine(place, path, pointer)
            return self._files.content(path, place.origin, pointer)

        return read

    def _transform(self, layer: _Layer, place: _Place, definition: dict[str, Any]) -> None:
        items, config = layer.items, layer.config
        for pointer, step in self._steps(layer, place, definition, config):
            try:
                step(items)
            except RefusedError as fault:
                raise place.problem(fault, pointer) from fault

    def _steps(
        self, layer: _Layer, place: _Place, definition: dict[str, Any], config: Config
    ) -> Iterable[tuple[str, Callable[[Items], None]]]:
        """Every change in the order in which kustomize makes them."""
        partial = bool(layer.problems)
        for name in ("patchesStrategicMerge", "patches"):
            for i, entry in enumerate(definition.get(name, ())):
                pointer = f"/{name}/{i}"
                patch = self._patch(place, entry, pointer)
                yield pointer, lambda items, p=patch: patches.apply(items, p, partial=partial)  # type: ignore[misc]
        for name, change_all in (
            ("namespace", change.set_namespace),
            ("namePrefix", change.add_prefix),
            ("nameSuffix", change.add_suffix),
        ):
            if definition.get(name):
                value = definition[name]
                yield f"/{name}", lambda items, c=change_all, v=value: c(items, v, config)  # type: ignore[misc]
        for i, entry in enumerate(definition.get("labels", ())):
            yield f"/labels/{i}", lambda items, e=entry: change.add_labels(items, e, config)  # type: ignore[misc]
        for name in ("commonLabels", "commonAnnotations"):
            pairs = definition.get(name, {})
            yield f"/{name}", lambda items, n=name, p=pairs: change.add_entries(items, p, config[n])  # type: ignore[misc]
        for i, entry in enumerate(definition.get("patchesJson6902", ())):
            pointer = f"/patchesJson6902/{i}"
            patch = self._patch(place, entry, pointer, former=True)
            yield pointer, lambda items, p=patch: patches.apply(items, p, partial=partial)  # type: ignore[misc]
        for i, entry in enumerate(definition.get("replicas", ())):
            yield f"/replicas/{i}", lambda items, e=entry: change.set_replicas(items, e, config)  # type: ignore[misc]
        for i, entry in enumerate(definition["images"]):
            yield f"/images/{i}", lambda items, e=entry: change.set_image(items, e, config)  # type: ignore[misc]
        yield from self._replacements(place, definition)

    def _replacements(
        self, place: _Place, definition: dict[str, Any]
    ) -> Iterable[tuple[str, Callable[[Items], None]]]:
        for i, entry in enumerate(definition.get("replacements", ())):
            pointer = f"/replacements/{i}"
            for single in self._replacement_list(place, entry, pointer):
                yield pointer, lambda items, e=single: replacements.apply(items, e)  # type: ignore[misc]

    def _replacement_list(
        self, place: _Place, entry: dict[str, Any], pointer: str
    ) -> list[dict[str, Any]]:
        if not entry.get("path"):
            return [entry]
        path = self._files.locate(place.folder, entry["path"], place.origin, pointer)
        self._confine(place, path, pointer)
        self._files.content(path, place.origin, pointer)
        return replacements.decoded(self._files.body(path), path)

    def _patch(
        self, place: _Place, entry: Any, pointer: str, *, former: bool = False
    ) -> patches.Patch:
        if isinstance(entry, str):
            named = "\n" not in entry and ":" not in entry
            entry = {"path": entry} if named else {"patch": entry}
        inline, name = entry.get("patch", "").strip(), entry.get("path", "")
        try:
            if bool(inline) == bool(name):
                raise RefusedError("a patch must have one of `patch` and `path`")
            content: str | bytes = inline or self._reader(place, pointer)(name)
            return patches.parse(content, entry, former=former)
        except RefusedError as fault:
            raise place.problem(fault, pointer) from fault

    def _confine(self, place: _Place, path: str, pointer: str) -> None:
        inside = not place.folder or path.startswith(f"{place.folder}/")
        if self._confined and not inside:
            message = f"{path} is not below {place.folder}, where its kustomization is"
            raise BuildError(problem("outside-root", message, place.origin, pointer))

    def _no_cycle(self, place: _Place, path: str, pointer: str) -> None:
        for visited in (*place.visited, place.folder):
            if visited == path or not path or visited.startswith(f"{path}/"):
                message = f"{path or 'the root'} contains the kustomization that refers to it"
                raise BuildError(problem("cycle", message, place.origin, pointer))

    def _finish(self, layer: _Layer, definition: dict[str, Any], place: _Place) -> None:
        """What is done once, at the top."""
        try:
            for item in layer.items:
                if item.needs_hash:
                    item.remember()
                    item.set_name(f"{item.name}-{generators.name_hash(item.body)}")
            references.update(layer.items, layer.config)
            layer.items.members = [item for item in layer.items if not is_local(item)]
            options = definition.get("sortOptions")
            if options is not None or self._sort:
                order.sort(layer.items, options)
        except RefusedError as fault:
            raise place.problem(fault) from fault
        for item in layer.items:
            settle(item)
