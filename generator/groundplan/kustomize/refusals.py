"""What a kustomization may say that is not done here, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.kustomize.problems import BuildError, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.gitops.model import Problem
    from groundplan.resources import Origin


def refuse(definition: dict[str, Any], origin: Origin) -> None:
    """Stop where nobody could say what the objects would be.

    Raises:
        BuildError: `plugin` or `unsupported`.
    """
    refused = []
    if definition.get("transformers"):
        message = "transformers are plugins; they are not run"
        refused.append(problem("plugin", message, origin, "/transformers"))
    for name in ("vars", "crds"):
        if definition.get(name):
            message = f"{name} are not evaluated"
            refused.append(problem("unsupported", message, origin, f"/{name}"))
    if "path" in definition.get("openapi", {}):
        message = "a schema of the repository's own is not evaluated"
        refused.append(problem("unsupported", message, origin, "/openapi/path"))
    if refused:
        raise BuildError(*refused)


def left_out(definition: dict[str, Any], origin: Origin) -> Iterator[Problem]:
    """What would add objects or only look at them: the others can be built without it."""
    for name in ("generators", "validators"):
        if definition.get(name):
            message = f"{name} are plugins; they are not run"
            yield problem("plugin", message, origin, f"/{name}")
    for name in ("helmCharts", "helmChartInflationGenerator"):
        for i, _ in enumerate(definition.get(name, ())):
            message = "a chart in a kustomization is not rendered"
            yield problem("helm-charts", message, origin, f"/{name}/{i}")
