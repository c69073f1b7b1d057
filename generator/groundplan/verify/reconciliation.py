"""Whether the engine brings a repository up, keeps it, and survives a bad commit."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.engines import argocd, flux
from groundplan.engines.served import Served, serve
from groundplan.findings import Passed, Severity, Skipped
from groundplan.gitops.model import Engine
from groundplan.repository import Repository
from groundplan.resources import Resource
from groundplan.runners.client import Client, Request
from groundplan.runners.kinds import discover
from groundplan.schemas import Missing
from groundplan.verify.questions import Question
from groundplan.verify.record import Broken, Record, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from groundplan.gitops.model import Cluster, Unit
    from groundplan.process import Server
    from groundplan.runners.apiserver import ApiServer
    from groundplan.schemas import SchemaStore

RECONCILED = Question(
    "ENG001",
    "The engine reconciles every unit",
    Severity.HIGH,
    "see what the engine says about the unit",
)
HEALED = Question(
    "ENG002",
    "What is changed by hand is restored",
    Severity.HIGH,
    "let the unit heal itself: `selfHeal` of Argo CD",
)
PRUNED = Question(
    "ENG003",
    "What leaves Git leaves the cluster",
    Severity.HIGH,
    "let the unit prune",
)
KEPT = Question(
    "ENG004",
    "A bad commit takes nothing down",
    Severity.HIGH,
    "see what the engine removed",
)
QUESTIONS = (RECONCILED, HEALED, PRUNED, KEPT)

_PATIENCE = 900.0
"""Seconds for all units."""
_REACTION = 90.0
"""Seconds for the engine to react to one change."""
_TRIAL_FILE = "groundplan-trial.yaml"
_NO_FLUX = "its controllers are not run beside a cluster; their work was done in their order"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One unit with the time it took."""

    name: str
    seconds: float
    """From the start of the engine, or of the unit itself for Flux."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A cluster with an engine at work on a served repository."""

    client: Client
    cluster: Cluster
    """As served."""
    served: Served
    parts: tuple[Server, ...]
    """The engine's programs and the Git server."""
    progress: Callable[[str], None]


@contextlib.contextmanager
def brought_up(
    repository: Repository,
    cluster: Cluster,
    server: ApiServer,
    record: Record,
    progress: Callable[[str], None],
) -> Iterator[tuple[tuple[Reconciled, ...], Stage | None]]:
    """Have the cluster's engine bring the repository up, and work inside the block.

    The stage is None for Flux, whose controllers are not run.

    Raises:
        ToolError: When the engine cannot be run or ends.
    """
    if cluster.engine is Engine.FLUX or server.engine is None:
        yield _by_flux(cluster, repository, server, record, progress), None
        return
    with serve(repository, cluster, server.home, registry=server.registry) as served:
        tree = Repository.of(
            served.tree,
            schemas=repository.schemas,
            charts=repository.charts,
            kubernetes=repository.kubernetes,
            answers=repository.answers,
        )
        there = next(one for one in tree.clusters if one.name == cluster.name)
        programs = server.engine()
        argocd.install(server, there, repository.schemas, served.tree.files)
        with argocd.running(programs, server, served.tree.files) as parts:
            stage = Stage(server.client, there, served, (*parts, served.daemon), progress)
            yield _by_argocd(stage, repository.schemas, record), stage


def reconcile(
    repository: Repository,
    cluster: Cluster,
    server: ApiServer,
    record: Record,
    progress: Callable[[str], None],
) -> tuple[Reconciled, ...]:
    """Have the cluster's engine bring the repository up on an empty cluster, and try it.

    Raises:
        ToolError: When the engine cannot be run or ends.
    """
    with brought_up(repository, cluster, server, record, progress) as (units, stage):
        if stage is not None:
            up = {unit.name for unit in units}
            suitable = (u for u in stage.cluster.units if u.id.name in up and _suits(stage, u))
            _try_out(stage, next(suitable, None), record)
        return units


