"""Pools of accelerators and models: rendered for every place, refused where they do not fit."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import time
from dataclasses import asdict
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks, copier_adapter, documents
from groundplan.answers.caches import cold_start, style_of
from groundplan.answers.model_memory import memory
from groundplan.answers.serving import hardware, unserved
from groundplan.errors import AnswersError
from groundplan.exporters import exporters
from groundplan.findings import Passed, Severity
from groundplan.repository import Repository
from groundplan.runners.apiserver import running
from groundplan.runners.client import apply
from groundplan.schemas import default_charts, default_store
from groundplan.template import Template
from groundplan.tree import Tree
from groundplan.verify import verify
from tests import control_planes
from tests.rendering import CLUSTERS, READY, ROOT, parsed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.control_planes import Planes


KNOWN = hardware(Template(ROOT, "v0"))
CLOUDS = {"eks": "l4", "gke": "l4", "aks": "a100-80gb", "capi": "l4"}
TEAM = {"name": "ml", "namespaces": ["chat"], "contact": "@acme/ml", "gpus": "1"}
QWEN = {
    "name": "qwen3-8b",
    "namespace": "chat",
    "pool": "gpu",
    "source": "hf://Qwen/Qwen3-8B@9c925d64d72725edaf899c6cb9c377fd0709d9c5",
    "parameters_m": 8190,
    "precision": "bf16",
    "layers": 36,
    "kv_heads": 8,
    "head_dim": 128,
    "context": 4096,
    "max_concurrency": 6,
    "ttft_ms": 1000,
}
EVALUATION = {"image": f"registry.acme.example/eval@sha256:{'2' * 64}", "least_percent": 80}
IMAGE = f"oci://registry.acme.example/models/qwen3-8b@sha256:{'1' * 64}"


BUCKET = f"://acme-models/qwen3-8b@sha256:{'2' * 64}"


def answers(place: str = "eks", model: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A platform with one pool and one model at a place."""
    cluster = CLUSTERS[place] | ({"management": "factory"} if place == "capi" else {})
    pool = {"name": "gpu", "cluster": cluster["name"], "accelerator": CLOUDS[place]}
    pool |= {"per_node": 1, "most": 1}
    return {
        "clusters": [cluster],
        "teams": [TEAM],
        "pools": [pool | more.pop("pool", {})],
        "models": [QWEN | (model or {})],
        "practices": READY,
    } | more


def render(folder: Path, **given: Any) -> Tree:
    """Render with our renderer, which asks the template's own validators."""
    copier_adapter.render(Template(ROOT, "v0"), given, folder / "rendered")
    return Tree.read(folder / "rendered")


def found(tree: Tree, kind: str) -> list[Any]:
    every = [path for path in tree.files if path.endswith(".yaml")]
    return [
        body
        for path in every
        for body in parsed(tree, path)
        if isinstance(body, dict) and body.get("kind") == kind
    ]


def loaded(tree: Tree) -> Repository:
    return Repository.of(tree, schemas=default_store("1.37"), charts=default_charts())


@pytest.mark.parametrize(
    ("place", "source", "engine"),
    [
        ("eks", QWEN["source"], "flux"),
        ("gke", IMAGE, "flux"),
        ("aks", IMAGE, "argocd"),
        ("capi", QWEN["source"], "argocd"),
    ],
)
def test_a_model_at_every_place_has_no_finding(
    place: str, source: str, engine: str, tmp_path: Path
) -> None:
    model = {"source": source, "access": "gateway"}
    tree = render(tmp_path, engine=engine, **answers(place, model))

    report = checks.run(loaded(tree))
    assert [str(finding) for finding in report.at_least(Severity.LOW)] == []


@pytest.mark.parametrize("place", CLOUDS)
def test_a_model_selects_the_label_that_its_pool_has_and_tolerates_its_taint(
    place: str, tmp_path: Path
) -> None:
    tree = render(tmp_path, **answers(place))

    [server] = [d for d in found(tree, "Deployment") if d["metadata"]["name"] == "qwen3-8b"]
    pod = server["spec"]["template"]["spec"]
    [(label, value)] = pod["nodeSelector"].items()
    [text] = [
        text.decode()
        for path, text in tree.files.items()
        if path.endswith("accelerator-pools/pools.yaml")
    ]
    assert value == "gpu"
    assert "name: gpu\n" in text if place == "gke" else f"{label}: gpu\n" in text
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert place == "gke" or "nvidia.com/gpu" in text


def on_nodes(place: str, **model: Any) -> dict[str, Any]:
    """Two servers that read the disks of their own nodes, on the most demanding tier."""
    more = {"pool": {"most": 2}, "teams": [TEAM | {"gpus": "2"}], "tier": "enterprise"}
    given = answers(place, {"replicas": 2} | model, **more)
    [cluster] = given["clusters"]
    disk = {"capi": {"weights_disk": "/mnt/nvme"}, "eks": {"gpu_stack": "operator"}}
    return given | {"clusters": [cluster | disk[place]]}


