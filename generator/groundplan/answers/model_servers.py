"""The servers of a model: what makes them, how many there are, and on how many nodes each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import Fault
from groundplan.answers.model_memory import memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.answers.fields import Path

MODES = ("deployment", "kserve", "llm-d")
"""Who looks after the servers: nobody but Kubernetes, KServe, or llm-d's router before them."""
MUTATES_FROM = "1.36"
"""The Kubernetes version from which every API server has MutatingAdmissionPolicies."""
SMALLEST = "small"
"""The tier without KEDA, KServe, llm-d and LeaderWorkerSet."""


def most(model: Mapping[str, Any]) -> int:
    """How many servers of a model there may be at a time."""
    least = model.get("replicas", 1)
    said = model.get("most", max(least, 1) if isinstance(least, int) else 1)
    return said if isinstance(said, int) else 1


def pods(model: Mapping[str, Any]) -> int:
    """How many pods all the servers of a model, as `sized` gives it, have at most."""
    return most(model) * int(model["nodes"])


def sized(
    model: Mapping[str, Any], pool: Mapping[str, Any], accelerator: Mapping[str, Any], server: Any
) -> Mapping[str, Any]:
    """Add how many accelerators a server has, when nobody said, and on how many `nodes` they are.

    As few as the model fits in: within a node powers of two, which tensor parallelism can split
    heads by, then whole nodes up to the ceiling of the pool, which take a part of the layers each.
    One when it fits in none.
    """
    per_node, ceiling = pool.get("per_node"), pool.get("most")
    if not isinstance(per_node, int) or per_node < 1 or not isinstance(ceiling, int):
        return {"gpus": 1, "nodes": 1, **model}
    if isinstance(said := model.get("gpus"), int):
        return {**model, "nodes": _nodes(said, per_node)}
    within = {2**power for power in range(per_node.bit_length()) if 2**power <= per_node}
    whole = range(per_node, ceiling + 1, per_node)
    for gpus in sorted(within | {*whole}):
        tried = {**model, "gpus": gpus, "nodes": _nodes(gpus, per_node)}
        try:
            if memory(tried, accelerator, server).fits:
                return tried
        except (KeyError, TypeError):
            break  # something is missing or of a wrong type, which is said elsewhere
    return {**model, "gpus": 1, "nodes": 1}


def _nodes(gpus: int, per_node: int) -> int:
    return gpus // per_node if gpus > per_node else 1


def unserveable(
    path: Path, model: Mapping[str, Any], answers: Mapping[str, Any]
) -> Iterator[Fault]:
    """Say why a model cannot be served the way that it is asked for.

    Args:
        path: Where the model is among the answers.
        model: As `sized` gives it.
        answers: By question.
    """
    mode, least, nodes = model.get("serving", MODES[0]), model.get("replicas", 1), model["nodes"]
    if not isinstance(least, int):
        return
    if answers.get("tier") == SMALLEST:
        yield from _not_in_tier(path, model)
    if most(model) < least:
        what = f"there are at most {most(model)} servers and {least} to begin with"
        yield Fault((*path, "most"), "answers.most-below-replicas", what, f"write {least} or more")
    if mode == "kserve" and nodes > 1:
        what = f"KServe's servers are on one node each, and this one is on {nodes}"
        yield Fault((*path, "serving"), "answers.kserve-over-node", what, "use deployment or llm-d")
    if model.get("cache") == "kserve":
        yield from _not_kept((*path, "cache"), str(mode), str(answers.get("kubernetes", "")))
    if mode == "llm-d" and model.get("access", "namespace") != "gateway":
        what = "llm-d chooses a server for what comes through the gateway, and nothing does"
        yield Fault((*path, "access"), "answers.router-unreached", what, "write access: gateway")
    if least == 0 and mode != "llm-d":
        what = "without a server nobody counts the requests that would start one"
        fix = "write replicas: 1, or serving: llm-d, whose router counts them"
        yield Fault((*path, "replicas"), "answers.nothing-counts", what, fix)
    if least == 0 and "availability" in model:
        what = "a model that may have no server cannot promise to answer"
        fix = "write replicas: 1, or leave availability out"
        yield Fault((*path, "availability"), "answers.promise-at-nothing", what, fix)


def _not_kept(path: Path, mode: str, kubernetes: str) -> Iterator[Fault]:
    """Say why KServe cannot keep a model on nodes."""
    if mode != "kserve":
        what = "KServe keeps models on nodes for servers of its own alone"
        yield Fault(path, "answers.cache-not-there", what, "write serving: kserve, or cache: node")
    if kubernetes and kubernetes < MUTATES_FROM:
        what = f"KServe's Jobs need a policy that Kubernetes {kubernetes} does not have"
        fix = f"choose kubernetes: {MUTATES_FROM}, or cache: node"
        yield Fault(path, "answers.cache-not-there", what, fix)


def _not_in_tier(path: Path, model: Mapping[str, Any]) -> Iterator[Fault]:
    lacking = {
        "most": ("KEDA, which starts and ends servers,", most(model) > model.get("replicas", 1)),
        "serving": (f"{model.get('serving')}", model.get("serving", MODES[0]) != MODES[0]),
        "gpus": ("LeaderWorkerSet, for servers on several nodes,", model["nodes"] > 1),
    }
    for key, (what, wanted) in lacking.items():
        if wanted:
            fix = "leave it out, or choose tier: growing"
            yield Fault((*path, key), "answers.not-in-tier", f"{what} is not in tier small", fix)
