"""What is promised of a model: whether it can be measured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import Fault, Number, Record, Text, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.answers.fields import Kind, Path, Wrong

_IMAGE = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[\w.-]+)?@sha256:[0-9a-f]{64}")


def objective_fields(rules: Mapping[str, Any]) -> Mapping[str, Kind]:
    """The keys of a model that say what is promised of it, from `model-rules.yaml`."""
    choices = tuple(rules["availability"]["choices"])

    def availability(value: str) -> Wrong | None:
        if value in choices:
            return None
        what = f"{shown(value)} is no availability"
        return "answers.not-an-availability", what, f"use one of {', '.join(choices)}"

    latencies = {key: Number(required=key == "ttft_ms", least=1) for key in rules["latencies"]}
    return {
        **latencies,
        "availability": Text(availability, required=False, choices=choices),
        "evaluation": Record(
            {"image": Text(_image), "least_percent": Number(least=1)}, required=False
        ),
    }


def unmeasured(
    path: Path, model: Mapping[str, Any], rules: Mapping[str, Any], tier: object
) -> Iterator[Fault]:
    """Say which promises nobody could tell broken: those beside every bucket, or without a way."""
    for key, latency in rules["latencies"].items():
        bounds = [round(bucket * 1000) for bucket in latency["buckets"]]
        if isinstance(promised := model.get(key), int) and promised not in bounds:
            what = f"no bucket of the engine's histogram ends at {promised} ms"
            near = min(bounds, key=lambda bound: abs(bound - promised))
            yield Fault((*path, key), "answers.not-a-bucket", what, f"use {near}")
    evaluation = model.get("evaluation")
    if evaluation is None:
        return
    if tier == "small":
        what = "an evaluation sends its score to the OpenTelemetry gateway, which small lacks"
        fix = "leave it out, or choose tier: growing"
        yield Fault((*path, "evaluation"), "answers.not-in-tier", what, fix)
    least = evaluation.get("least_percent") if isinstance(evaluation, dict) else None
    if isinstance(least, int) and least > 100:
        what = f"no score is above 100 %, so none is {least} %"
        fix = "write 100 or less"
        yield Fault((*path, "evaluation", "least_percent"), "answers.too-large", what, fix)


def _image(value: str) -> Wrong | None:
    if _IMAGE.fullmatch(value):
        return None
    fix = "write HOST/PATH@sha256:DIGEST"
    return "answers.floating-image", f"{shown(value)} does not say which image this is", fix