def kept(**model: Any) -> dict[str, Any]:
    """Two servers of KServe whose model its LocalModelCache keeps on nodes."""
    return on_nodes("capi", **{"serving": "kserve", "cache": "kserve"} | model)


@pytest.mark.parametrize(
    ("place", "engine", "serving"),
    [("capi", "flux", "kserve"), ("eks", "argocd", "deployment")],
)
def test_each_node_has_a_filler_and_no_pod_of_a_team_mounts_the_node(
    place: str, engine: str, serving: str, tmp_path: Path
) -> None:
    tree = render(tmp_path, engine=engine, **on_nodes(place, serving=serving))

    report = checks.run(loaded(tree))
    assert [str(finding) for finding in report.at_least(Severity.LOW)] == []
    [[listed]] = [parsed(tree, "models/catalog.yaml")]
    assert listed["models"][0]["cache"]["style"] == "node"
    makers = {d["metadata"]["name"]: d for d in found(tree, "DaemonSet")}
    fills, makes = makers["qwen3-8b-fill"], makers["gpu"]
    [volume] = found(tree, "PersistentVolume")
    [claim] = [c for c in found(tree, "PersistentVolumeClaim") if "weights" in str(c["metadata"])]
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    held = {"namespace": "chat", "name": claim["metadata"]["name"]}
    assert volume["spec"]["claimRef"] == held
    [disk] = makes["spec"]["template"]["spec"]["volumes"]
    assert volume["spec"]["local"]["path"] == f"{disk['hostPath']['path']}/qwen3-8b"
    servers = [*found(tree, "Deployment"), *found(tree, "InferenceService")]
    of_team = [pod for pod in map(str, servers) if "qwen3-8b" in pod]
    assert of_team
    assert not [pod for pod in (*of_team, str(fills)) if "hostPath" in pod]
    waits = {k["metadata"]["name"]: k["spec"] for k in found(tree, "Kustomization") if "spec" in k}
    assert engine != "flux" or waits["model-qwen3-8b-cache"]["wait"] is False
    assert "sync-wave" not in str(parsed(tree, "models/qwen3-8b/cache/kustomization.yaml"))
    nodes = {one["metadata"]["name"]: one["spec"] for one in found(tree, "EC2NodeClass")}
    assert place != "eks" or nodes["gpu"]["instanceStorePolicy"] == "RAID0"


