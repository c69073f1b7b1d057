"""Pools of accelerators and the models that are served on them: whether they fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.answers import model_servers
from groundplan.answers.caches import late, styles, unstored
from groundplan.answers.fields import Fault, Many, Number, Record, Text, label, shown, suggestion
from groundplan.answers.model_memory import memory
from groundplan.answers.objectives import objective_fields, unmeasured
from groundplan.answers.pools import (
    TOGETHER,
    Hardware,
    Items,
    among,
    driver_of,
    optional,
    pool_record,
    slice_of,
    unmade,
)
from groundplan.answers.standing import unsteady

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundplan.answers.fields import Kind, Path, Wrong
    from groundplan.template import Template

IMAGES_FROM = "1.36"
"""The Kubernetes version from which every node mounts images as volumes."""
_HUB = re.compile(r"hf://[A-Za-z0-9][\w.-]*/[\w.-]+@[0-9a-f]{40}", re.ASCII)
_BUCKET = re.compile(
    r"(s3|gs)://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.=-]+)+@sha256:[0-9a-f]{64}", re.ASCII
)
_IMAGE = re.compile(r"oci://[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
_MODEL_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


def hardware(template: Template) -> Hardware:
    """Read what a template knows of accelerators."""

    def data(file: str) -> Any:
        return documents.load((template.root / file).read_bytes(), file)

    return Hardware(
        data("blueprints/accelerators.yaml"),
        data("blueprints/model-server.yaml"),
        data("blueprints/model-rules.yaml"),
        {name: data(f"overlays/{name}/place.yaml") for name in template.places},
        data("blueprints/model-cache.yaml"),
        data("blueprints/drivers.yaml"),
    )


def serving_fields(known: Hardware) -> Mapping[str, Kind]:
    """What is known about the answers on accelerators and models: by question."""
    precisions = tuple(known.server["precisions"])
    serving = among(*model_servers.MODES, id="answers.not-a-serving", what="way to serve")
    access = among("namespace", "gateway", id="answers.not-an-access", what="access")
    attention = among("gqa", "mla", id="answers.not-an-attention", what="kind of attention")
    cache = among(*sorted(styles(known)), id="answers.not-a-cache", what="cache")
    model = Record(
        {
            "name": Text(_model_name),
            "namespace": Text(label),
            "pool": Text(label),
            "source": Text(_source),
            "parameters_m": Number(least=1),
            "precision": among(*precisions, id="answers.not-a-precision", what="precision"),
            "layers": Number(least=1),
            "kv_heads": Number(least=1),
            "head_dim": Number(least=1),
            "context": Number(least=1),
            "max_concurrency": Number(least=1),
            "size_gib": Number(required=False, least=1),
            "attention": optional(attention),
            "gpus": Number(required=False, least=1),
            "replicas": Number(required=False),
            "most": Number(required=False, least=1),
            **objective_fields(known.rules),
            "serving": optional(serving),
            "access": optional(access),
            "cache": optional(cache),
            "cold_start_s": Number(required=False, least=1),
        }
    )
    return {"pools": Many(pool_record(known)), "models": Many(model)}


def unserved(answers: Mapping[str, Any], known: Hardware) -> Iterator[Fault]:
    """Say which pools no place can make and which models cannot be served.

    Answers that are wrong by themselves are left to others.
    """
    known = replace(known, caches={**known.caches, "tier": answers.get("tier")})
    clusters = {str(c.get("name")): c for _, c in _items(answers, "clusters")}
    pools, models = _items(answers, "pools"), _items(answers, "models")
    if pools and not answers.get("teams"):
        what = "a pool serves teams, and there is none"
        yield Fault(("pools",), "answers.pools-without-teams", what, "add a team, or drop the pool")
    yield from unmade(pools, clusters, _items(answers, "teams"), known)
    yield from unsteady(pools, clusters, answers, known)
    named = {str(pool.get("name")): pool for _, pool in pools}
    models = [(path, _sized(model, named, known)) for path, model in models]
    for path, model in models:
        yield from _placed(path, model, named, answers)
        yield from model_servers.unserveable(path, model, answers)
        cluster = clusters.get(str(named.get(str(model.get("pool")), {}).get("cluster")))
        if cluster is not None:
            yield from unstored(path, model, model_servers.pods(model), cluster, known)
        yield from _started(path, model, named, cluster, known)
        yield from unmeasured(path, model, known.rules, answers.get("tier"))
        yield from _driven(path, model, named, clusters, known)
    yield from _kept_once(models, named)
    yield from _counted(models, pools, answers, known)


def _items(answers: Mapping[str, Any], question: str) -> Items:
    items = answers.get(question)
    if not isinstance(items, list):
        return []
    return [((question, i), item) for i, item in enumerate(items) if isinstance(item, Mapping)]


def _model_name(value: str) -> Wrong | None:
    """A DNS label that leaves room for what is made of it."""
    if _MODEL_NAME.fullmatch(value):
        return None
    what = f"{shown(value)} is no name of at most 40 of a-z, 0-9 and - that begins with a letter"
    return "answers.not-a-model", what, "shorten it, as in qwen3-8b"


def _source(value: str) -> Wrong | None:
    """What the weights are, not where the newest of them are."""
    if any(form.fullmatch(value) for form in (_HUB, _BUCKET, _IMAGE)):
        return None
    fix = (
        "write hf://ORG/NAME@COMMIT with 40 digits, s3://BUCKET/PATH@sha256:DIGEST of its "
        "SHA256SUMS, or oci://HOST/PATH@sha256:DIGEST"
    )
    return "answers.floating-model", f"{shown(value)} does not say which weights these are", fix


def _placed(
    path: Path, model: Mapping[str, Any], pools: Mapping[str, Any], answers: Mapping[str, Any]
) -> Iterator[Fault]:
    """Whether a model has a pool and an owner, on one cluster."""
    pool = pools.get(str(model.get("pool")))
    if pool is None:
        what = f"there is no pool {shown(model.get('pool'))}"
        fix = suggestion(str(model.get("pool")), pools) if pools else "add it to pools"
        yield Fault((*path, "pool"), "answers.unknown-pool", what, fix)
    owners = {
        str(namespace): team
        for _, team in _items(answers, "teams")
        for namespace in team.get("namespaces") or ()
    }
    namespace = str(model.get("namespace"))
    if namespace not in owners:
        what = f"no team has the namespace {shown(model.get('namespace'))}"
        fix = suggestion(namespace, owners) if owners else "add a team"
        yield Fault((*path, "namespace"), "answers.unknown-namespace", what, fix)
    elif pool and pool.get("cluster") not in owners[namespace].get("clusters", [pool["cluster"]]):
        what = f"team {owners[namespace].get('name')} is not on {pool['cluster']}"
        yield Fault((*path, "pool"), "answers.team-not-there", what, "name a pool where it is")
    kubernetes = str(answers.get("kubernetes", IMAGES_FROM))
    if str(model.get("source")).startswith("oci:") and kubernetes < IMAGES_FROM:
        what = f"Kubernetes {kubernetes} does not mount images for everybody"
        fix = f"choose kubernetes: {IMAGES_FROM}, or a source with hf://"
        yield Fault((*path, "source"), "answers.images-not-mounted", what, fix)


def _started(
    path: Path,
    model: Mapping[str, Any],
    pools: Mapping[str, Any],
    cluster: Mapping[str, Any] | None,
    known: Hardware,
) -> Iterator[Fault]:
    """Whether a model fits its accelerators, and is there in time."""
    pool = pools.get(str(model.get("pool")), {})
    gpus, per_node = model["gpus"], pool.get("per_node")
    if isinstance(gpus, int) and isinstance(per_node, int) and gpus > per_node and gpus % per_node:
        what = f"a server with {gpus} accelerators would leave some of a node's {per_node} alone"
        fix = f"write a multiple of {per_node}"
        yield Fault((*path, "gpus"), "answers.nodes-not-whole", what, fix)
    try:
        found = memory(model, slice_of(pool, known), known.server)
    except (KeyError, TypeError, ZeroDivisionError):
        return  # something is missing or of a wrong type, which is said elsewhere
    if not found.fits:
        what = (
            f"needs {found.needed:.1f} GiB on each {_unit(pool)} (weights "
            f"{found.weights:.1f}, key-value cache {found.cache:.1f}, work {found.working:.1f}), "
            f"usable are {found.usable:.1f}"
        )
        fix = "lower context or max_concurrency, use fewer bits, more gpus or a larger accelerator"
        yield Fault(path, "answers.model-does-not-fit", what, fix)
    elif cluster is not None:
        yield from late(
            path, model, (found.weights * gpus, model_servers.pods(model)), cluster, known
        )


def _unit(pool: Mapping[str, Any]) -> str:
    """What a model is given one of."""
    profile = pool.get("profile")
    return f"{profile} of {pool['accelerator']}" if profile else str(pool["accelerator"])


def _driven(
    path: Path,
    model: Mapping[str, Any],
    pools: Mapping[str, Any],
    clusters: Mapping[str, Mapping[str, Any]],
    known: Hardware,
) -> Iterator[Fault]:
    """Whether a pool's driver runs the engine, and its sharing keeps what a model promises."""
    pool = pools.get(str(model.get("pool")), {})
    sharing = pool.get("sharing")
    if sharing in TOGETHER:
        what = f"{pool['name']} is shared by {sharing}, which keeps no latency and no memory"
        fix = "name a pool with sharing none, mig or dra"
        yield Fault((*path, "pool"), "answers.model-on-shared-accelerator", what, fix)
    gpus = model.get("gpus", 1)
    if sharing == "mig" and isinstance(gpus, int) and gpus > 1:
        what = f"the model wants {gpus} slices, which do not reach each other"
        yield Fault((*path, "gpus"), "answers.model-over-slice", what, "use whole accelerators")
    cluster = clusters.get(str(pool.get("cluster")), {})
    if cluster.get("place") not in known.places:
        return
    driver = driver_of(pool, cluster, known)
    cuda = known.server["cuda"]
    least = known.drivers[cuda.split(".")[0]]
    if driver.isdecimal() and int(driver) < least:
        what = f"the engine needs CUDA {cuda}, and so driver {least}; the pool has {driver}"
        fix = f"bring driver {least} or newer to the nodes"
        yield Fault((*path, "pool"), "answers.driver-too-old", what, fix)