def _by_flux(
    cluster: Cluster,
    repository: Repository,
    server: ApiServer,
    record: Record,
    progress: Callable[[str], None],
) -> tuple[Reconciled, ...]:
    """Do what Flux's controllers would, and say that they were not run."""
    done = []
    flux.prepare(server.client, cluster)
    for unit in cluster.units:
        progress(f"{cluster.name}: applying {unit.id}")
        began = time.monotonic()
        problems = flux.apply_unit(server.client, unit, repository.schemas)
        beyond = _beyond(unit, repository.schemas, None)
        if beyond:
            record.take(RECONCILED, Skipped("units", beyond))
        for resource, message in problems if not beyond else ():
            record.take(RECONCILED, Broken(resource, message))
        if not (problems or beyond):
            record.take(RECONCILED, Passed())
        done.append(Reconciled(str(unit.id), time.monotonic() - began))
    for question in QUESTIONS:
        record.take(question, Skipped("Flux", _NO_FLUX))
    return tuple(done)


def _by_argocd(stage: Stage, schemas: SchemaStore, record: Record) -> tuple[Reconciled, ...]:
    """Wait until every Application is synced that can be."""
    began = time.monotonic()
    wanted: dict[str, Unit] = {}
    for unit in stage.cluster.units:
        if beyond := _beyond(unit, schemas, stage.served):
            record.take(RECONCILED, Skipped("units", beyond))
        else:
            wanted[unit.id.name] = unit
    done: dict[str, float] = {}
    said: dict[str, argocd.Application] = {}
    while wanted.keys() - done.keys() and time.monotonic() - began < _PATIENCE:
        argocd.ensure_alive(stage.parts)
        for application in argocd.applications(stage.client):
            said[application.name] = application
            if application.sync == "Synced":
                done.setdefault(application.name, time.monotonic() - began)
        stage.progress(f"{len(done)} of {len(wanted)} Applications are synced")
        time.sleep(1)
    for name, unit in wanted.items():
        if name in done:
            record.take(RECONCILED, Passed())
        else:
            record.take(RECONCILED, Broken(unit_object(unit), _why(said.get(name))))
    return tuple(Reconciled(name, done[name]) for name in wanted if name in done)


def _beyond(unit: Unit, schemas: SchemaStore, served: Served | None) -> str:
    """Why a unit cannot come up on this machine whatever it says; empty when it can.

    Without `served` every definition that is stored can be had.
    """
    missing = served.not_served if served is not None else ()
    for problem in unit.problems:
        if problem.elsewhere is not None and problem.elsewhere.repository in missing:
            return f"{problem.elsewhere.repository} is not to be had here"
    defined = served.defined if served is not None else None
    for resource in unit.resources:
        kind = resource.id
        if isinstance(schemas.lookup(kind.group, kind.version, kind.kind), Missing):
            return f"the definition of {kind.kind} is not stored"
        built_in = isinstance(schemas.crd_for(kind.group, kind.kind), Missing)
        if defined is None or built_in or kind.group == argocd.GROUP:
            continue
        if (kind.group, kind.kind) not in defined:
            return f"what brings {kind.kind} is not to be had here"
    return ""


def unit_object(unit: Unit) -> Resource:
    """The unit itself as an object of the repository."""
    return Resource(unit.id, {}, unit.origin)


def _why(application: argocd.Application | None) -> str:
    if application is None:
        return f"Argo CD made no such Application in {_PATIENCE:.0f} s"
    return f"it is {application.sync} and {application.health}: {application.message[:400]}"


def _try_out(stage: Stage, unit: Unit | None, record: Record) -> None:
    """Change something by hand, in Git, and badly."""
    if unit is None:
        for question in (HEALED, PRUNED, KEPT):
            record.take(question, Skipped("units", "none that is up has a network policy to try"))
        return
    subject = _policy(unit)
    record.take(HEALED, _heals(stage, subject))
    record.take(PRUNED, _prunes(stage, unit, subject))
    record.take(KEPT, _survives(stage, unit))


def _suits(stage: Stage, unit: Unit) -> bool:
    return any(
        f"{path}/kustomization.yaml" in stage.served.tree.files for path in unit.paths
    ) and any(r.id.kind == "NetworkPolicy" for r in unit.resources)


def _policy(unit: Unit) -> Resource:
    return next(r for r in unit.resources if r.id.kind == "NetworkPolicy")


def _path(resource: Resource) -> str:
    space, name = resource.id.namespace, resource.id.name
    return f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies/{name}"


