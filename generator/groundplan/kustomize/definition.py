"""The contents of a kustomization file, decoded as strictly as kustomize does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.kustomize.problems import RefusedError

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

Shape = Any
"""A type, a list of one shape, a map of `*` to a shape, or a struct of field names to shapes."""

_STRINGS = {"*": str}
_OPTIONS = {
    "labels": _STRINGS,
    "annotations": _STRINGS,
    "disableNameSuffixHash": bool,
    "immutable": bool,
}
_GENERATOR = {
    "namespace": str,
    "name": str,
    "behavior": str,
    "literals": [str],
    "files": [str],
    "envs": [str],
    "env": str,
    "options": _OPTIONS,
}
_GVK = {"group": str, "version": str, "kind": str}
_ID = {**_GVK, "name": str, "namespace": str}
SELECTOR = {**_ID, "annotationSelector": str, "labelSelector": str}
PATCH = {"path": str, "patch": str, "target": SELECTOR, "options": {"*": bool}}
IMAGE = dict.fromkeys(("name", "newName", "newTag", "tagSuffix", "digest"), str)
FIELD_SPEC = {**_GVK, "path": str, "create": bool}
_FIELD_OPTIONS = {"delimiter": str, "index": int, "encoding": str, "create": bool}
REPLACEMENT = {
    "path": str,
    "source": {**_ID, "fieldPath": str, "options": _FIELD_OPTIONS},
    "sourceValue": str,
    "targets": [
        {
            "select": SELECTOR,
            "reject": [SELECTOR],
            "fieldPaths": [str],
            "options": _FIELD_OPTIONS,
        }
    ],
}
_KUSTOMIZATION = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str, "namespace": str, "labels": _STRINGS, "annotations": _STRINGS},
    "openapi": _STRINGS,
    "namePrefix": str,
    "nameSuffix": str,
    "namespace": str,
    "commonLabels": _STRINGS,
    "labels": [
        {
            "pairs": _STRINGS,
            "includeSelectors": bool,
            "includeTemplates": bool,
            "includeVolumeClaimTemplates": bool,
            "fields": [FIELD_SPEC],
        }
    ],
    "commonAnnotations": _STRINGS,
    "patchesStrategicMerge": [str],
    "patchesJson6902": [PATCH],
    "patches": [PATCH],
    "images": [IMAGE],
    "imageTags": [IMAGE],
    "replacements": [REPLACEMENT],
    "replicas": [{"name": str, "count": int}],
    "vars": [object],
    "sortOptions": {
        "order": str,
        "legacySortOptions": {"orderFirst": [str], "orderLast": [str]},
    },
    "resources": [str],
    "components": [str],
    "crds": [str],
    "bases": [str],
    "configMapGenerator": [_GENERATOR],
    "secretGenerator": [{**_GENERATOR, "type": str}],
    "helmGlobals": object,
    "helmCharts": [object],
    "helmChartInflationGenerator": [object],
    "generatorOptions": _OPTIONS,
    "configurations": [str],
    "generators": [str],
    "transformers": [str],
    "validators": [str],
    "buildMetadata": [str],
}
_CONFIG_LISTS = (
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "templateLabels",
    "volumeClaimTemplateLabels",
    "commonAnnotations",
    "images",
    "replicas",
    "varReference",
)
CONFIGURATION = {
    **{name: [FIELD_SPEC] for name in _CONFIG_LISTS},
    "nameReference": [{**_GVK, "fieldSpecs": [FIELD_SPEC]}],
}
_NAMES = {str: "a string", bool: "a boolean", int: "an integer"}


class MisshapenError(RefusedError):
    """A value that does not fit, and where."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message, "syntax")
        self.pointer = pointer


def decode(value: Any, shape: Shape, pointer: str = "") -> Any:
    """Check a value against a shape; nulls are left out and keys take their usual case.

    Raises:
        MisshapenError: at the first thing that does not fit.
    """
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise MisshapenError("must be a list", pointer)
        return [decode(item, shape[0], f"{pointer}/{i}") for i, item in enumerate(value)]
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            raise MisshapenError("must be a map", pointer)
        return _decode_map(value, shape, pointer)
    if shape is int and isinstance(value, bool):
        raise MisshapenError("must be an integer", pointer)
    if not isinstance(value, shape):
        raise MisshapenError(f"must be {_NAMES.get(shape, 'something else')}", pointer)
    return value


def _decode_map(value: Mapping[str, Any], shape: dict[str, Shape], pointer: str) -> dict[str, Any]:
    known = {name.lower(): name for name in shape}
    result = {}
    for key, item in value.items():
        here = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
        name = key if "*" in shape else known.get(str(key).lower())
        if name is None:
            raise MisshapenError(f"unknown field `{key}`", here)
        if item is not None:
            result[name] = decode(item, shape.get("*") or shape[name], here)
        elif "*" in shape:
            result[name] = {str: "", bool: False}[shape["*"]]
    return result


def decode_kustomization(body: Any) -> dict[str, Any]:
    """Check a kustomization file and bring its older fields into today's form.

    Raises:
        RefusedError: when kustomize would not take it.
    """
    result: dict[str, Any] = decode(body, _KUSTOMIZATION)
    kind = result.setdefault("kind", "Kustomization")
    if kind not in ("Kustomization", "Component"):
        raise MisshapenError("kind should be Kustomization or Component", "/kind")
    version = f"kustomize.config.k8s.io/{'v1alpha1' if kind == 'Component' else 'v1beta1'}"
    if result.setdefault("apiVersion", version) != version:
        raise MisshapenError(f"apiVersion for {kind} should be {version}", "/apiVersion")
    if not any(_counts(key, value) for key, value in result.items()):
        raise MisshapenError("the kustomization is empty", "")
    result["resources"] = [*result.get("resources", ()), *result.pop("bases", ())]
    result["images"] = [*result.get("images", ()), *result.pop("imageTags", ())]
    for generator in (*result.get("configMapGenerator", ()), *result.get("secretGenerator", ())):
        if generator.get("env"):
            generator["envs"] = [*generator.get("envs", ()), generator.pop("env")]
    return result


def _counts(key: str, value: Any) -> bool:
    """Whether a field keeps a kustomization from being empty; to Go an empty list is something."""
    if key in ("bases", "imageTags", "helmChartInflationGenerator"):
        return bool(value)
    return key not in ("apiVersion", "kind") and (bool(value) or isinstance(value, list | dict))