def _kept_once(models: Items, pools: Mapping[str, Any]) -> Iterator[Fault]:
    """KServe keeps a source once in each cluster, whoever serves it."""
    seen = set()
    for path, model in models:
        if model.get("cache") != "kserve":
            continue
        key = pools.get(str(model.get("pool")), {}).get("cluster"), str(model.get("source"))
        if key in seen:
            what = "KServe keeps another model of this source on that cluster already"
            yield Fault((*path, "source"), "answers.kept-twice", what, "write cache: node")
        seen.add(key)


def _counted(
    models: Items, pools: Items, answers: Mapping[str, Any], known: Hardware
) -> Iterator[Fault]:
    """Whether pools and quotas have as many accelerators as their models want."""
    for path, pool in pools:
        wanted = _wanted(model for _, model in models if model.get("pool") == pool.get("name"))
        slices = slice_of(pool, known)["slices"]
        if isinstance(most := pool.get("most"), int) and wanted > most * slices:
            has = f"{most}" if slices == 1 else f"{most} of {slices} slices"
            what = f"the pool's models want {wanted} accelerators and it may have {has}"
            fix = f"write {-(-wanted // slices)} or more"
            yield Fault((*path, "most"), "answers.pool-too-small", what, fix)
    for path, team in _items(answers, "teams"):
        allowed = str(team.get("gpus", "0"))
        for namespace in team.get("namespaces") or ():
            wanted = _wanted(model for _, model in models if model.get("namespace") == namespace)
            if allowed.isdecimal() and wanted > int(allowed):
                what = f"models in {namespace} want {wanted} accelerators, the quota is {allowed}"
                fix = f'write gpus: "{wanted}" or more'
                yield Fault((*path, "gpus"), "answers.models-over-quota", what, fix)


def _wanted(models: Iterable[Mapping[str, Any]]) -> int:
    counts = ((model.get("gpus", 1), model_servers.most(model)) for model in models)
    return sum(gpus * most for gpus, most in counts if isinstance(gpus, int))


def _sized(
    model: Mapping[str, Any], pools: Mapping[str, Any], known: Hardware
) -> Mapping[str, Any]:
    """A model with what its pool makes of it, as far as that can be said."""
    pool = pools.get(str(model.get("pool")), {})
    return model_servers.sized(model, pool, slice_of(pool, known), known.server)