def _heals(stage: Stage, subject: Resource) -> Said:
    """Change what pods a network policy is about, and wait until it is as before."""
    path, merge = _path(subject), "application/merge-patch+json"
    before = stage.client.get(path).body["spec"]
    changed = {"spec": {"podSelector": {"matchLabels": {"changed": "by-hand"}}}}
    answer = stage.client.send(Request("PATCH", path, changed, merge))
    if not answer.ok:
        return Skipped("changes by hand", f"it could not be changed: {answer.message}")
    stage.progress(f"waiting for {subject.id} to be restored")
    if _within(stage, lambda: stage.client.get(path).body.get("spec") == before):
        return Passed()
    return Broken(subject, f"it was changed by hand and not restored in {_REACTION:.0f} s")


def _prunes(stage: Stage, unit: Unit, subject: Resource) -> Said:
    """Add an object to a unit, and take it away again."""
    name, space = "groundplan-trial", subject.id.namespace
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}}
    path = f"/api/v1/namespaces/{space}/configmaps/{name}"
    with_it, before = _with_trial(stage, unit, json.dumps(body).encode())
    stage.served.commit(with_it, "Add an object")
    stage.progress("waiting for an object that was added in Git")
    if not _within(stage, lambda: stage.client.get(path).ok, unit):
        return Broken(unit_object(unit), f"what was added in Git did not come in {_REACTION:.0f} s")
    stage.served.commit(before, "Take it away again")
    stage.progress("waiting for it to leave")
    if _within(stage, lambda: stage.client.get(path).status == 404, unit):
        return Passed()
    return Broken(unit_object(unit), f"what left Git stayed for {_REACTION:.0f} s")


def _survives(stage: Stage, unit: Unit) -> Said:
    """Commit what cannot be built, and see that every object stays."""
    kinds = discover(stage.client)
    paths = [
        served.path(resource.id)
        for other in stage.cluster.units
        for resource in other.resources
        if (served := kinds.find(resource.id)) is not None
    ]

    def present() -> set[str]:
        answers = stage.client.send_all(Request("GET", path) for path in paths)
        return {path for path, answer in zip(paths, answers, strict=True) if answer.ok}

    before = present()
    bad, good = _with_trial(stage, unit, b"kind: [\n")
    stage.served.commit(bad, "Break the build")
    stage.progress("waiting for the engine to see a bad commit")

    def noticed() -> bool:
        return any(
            a.name == unit.id.name and a.sync != "Synced" for a in argocd.applications(stage.client)
        )

    seen = _within(stage, noticed, unit)
    time.sleep(5)
    lost = before - present()
    stage.served.commit(good, "Mend it")
    mended = _within(stage, lambda: not noticed(), unit)
    if not seen:
        return Skipped("bad commits", f"the engine did not see it in {_REACTION:.0f} s")
    if lost:
        return Broken(unit_object(unit), f"a commit that cannot be built removed {sorted(lost)}")
    if not mended:
        return Broken(unit_object(unit), "it did not recover when the commit was mended")
    return Passed()


def _with_trial(
    stage: Stage, unit: Unit, content: bytes
) -> tuple[Mapping[str, bytes | None], Mapping[str, bytes | None]]:
    """The files that add a trial object to a unit, and those that take it away again."""
    folder = next(
        path for path in unit.paths if f"{path}/kustomization.yaml" in stage.served.tree.files
    )
    listed = f"{folder}/kustomization.yaml"
    before = stage.served.tree.files[listed]
    body: dict[str, Any] = dict(documents.load(before.decode()))
    body["resources"] = [*body.get("resources", ()), _TRIAL_FILE]
    trial = f"{folder}/{_TRIAL_FILE}"
    return {listed: json.dumps(body).encode(), trial: content}, {listed: before, trial: None}


def _within(stage: Stage, done: Callable[[], bool], unit: Unit | None = None) -> bool:
    """Ask again and again while the engine has time to react."""
    give_up = time.monotonic() + _REACTION
    if unit is not None:
        argocd.refresh(stage.client, unit.id.name)
    while not done():
        argocd.ensure_alive(stage.parts)
        if time.monotonic() > give_up:
            return False
        time.sleep(0.5)
    return True
