"""The changes that the fields of a kustomization make to every object."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from groundplan.kustomize.fieldspecs import Config, FieldSpec, spec_of, union, visit
from groundplan.kustomize.items import Gvk, Item, Items
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.scalars import text

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNNAMED = (
    Gvk(kind="CustomResourceDefinition"),
    Gvk(group="apiregistration.k8s.io", kind="APIService"),
    Gvk(kind="Namespace"),
)
_LABELS = FieldSpec(Gvk(), "metadata/labels", create=True)
_NAMESPACE = FieldSpec(Gvk(), "metadata/namespace", create=True)
_TAG = r"(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?"


def set_namespace(items: Items, namespace: str, config: Config) -> None:
    """Put every object that may have a namespace into this one.

    Raises:
        RefusedError: when two objects become one.
    """

    def put(holder: Any, key: Any) -> None:
        if isinstance(holder[key], dict | list):
            raise RefusedError("namespace field specs must target scalars")
        holder[key] = namespace

    for item in items:
        item.remember()
        gvk = item.gvk
        if not item.id.cluster_scoped:
            visit(item.body, gvk, _NAMESPACE, "", put)
        binding = gvk.kind in ("RoleBinding", "ClusterRoleBinding")
        if binding:
            _set_default_subjects(item, namespace)
        for spec in config["namespace"]:
            named = spec.path == "metadata/name" and gvk.api_version != "v1"
            subjects = binding and spec.path == "subjects/namespace" and spec.gvk.kind
            if spec.path != "metadata/namespace" and not named and not subjects:
                visit(item.body, gvk, spec, "", put)
    seen: set[tuple[Gvk, str, str]] = set()
    for item in items:
        key = (item.gvk, item.name, item.id.effective_namespace)
        if key in seen:
            raise RefusedError(f"the namespace {namespace} makes two objects of {item.id}")
        seen.add(key)


def _set_default_subjects(item: Item, namespace: str) -> None:
    subjects = item.body.get("subjects")
    for subject in subjects if isinstance(subjects, list) else ():
        if isinstance(subject, dict) and subject.get("name") == "default":
            subject["namespace"] = namespace


def add_prefix(items: Items, prefix: str, config: Config) -> None:
    """Put something before every name."""
    for item in items:
        if _rename(item, config["namePrefix"], lambda name: f"{prefix}{name}"):
            item.prefixes += (prefix,)


def add_suffix(items: Items, suffix: str, config: Config) -> None:
    """Put something after every name."""
    for item in items:
        if _rename(item, config["nameSuffix"], lambda name: f"{name}{suffix}"):
            item.suffixes += (suffix,)


def _rename(item: Item, specs: tuple[FieldSpec, ...], renamed: Any) -> bool:
    original = item.original_id.gvk
    if any(original.selected_by(gvk) for gvk in _UNNAMED):
        return False
    done = False

    def put(holder: Any, key: Any) -> None:
        holder[key] = renamed(text(holder[key]))

    for spec in specs:
        if not original.selected_by(spec.gvk):
            continue
        if spec.path == "metadata/name":
            item.remember()
            done = True
        visit(item.body, item.gvk, spec, "", put)
    return done


def add_labels(items: Items, entry: Mapping[str, Any], config: Config) -> None:
    """Add what one entry of `labels` says.

    Raises:
        RefusedError: when its field specifications contradict the others.
    """
    specs = tuple(spec_of(spec) for spec in entry.get("fields", ()))
    specs = union(specs, config["labels"])
    if entry.get("includeSelectors"):
        specs = union(specs, config["commonLabels"])
    else:
        if entry.get("includeTemplates"):
            specs = union(specs, config["templateLabels"])
        if entry.get("includeVolumeClaimTemplates"):
            specs = union(specs, config["volumeClaimTemplateLabels"])
        specs = union(specs, [_LABELS])
    add_entries(items, entry.get("pairs", {}), specs)


def add_entries(items: Items, pairs: Mapping[str, str], specs: tuple[FieldSpec, ...]) -> None:
    """Add entries to every map that the specifications find.

    Raises:
        RefusedError: when a specification finds something that is no map.
    """

    def put(holder: Any, key: Any) -> None:
        if holder[key] is None:
            holder[key] = {}
        if not isinstance(holder[key], dict):
            raise RefusedError(f"{key} is no map of labels or annotations")
        holder[key].update(pairs)

    if not pairs:
        return
    for item in items:
        gvk = item.gvk
        for spec in specs:
            visit(item.body, gvk, spec, {}, put)


def set_replicas(items: Items, entry: Mapping[str, Any], config: Config) -> None:
    """Set a number of replicas.

    Raises:
        RefusedError: when no object with replicas has the name.
    """

    def put(holder: Any, key: Any) -> None:
        holder[key] = entry.get("count", 0)

    found = False
    for spec in config["replicas"]:
        for item in items.any_id(
            lambda i, spec=spec: i.name == entry.get("name") and i.gvk.selected_by(spec.gvk)  # type: ignore[misc]
        ):
            found = True
            visit(item.body, item.gvk, spec, 0, put)
    if not found:
        raise RefusedError(f"no object with replicas has the name {entry.get('name')}")


def set_image(items: Items, entry: Mapping[str, Any], config: Config) -> None:
    """Change the name, tag or digest of an image wherever it is used.

    Raises:
        RefusedError: when an image is no string.
    """

    def put(holder: Any, key: Any) -> None:
        if isinstance(holder[key], dict | list):
            raise RefusedError("an image is no string")
        holder[key] = _image(holder[key], entry)

    for item in items:
        if item.gvk.kind == "CustomResourceDefinition":
            continue
        _visit_containers(item.body, put)
        for spec in config["images"]:
            visit(item.body, item.gvk, spec, None, put)


def _visit_containers(node: Any, put: Any) -> None:
    if isinstance(node, list):
        for value in node:
            _visit_containers(value, put)
    elif isinstance(node, dict):
        for key, value in node.items():
            _visit_containers(value, put)
            if key in ("containers", "initContainers") and isinstance(value, list):
                for container in value:
                    if isinstance(container, dict) and container.get("image") is not None:
                        put(container, "image")


@functools.lru_cache(maxsize=1024)
def _image_pattern(name: str) -> re.Pattern[str] | None:
    try:
        return re.compile(name + _TAG)
    except re.error:
        return None


def _image(value: Any, entry: Mapping[str, Any]) -> Any:
    pattern = _image_pattern(entry.get("name", ""))
    if value is None or pattern is None or not pattern.fullmatch(text(value)):
        return value
    name, tag, digest = split_image(text(value))
    name = entry.get("newName") or name
    if entry.get("newTag") or entry.get("digest"):
        tag, digest = entry.get("newTag", ""), entry.get("digest", "")
    elif entry.get("tagSuffix"):
        tag, digest = tag + entry["tagSuffix"], ""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split_image(image: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image reference."""
    start = max(image.find("/"), 0)
    at, colon = image.find("@", start), image.find(":", start)
    if at < 0 and colon < 0:
        return image, "", ""
    if at >= 0 and (at < colon or colon < 0):
        return image[:at], "", image[at + 1 :]
    if at >= 0:
        return image[:colon], image[colon + 1 : at], image[at + 1 :]
    return image[:colon], image[colon + 1 :], ""