def test_a_node_keeps_a_revision_for_a_week_and_nobody_elses_model(tmp_path: Path) -> None:
    """The script that has the node's disk, until it sleeps."""
    tree = render(tmp_path / "rendered", **on_nodes("capi"))
    [makes] = [d for d in found(tree, "DaemonSet") if d["metadata"]["name"] == "gpu"]
    [container] = makes["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    disk, programs, long_ago = tmp_path / "disk", tmp_path / "programs", time.time() - 8 * 86400
    now = environment["NAMED"]
    for name, age in (
        (f"{now}", long_ago),
        ("qwen3-8b/yesterday", time.time()),
        ("qwen3-8b/last-week", long_ago),
        ("gone/revision", long_ago),
    ):
        (disk / name).mkdir(parents=True)
        for path in (disk / name, (disk / name).parent):
            os.utime(path, (age, age))
    programs.mkdir()
    (programs / "sleep").write_text("#!/bin/sh\nexit 1\n")
    (programs / "sleep").chmod(0o755)

    environment |= {"DISK": f"{disk}", "PATH": f"{programs}:/usr/bin:/bin"}
    environment |= {"GROUP": f"{os.getgid()}"}
    subprocess.run(container["command"], env=environment, check=False)
    assert {folder.name for folder in disk.iterdir()} == {"qwen3-8b"}
    left = {folder.name for folder in (disk / "qwen3-8b").iterdir()} - {".named"}
    assert left == {now.partition("/")[2], "yesterday"}


def test_a_new_folder_is_its_models_alone(tmp_path: Path) -> None:
    tree = render(tmp_path / "rendered", **on_nodes("capi"))
    [makes] = [d for d in found(tree, "DaemonSet") if d["metadata"]["name"] == "gpu"]
    [container] = makes["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    disk, programs = tmp_path / "disk", tmp_path / "programs"
    for folder in (disk, programs):
        folder.mkdir()
    (programs / "sleep").write_text("#!/bin/sh\nexit 1\n")
    (programs / "sleep").chmod(0o755)

    environment |= {"DISK": f"{disk}", "PATH": f"{programs}:/usr/bin:/bin"}
    environment |= {"GROUP": f"{os.getgid()}"}
    subprocess.run(container["command"], env=environment, check=False)
    assert (disk / "qwen3-8b").stat().st_mode & 0o7777 == 0o2770


@pytest.mark.parametrize(
    ("engine", "source", "uri"),
    [
        ("flux", QWEN["source"], "hf://Qwen/Qwen3-8B:9c925d64d72725edaf899c6cb9c377fd0709d9c5"),
        ("argocd", f"s3{BUCKET}", f"s3{BUCKET}"),
    ],
)
def test_kserve_keeps_a_model_on_nodes_under_the_names_that_it_looks_for(
    engine: str, source: str, uri: str, tmp_path: Path
) -> None:
    tree = render(tmp_path, engine=engine, **kept(source=source))

    report = checks.run(loaded(tree))
    assert [str(finding) for finding in report.at_least(Severity.LOW)] == []
    judged = {result.check_id for result in report.results if result.outcomes}
    assert judged >= {"MOD005", "MOD006", "MOD007", "MOD008"}
    [cache], [group] = found(tree, "LocalModelCache"), found(tree, "LocalModelNodeGroup")
    [program], [server] = found(tree, "ClusterStorageContainer"), found(tree, "InferenceService")
    [container] = server["spec"]["predictor"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["STORAGE_URI"] == cache["spec"]["sourceModelUri"] == uri
    assert program["spec"]["supportedUriFormats"] == [{"prefix": uri}]
    assert cache["spec"]["nodeGroups"] == [group["metadata"]["name"]]
    claim = f"{cache['metadata']['name']}-{group['metadata']['name']}"
    volumes = {one["metadata"]["name"]: one["spec"] for one in found(tree, "PersistentVolume")}
    assert volumes.keys() == {f"{claim}-download", f"{claim}-chat"}
    for space, one in (("kserve-model-caches", "download"), ("chat", "chat")):
        held = {"namespace": space, "name": claim}
        assert volumes[f"{claim}-{one}"]["claimRef"] == held
    [volume] = [v for v in server["spec"]["predictor"]["volumes"] if "weights" in str(v)]
    assert volume["persistentVolumeClaim"] == {"claimName": claim, "readOnly": True}
    folder = group["spec"]["persistentVolumeSpec"]["local"]["path"]
    assert volumes[f"{claim}-download"]["local"]["path"] == folder
    own = f"{folder}/models/{hashlib.sha256(uri.encode()).hexdigest()[:16]}"
    assert volumes[f"{claim}-chat"]["local"]["path"] == own


def test_kserves_agents_read_no_secret_and_make_jobs_in_one_namespace(tmp_path: Path) -> None:
    tree = render(tmp_path, **kept())

    of_kserve = [
        role
        for kind in ("ClusterRole", "Role")
        for role in found(tree, kind)
        if role["metadata"]["name"] in {"kserve-model-agents", "kserve-local-models"}
    ]
    assert len(of_kserve) == 5
    allowed = {
        (role["metadata"].get("namespace", ""), resource, verb)
        for role in of_kserve
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert not [one for one in allowed if one[1] in {"secrets", "serviceaccounts"}]
    changed = {one for one in allowed if one[2] not in {"get", "list", "watch"}}
    assert changed == {
        ("kserve-model-caches", "jobs", "create"),
        ("kserve-model-caches", "jobs", "delete"),
        ("", "localmodelcaches", "patch"),
        ("", "localmodelcaches/status", "update"),
        ("", "localmodelnodes", "create"),
        ("", "localmodelnodes", "patch"),
        ("", "localmodelnodes/status", "update"),
    }


def test_what_kserve_cannot_keep_apart_is_agreed_to_or_accepted(tmp_path: Path) -> None:
    apart = {"practices": {**READY, "team_trust": "apart"}}
    risk = {"what": "team_trust", "owner": "@acme/security", "reason": "All are public."}

    with pytest.raises(
        AnswersError, match="component kserve-model-caches needs team_trust: together"
    ):
        render(tmp_path / "refused", **kept() | apart)
    accepted = {"accepted_risks": [risk | {"expires": "2099-05-31"}]}
    tree = render(tmp_path / "accepted", **kept() | apart | accepted)
    [exception] = found(tree, "PostureException")
    assert exception["spec"]["policies"] == ["prerequisite/team_trust"]


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        ({"serving": "deployment"}, {}, "servers of its own alone"),
        ({}, {"kubernetes": "1.35"}, "a policy that Kubernetes 1.35 does not have"),
        ({}, {"clusters": [CLUSTERS["capi"] | {"management": "factory"}]}, 'the cache "kserve"'),
        ({}, {"models": [kept()["models"][0], kept()["models"][0] | {"name": "other"}]}, "refuses"),
    ],
)
def test_kserve_keeps_no_model_where_it_cannot(
    model: dict[str, Any], more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    given = kept(**model) | more

    with pytest.raises(AnswersError, match=re.escape(sentence)):
        render(tmp_path / "refused", **given)
    faults = {fault.id for fault in unserved(given, KNOWN)}
    assert faults & {"answers.cache-not-there", "answers.kept-twice"}


@pytest.mark.cluster
def test_a_job_of_kserves_agent_gets_the_toleration_and_an_end(tmp_path: Path) -> None:
    """Of what its source makes (`launchJob` of v0.20.0), by a real API server."""
    tree = render(tmp_path, **kept())
    [program] = found(tree, "ClusterStorageContainer")
    pod = {"nodeSelector": {"kubernetes.io/hostname": "gpu-0"}, "restartPolicy": "Never"}
    pod |= {"containers": [program["spec"]["container"]], "securityContext": {"fsGroup": 2000}}
    job: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "Job"}
    job |= {"metadata": {"name": "qwen3-8b-gpu-0"}, "spec": {"template": {"spec": pod}}}
    space = "kserve-model-caches"
    with running(control_planes.binaries()) as server:
        [named] = [n for n in found(tree, "Namespace") if n["metadata"]["name"] == space]
        assert server.client.send(apply(f"/api/v1/namespaces/{space}", named, dry_run=False)).ok
        for kind, plural in (("", "policies"), ("Binding", "policybindings")):
            [one] = found(tree, f"MutatingAdmissionPolicy{kind}")
            kinds = f"/apis/admissionregistration.k8s.io/v1/mutatingadmission{plural}"
            path = f"{kinds}/{one['metadata']['name']}"
            assert server.client.send(apply(path, one, dry_run=False)).ok
        path = f"/apis/batch/v1/namespaces/{space}/jobs/qwen3-8b-gpu-0"
        for _ in range(60):  # until the API server has read the policy
            answer = server.client.send(apply(path, job, dry_run=True))
            assert answer.ok, answer.message
            if "tolerations" in answer.body["spec"]["template"]["spec"]:
                break
            time.sleep(0.5)
    spec = answer.body["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (5, 14400)
    made = spec["template"]["spec"]
    taint = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert made["tolerations"] == [taint]
    assert made["priorityClassName"] == "inference-serving"
    assert made["automountServiceAccountToken"] is False
    [policy] = [p for p in found(tree, "NetworkPolicy") if p["metadata"]["name"].endswith("-fetch")]
    label = policy["spec"]["podSelector"]["matchLabels"]
    assert label.items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.cluster
@pytest.mark.parametrize("given", [on_nodes("eks"), on_nodes("capi"), kept()])
def test_a_server_takes_what_fills_nodes_and_the_scheduler_finds_the_volume(
    given: dict[str, Any], one_plane: Planes, tmp_path: Path
) -> None:
    tree = render(tmp_path, **given)

    report = verify(loaded(tree), one_plane).report
    assert [str(finding) for finding in report.findings] == []
    [landed] = [result for result in report.results if result.check_id == "SCH001"]
    assert [outcome for outcome in landed.outcomes if not isinstance(outcome, Passed)] == []


@pytest.mark.cluster
@pytest.mark.parametrize("place", CLOUDS)
def test_a_server_takes_every_object_and_the_scheduler_puts_the_model_on_its_pool(
    place: str, one_plane: Planes, tmp_path: Path
) -> None:
    model = {"source": QWEN["source"] if place == "eks" else IMAGE}
    tree = render(tmp_path, **answers(place, model))

    report = verify(loaded(tree), one_plane).report
    assert [str(finding) for finding in report.findings] == []
    [landed] = [result for result in report.results if result.check_id == "SCH001"]
    assert [outcome for outcome in landed.outcomes if not isinstance(outcome, Passed)] == []
    assert sum(o.count for o in landed.outcomes if isinstance(o, Passed)) == 1


def test_no_pool_and_no_model_leave_nothing_behind(tmp_path: Path) -> None:
    tree = render(tmp_path, teams=[TEAM], clusters=[CLUSTERS["eks"]])

    assert not [path for path in tree.files if re.search("models/|accelerator-pools", path)]


def test_the_namespaces_quota_has_room_for_the_model(tmp_path: Path) -> None:
    model = {"source": IMAGE, "replicas": 2}
    more = {"pool": {"most": 2}, "teams": [TEAM | {"gpus": "2"}]}
    tree = render(tmp_path, **answers("eks", model, **more))

    quota = next(q for q in found(tree, "ResourceQuota") if q["metadata"]["name"] == "namespace")
    [server] = [d for d in found(tree, "Deployment") if d["metadata"]["name"] == "qwen3-8b"]
    [engine] = server["spec"]["template"]["spec"]["containers"]
    memory_of_one = int(engine["resources"]["requests"]["memory"].removesuffix("Gi"))
    assert quota["spec"]["hard"]["requests.memory"] == f"{8 + 2 * memory_of_one}Gi"
    assert quota["spec"]["hard"]["requests.cpu"] == "12"


@pytest.mark.parametrize("tier", ["small", "growing", "enterprise"])
def test_servers_come_before_what_can_wait(tier: str, tmp_path: Path) -> None:
    model = {"source": IMAGE, "serving": "deployment" if tier == "small" else "kserve"}
    model |= {} if tier == "small" else {"evaluation": EVALUATION}
    tree = render(tmp_path, tier=tier, **answers("eks", model))

    made = {one["metadata"]["name"]: one for one in found(tree, "PriorityClass")}
    serving, batch = made["inference-serving"], made["inference-batch"]
    assert serving["value"] > 0 > batch["value"] >= -10
    assert (serving.get("preemptionPolicy"), batch["preemptionPolicy"]) == (None, "Never")
    [server] = found(tree, "InferenceService") or [
        one for one in found(tree, "Deployment") if one["metadata"]["name"] == QWEN["name"]
    ]
    pod = server["spec"].get("predictor") or server["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "inference-serving"
    jobs = [one["spec"]["jobTemplate"]["spec"] for one in found(tree, "CronJob")]
    own = [job for job in jobs if "groundplan.dev/owner" in job["template"]["metadata"]["labels"]]
    waiting = [job["template"]["spec"]["priorityClassName"] for job in own]
    assert waiting == ([] if tier == "small" else ["inference-batch"])


def test_only_what_fetches_a_model_reaches_the_internet(tmp_path: Path) -> None:
    tree = render(tmp_path, **answers())

    open_to = [
        policy["spec"]["podSelector"]["matchLabels"]
        for policy in found(tree, "NetworkPolicy")
        if policy["metadata"]["namespace"] == "chat" and "0.0.0.0/0" in str(policy["spec"])
    ]
    [job] = found(tree, "Job")
    assert open_to == [{"groundplan.dev/fetches": "qwen3-8b"}]
    assert open_to[0].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert "nvidia.com/gpu" not in str(job)


@pytest.mark.parametrize(
    ("place", "model", "style", "modes"),
    [
        ("eks", {}, "volume", {"qwen3-8b-9c925d64": ["ReadWriteOnce"]}),
        ("eks", {"replicas": 2}, "shared", {"qwen3-8b-weights": ["ReadWriteMany"]}),
        ("eks", {"source": f"s3{BUCKET}"}, "volume", {"qwen3-8b-22222222": ["ReadWriteOnce"]}),
        ("eks", {"source": IMAGE, "replicas": 2}, "image", {}),
        ("gke", {"source": f"gs{BUCKET}"}, "volume", {"qwen3-8b-22222222": ["ReadWriteOnce"]}),
        (
            "gke",
            {"source": f"gs{BUCKET}", "replicas": 2},
            "snapshot",
            {
                "qwen3-8b-22222222": ["ReadWriteOnce"],
                "qwen3-8b-22222222-read": ["ReadOnlyMany"],
            },
        ),
        ("aks", {"replicas": 2}, "shared", {"qwen3-8b-weights": ["ReadWriteMany"]}),
        ("capi", {"source": f"s3{BUCKET}"}, "volume", {"qwen3-8b-22222222": ["ReadWriteOnce"]}),
        ("capi", {"cache": "shared"}, "shared", {"qwen3-8b-weights": ["ReadWriteMany"]}),
        ("capi", {"cache": "node"}, "node", {"qwen3-8b-weights": ["ReadWriteMany"]}),
    ],
)
def test_a_rule_decides_how_weights_come_to_the_servers(
    place: str, model: dict[str, Any], style: str, modes: dict[str, list[str]], tmp_path: Path
) -> None:
    count = model.get("replicas", 1)
    more: dict[str, Any] = {"pool": {"most": count}, "teams": [TEAM | {"gpus": f"{count}"}]}
    given = answers(place, model, **more)
    if place == "eks":
        given["clusters"] = [given["clusters"][0] | {"weights_filesystem": "fs-0123456789abcdef0"}]
    if place == "capi":
        given["clusters"] = [given["clusters"][0] | {"weights_disk": "/mnt/nvme"}]
    tree = render(tmp_path, **given)

    [[listed]] = [parsed(tree, "models/catalog.yaml")]
    assert listed["models"][0]["cache"]["style"] == style
    claims = {c["metadata"]["name"]: c["spec"] for c in found(tree, "PersistentVolumeClaim")}
    kept = claims.pop("qwen3-8b-compiled", None)
    assert {name: claim["accessModes"] for name, claim in claims.items()} == modes
    assert kept or style == "snapshot", "what the engine compiles is kept where it can be"
    classes = {one["metadata"]["name"] for one in found(tree, "StorageClass")}
    asked = {spec.get("storageClassName") for spec in (*claims.values(), kept or {})}
    assert asked - {None} <= classes
    report = checks.run(loaded(tree))
    assert [str(finding) for finding in report.at_least(Severity.LOW)] == []


@pytest.mark.parametrize(
    ("tier", "place", "model", "style"),
    [
        ("small", "gke", {"size_gib": 60}, "volume"),
        ("growing", "gke", {"size_gib": 60}, "snapshot"),
        ("small", "capi", {"replicas": 2}, "shared"),
        ("growing", "capi", {"replicas": 2}, "node"),
        ("enterprise", "capi", {"replicas": 2}, "node"),
        ("enterprise", "capi", {}, "volume"),
        ("enterprise", "capi", {"source": IMAGE, "replicas": 2}, "image"),
    ],
)
def test_the_tier_takes_part_in_the_rule(
    tier: str, place: str, model: dict[str, Any], style: str, tmp_path: Path
) -> None:
    """A small platform has the simplest that works."""
    pool = {"accelerator": "h100", "most": 2}
    given = answers(place, model, pool=pool, teams=[TEAM | {"gpus": "2"}], tier=tier)
    [cluster] = given["clusters"]
    disk = {"weights_disk": "/mnt/nvme"} if place == "capi" else {}
    tree = render(tmp_path, **given | {"clusters": [cluster | disk]})

    [[listed]] = [parsed(tree, "models/catalog.yaml")]
    assert listed["models"][0]["cache"]["style"] == style
    sized = given["models"][0]
    offers = KNOWN.places[place]["weights"]
    caches = {**KNOWN.caches, "tier": tier}
    count = sized.get("replicas", 1)
    assert style_of(sized, sized.get("size_gib", 16), count, offers, caches) == style


def test_another_revision_is_another_volume_and_another_job(tmp_path: Path) -> None:
    """A volume that one node has could not be filled anew while a server reads it."""
    other = QWEN["source"].replace("@9c92", "@0000")
    before, after = (
        render(tmp_path / name, **answers("eks", {"source": source}))
        for name, source in (("before", QWEN["source"]), ("after", other))
    )
    for kind in ("Job", "PersistentVolumeClaim"):
        names = [{o["metadata"]["name"] for o in found(t, kind)} for t in (before, after)]
        assert names[0] & names[1] <= {"qwen3-8b-compiled"}


@pytest.mark.parametrize("spoiled", [False, True])
def test_no_marker_is_left_where_a_file_is_not_what_it_should_be(
    spoiled: bool, tmp_path: Path
) -> None:
    """The Job's own script, with a copy from a folder in place of the bucket."""
    bucket, models, programs = (tmp_path / name for name in ("bucket", "models", "programs"))
    for folder in (bucket, models, programs):
        folder.mkdir()
    (bucket / "model.safetensors").write_bytes(b"weights")
    weights = hashlib.sha256(b"weights").hexdigest()
    sums = f"{weights}  model.safetensors\n".encode()
    (bucket / "SHA256SUMS").write_bytes(sums)
    digest = hashlib.sha256(sums).hexdigest()
    if spoiled:
        (bucket / "model.safetensors").write_bytes(b"other weights")
    (programs / "rclone").write_text(f'#!/bin/sh\nmkdir -p "$3" && cp {bucket}/* "$3"\n')
    (programs / "rclone").chmod(0o755)
    source = f"gs://acme-models/qwen3-8b@sha256:{digest}"
    [job] = found(render(tmp_path / "rendered", **answers("gke", {"source": source})), "Job")
    [container] = job["spec"]["template"]["spec"]["containers"]
    shell, options, script = container["command"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    environment |= {"PATH": f"{programs}:/usr/bin:/bin"}

    local = script.replace("/models", f"{models}")
    done = subprocess.run([shell, options, local], env=environment, check=False)
    marker = models / digest / ".complete"
    assert (done.returncode == 0, marker.exists()) == (not spoiled, not spoiled)
    assert spoiled or marker.read_text() == digest


def test_a_revision_that_nobody_names_goes_after_a_week(tmp_path: Path) -> None:
    tree = render(tmp_path / "rendered", **answers("capi", {"cache": "shared"}))
    [evicts] = found(tree, "CronJob")
    [container] = evicts["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    now = environment["REVISION"]
    models, long_ago = tmp_path / "models", time.time() - 8 * 86400
    for name, age in ((now, long_ago), ("yesterday", time.time()), ("last-week", long_ago)):
        (models / name).mkdir(parents=True)
        (models / name / ".complete").write_text(name)
        for path in (models / name / ".complete", models / name):
            os.utime(path, (age, age))

    environment |= {"MODELS": f"{models}", "PATH": "/usr/bin:/bin"}
    subprocess.run(container["command"], env=environment, check=True)
    assert {folder.name for folder in models.iterdir()} == {now, "yesterday"}


@pytest.mark.parametrize(
    ("place", "source", "reached", "secrets"),
    [
        ("eks", f"s3{BUCKET}", "169.254.170.23/32", 0),
        ("gke", f"gs{BUCKET}", "169.254.169.254/32", 0),
        ("aks", f"s3{BUCKET}", "", 1),
        ("capi", f"s3{BUCKET}", "10.0.0.0/8", 1),
    ],
)
def test_a_bucket_is_read_with_what_its_place_gives_and_nothing_else_is_reached(
    place: str, source: str, reached: str, secrets: int, tmp_path: Path
) -> None:
    others = [CLUSTERS[other] for other in CLOUDS if other != place]
    given = answers(place, {"source": source})
    given["clusters"] = given["clusters"] + others
    tree = render(tmp_path, **given | {"tier": "growing"})

    [job] = found(tree, "Job")
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert len(container.get("envFrom", [])) == secrets
    [policy] = [
        p for p in found(tree, "NetworkPolicy") if p["metadata"]["name"] == "qwen3-8b-fetch"
    ]
    ranges = {
        peer["ipBlock"]["cidr"] for rule in policy["spec"]["egress"] for peer in rule["to"]
    } - {"0.0.0.0/0"}
    assert (reached in ranges) is bool(reached)
    assert len(ranges) == {"": 0, "10.0.0.0/8": 4}.get(reached, 1)


def test_flux_fetches_before_it_serves(tmp_path: Path) -> None:
    tree = render(tmp_path, engine="flux", **answers())

    units = {
        u["metadata"]["name"]: u["spec"] for u in parsed(tree, "clusters/production/models.yaml")
    }
    assert units["model-qwen3-8b-cache"]["wait"] is True
    assert units["model-qwen3-8b"]["dependsOn"] == [{"name": "model-qwen3-8b-cache"}]


def test_argo_cd_fetches_in_an_earlier_wave(tmp_path: Path) -> None:
    tree = render(tmp_path, engine="argocd", **answers())

    [first] = parsed(tree, "models/qwen3-8b/cache/kustomization.yaml")
    assert first["commonAnnotations"] == {"argocd.argoproj.io/sync-wave": "-1"}
    [kustomization] = parsed(tree, "models/qwen3-8b/kustomization.yaml")
    assert kustomization["resources"][0] == "cache"


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        ({"context": 32768}, {}, "needs 43.8 GiB on each NVIDIA L4: weights 15.3"),
        ({"pool": "cpu"}, {}, 'is on the pool "cpu", which is not there'),
        ({"namespace": "shop"}, {}, 'in the namespace "shop", which no team has'),
        ({"source": "hf://Qwen/Qwen3-8B@main"}, {}, "name what it is"),
        ({"source": IMAGE}, {"kubernetes": "1.35"}, "use 1.36 or hf://"),
        ({"replicas": 2}, {}, "has nothing that several of them can read; serve it from oci://"),
        ({"replicas": 2, "cache": "volume"}, {}, "volume is for one replica"),
        ({"cache": "image"}, {}, "image is for oci:// and nothing else is"),
        ({"cache": "shared"}, {}, 'wants the cache "shared"; "production" has image, volume'),
        (
            {"source": f"gs://models/qwen@sha256:{'1' * 64}"},
            {},
            "only pods on GKE have an identity",
        ),
        ({"source": "s3://models/qwen"}, {}, "name what it is"),
        ({"ttft_ms": 1200}, {}, "1200 ms, which is no bucket"),
        ({"itl_ms": 60}, {}, "itl_ms of 60 ms, which is no bucket"),
        ({"availability": "99.99"}, {}, 'write one of "99", "99.5"'),
        ({"evaluation": {"image": "eval:1", "least_percent": 80}}, {}, "an image with its digest"),
        ({"evaluation": EVALUATION}, {}, "the tier small does not have it"),
        ({}, {"pool": {"hour_cents": 0}}, "in whole cents"),
        ({"layers": 0}, {}, "whole numbers for"),
        ({"precision": "fp12"}, {}, "a precision of bf16, fp8, int4"),
        ({"access": "internet"}, {}, "it is namespace or gateway"),
        ({"cold_start_s": 300}, {}, "answers 469 s after a new node is asked for: node 150, "),
        ({"size_gib": 30}, {}, "needs 34.9 GiB on each NVIDIA L4: weights 30.0"),
        ({"attention": "linear"}, {}, "attention that is neither gqa nor mla"),
        ({"name": "Qwen"}, {}, "no DNS label"),
        ({}, {"teams": [TEAM | {"gpus": "0"}]}, 'may use 0 accelerators in "chat"'),
        ({}, {"pool": {"per_node": 2, "most": 2}}, "eks has 1, 4, 8"),
        ({}, {"pool": {"accelerator": "l5"}}, 'accelerators "l5", which eks does not have'),
        ({}, {"pool": {"capacity": ["flex"]}}, "there is reserved, on-demand, spot"),
        ({}, {"pool": {"cluster": "moon"}}, 'on the cluster "moon", which is not there'),
        ({}, {"pool": {"name": "general"}}, "the general pool's"),
    ],
)
def test_the_template_itself_refuses_what_cannot_be_served(
    model: dict[str, Any], more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(AnswersError, match=re.escape(sentence)):
        render(tmp_path / "refused", **answers("eks", model, **more))


def test_the_memory_of_a_model_is_that_of_its_tensors() -> None:
    """Qwen3-8B has 8.19 billion parameters in 36 layers of 8 key-value heads of 128."""
    found = memory(QWEN, KNOWN.accelerators["l4"], KNOWN.server)

    assert found.weights == pytest.approx(2 * 8.19e9 / 2**30)
    assert found.cache == pytest.approx(147456 * 4096 * 6 / 2**30)
    assert found.fits
    halved = memory(QWEN | {"gpus": 2}, KNOWN.accelerators["l4"], KNOWN.server)
    assert halved.weights == found.weights / 2
    assert halved.cache == found.cache / 2
    more = memory(QWEN | {"gpus": 16}, KNOWN.accelerators["l4"], KNOWN.server)
    assert more.cache == found.cache / 8, "a head is on at least one accelerator"


def test_what_latent_attention_has_compressed_is_on_every_accelerator() -> None:
    """DeepSeek-V3 keeps 512 + 64 numbers for each of its 61 layers."""
    deepseek = QWEN | {"attention": "mla", "layers": 61, "kv_heads": 1, "head_dim": 576, "gpus": 8}
    found = memory(deepseek, KNOWN.accelerators["h100"], KNOWN.server)

    assert found.cache == pytest.approx(61 * 576 * 2 * 4096 * 6 / 2**30)


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"gpus": 8, "parameters_m": 70554, "layers": 80, "precision": "fp8", "source": IMAGE},
        {"gpus": 8, "attention": "mla", "kv_heads": 1, "head_dim": 576, "size_gib": 500},
    ],
)
def test_the_catalogue_says_what_the_calculator_says(model: dict[str, Any], tmp_path: Path) -> None:
    gpus = model.get("gpus", 1)
    accelerator = "l4" if gpus == 1 else "h100"
    more = {"pool": {"accelerator": accelerator, "per_node": gpus, "most": gpus}}
    more |= {"teams": [TEAM | {"gpus": str(gpus)}]}
    tree = render(tmp_path, **answers("capi", model | {"context": 512}, **more))

    [[listed]] = [parsed(tree, "models/catalog.yaml")]
    [said] = listed["models"]
    found = memory(QWEN | model | {"context": 512}, KNOWN.accelerators[accelerator], KNOWN.server)
    assert said["memory"] == {
        "weights": round(found.weights, 1),
        "key_value_cache": round(found.cache, 1),
        "work": found.working,
        "usable": round(found.usable, 1),
    }
    place, whole = KNOWN.places["capi"], ceil(found.weights * gpus)
    given = QWEN | model
    caches = {**KNOWN.caches, "tier": "small"}
    style = style_of(given, whole, 1, place["weights"], caches)
    start = cold_start(given, whole, style, place, KNOWN.caches)
    assert said["cold_start"] == asdict(start) | {"total": start.total}
    assert said["cache"]["style"] == style


@pytest.mark.parametrize("promise", KNOWN.rules["latencies"])
def test_an_objective_can_be_at_just_the_buckets_that_the_engine_has(promise: str) -> None:
    [vllm] = [exporter for exporter in exporters() if exporter.prefix == "vllm:"]

    latency = KNOWN.rules["latencies"][promise]
    assert list(vllm.buckets[latency["series"]]) == latency["buckets"]


def test_what_is_known_of_an_accelerator_agrees_with_what_its_driver_says() -> None:
    text = (ROOT / "generator/groundplan/verify/accelerators.yaml").read_bytes()
    simulated = documents.load(text, "accelerators.yaml")
    for name, known in KNOWN.accelerators.items():
        driver = simulated[name.removesuffix("-80gb")]
        mebibytes = int(driver["memory"].removesuffix("Mi"))
        assert known["memory"] == pytest.approx(mebibytes / 1024, abs=0.1)
