"""ApplicationSets: the Applications that Argo CD makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from groundplan import documents
from groundplan.gitops.argo_placing import WAVE
from groundplan.gitops.generators import Generated, Generators, merged
from groundplan.gitops.gotemplate import TemplateError, UnknownError
from groundplan.gitops.model import Problem
from groundplan.gitops.scene import Scene, dig, section
from groundplan.gitops.templating import Templating
from groundplan.resources import Resource


def expand(
    scene: Scene, resource: Resource, is_here: Callable[[str], bool]
) -> tuple[tuple[tuple[Resource, Mapping[str, Any]], ...], tuple[Problem, ...]]:
    """Applications with the parameters behind each, and what could not be evaluated.

    Args:
        scene: The repository.
        resource: The ApplicationSet.
        is_here: Whether a URL is this repository.
    """
    spec = section(resource.body, "spec")
    templating = Templating.of(spec)
    generators = Generators(scene, resource, templating, is_here)
    applications: list[tuple[Resource, Mapping[str, Any]]] = []
    problems: list[Problem] = []
    # Clusters share much: the patches of most of their Applications are the same text.
    changes = cache(_changes)
    for generated in generators.all():
        try:
            body = _application(resource, spec, generated, templating, changes)
        except TemplateError as error:
            known = not isinstance(error, UnknownError)
            problems.append(
                Problem("template", str(error), resource.origin, "/spec/template", known)
            )
            continue
        applications.append((Resource.of(body, resource.origin), generated.parameters))
    return tuple(applications), (*generators.problems, *problems)


def _application(
    resource: Resource,
    spec: Mapping[str, Any],
    generated: Generated,
    templating: Templating,
    changes: Callable[[str], Mapping[str, Any]],
) -> dict[str, Any]:
    template = merged(section(spec, "template"), generated.template)
    body = templating.value(template, generated.parameters)
    patch = spec.get("templatePatch")
    if patch:
        body = _merged(body, changes(templating.text(str(patch), generated.parameters)))
    metadata = {**section(body, "metadata")}
    metadata.setdefault("namespace", resource.id.namespace or "argocd")
    inherited = dig(resource.body, "metadata", "annotations", WAVE)
    annotations = section(metadata, "annotations")
    if inherited is not None and WAVE not in annotations:
        metadata["annotations"] = {**annotations, WAVE: inherited}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "spec": section(body, "spec"),
    }


def _changes(patch: str) -> Mapping[str, Any]:
    """What a template patch says: maps are merged, everything else is replaced."""
    parsed, problems = documents.parse("", patch.encode())
    if problems:
        raise TemplateError(f"templatePatch gives no YAML: {problems[0].message}")
    changes = parsed[0].body if parsed else {}
    if not isinstance(changes, Mapping):
        raise TemplateError("templatePatch gives no map")
    return changes


def _merged(value: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), change)
    return result
