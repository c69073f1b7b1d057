"""Rendered repositories, for tests that look at what a user gets."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import copier
import yaml

from groundplan import copier_adapter, documents
from groundplan.catalogue import practices
from groundplan.gitops import load_clusters
from groundplan.template import Template
from groundplan.tree import Tree

ROOT = Path(__file__).parents[1]
BLUEPRINTS = ROOT / "blueprints"

ENGINES = ("flux", "argocd")
TIERS = ("small", "growing", "enterprise")
PLACES = ("kind", "eks", "gke", "aks", "capi")

EVERYTHING: dict[str, Any] = {
    "logs": "loki",
    "traces": "tempo",
    "progressive_delivery": "argo-rollouts",
    "policy_reports": "kyverno",
    "long_term_metrics": "thanos",
    "posture_scan": f"registry.acme.example/platform/posture-scan@sha256:{'0123456789abcdef' * 4}",
    "image_signatures": [
        {
            "images": "ghcr.io/acme/**",
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "https://github.com/acme/*/.github/workflows/release.yaml@refs/heads/main",
        }
    ],
}
"""Every component that is there by answer, in the tier that has them all."""

CLUSTERS: dict[str, dict[str, Any]] = {
    "kind": {
        "name": "laptop",
        "place": "kind",
        "environment": "development",
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/16",
    },
    "eks": {
        "name": "production",
        "place": "eks",
        "environment": "production",
        "region": "eu-west-1",
        "account": "012345678901",
        "pod_cidr": "10.0.0.0/16",
        "service_cidr": "172.20.0.0/16",
    },
    "gke": {
        "name": "frankfurt",
        "place": "gke",
        "environment": "production",
        "project": "acme-production",
        "region": "europe-west3",
        "pod_cidr": "10.4.0.0/14",
        "service_cidr": "10.8.0.0/20",
    },
    "aks": {
        "name": "amsterdam",
        "place": "aks",
        "environment": "production",
        "region": "westeurope",
        "subscription": "0b1f6471-1bf0-4dda-aec3-cb9272f09590",
        "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "resource_group": "acme-production",
        "key_vault": "acme-production",
        "client_id": {
            "cert-manager": "11f5b1a2-7a65-4a76-a4a7-9c9b3e4b6e0d",
            "kube-prometheus-stack": "5a0f4f0e-64a4-4d0c-8b8e-0a3e6c1f3b53",
            "loki": "8f2b6b0c-2a56-4b0e-9d0c-5d6a7a8f6f7e",
            "thanos": "c4f1d7a2-70a5-4d7c-9a55-5f0d2f9b1c11",
        },
        "pod_cidr": "10.20.0.0/16",
        "service_cidr": "10.21.0.0/16",
    },
    "capi": {
        "name": "factory",
        "place": "capi",
        "environment": "production",
        "region": "hall-3",
        "storage": "rook-ceph",
        "vault": "https://vault.acme.example:8200",
        "backup_url": "https://s3.acme.example",
        "pod_cidr": "10.30.0.0/16",
        "service_cidr": "10.31.0.0/16",
    },
}
READY = {
    name: list(practice.levels)[-1] if practice.levels else 100
    for name, practice in practices(Template(ROOT, "v0")).items()
}
"""Of an organisation that is as far as anyone can be, so that every tier is open to it."""
TEAMS = [
    {
        "name": "payments",
        "namespaces": ["payments", "payments-staging"],
        "contact": "@acme/payments",
    },
    {"name": "search", "namespaces": ["search"], "contact": "search@acme.example"},
]
KEYS = {name: (ROOT / f"tests/signers/{name}.asc").read_text() for name in ("platform", "payments")}
SIGNERS = [
    {"id": "2779BF91113D6CF3", "public_key": KEYS["platform"]},
    {
        "id": "FABAF21DA8C86CCD",
        "public_key": KEYS["payments"],
        "subkeys": ["23C2433069FABCEE"],
        "team": "payments",
    },
]
"""Who signs the platform's repository, and who that of the team payments."""


def render(destination: Path, **answers: Any) -> Tree:
    """Render with our renderer, which asks the template's own validators."""
    copier_adapter.render(Template(ROOT, "v0"), answers, destination)
    return Tree.read(destination)


def render_plainly(destination: Path, **answers: Any) -> Tree:
    """Render with plain copier from a folder that is no git checkout."""
    with TemporaryDirectory() as template:
        copy_template(Path(template))
        copier.run_copy(template, destination, data=answers, defaults=True, quiet=True)
    return Tree.read(destination)


def without_origin(tree: Tree) -> dict[str, bytes]:
    """The files, but where their template was and at which version."""
    origin = re.compile(rb"^_(src_path|commit): .*\n", re.MULTILINE)
    return {path: origin.sub(b"", content) for path, content in tree.files.items()}


def copy_template(folder: Path) -> None:
    """What copier reads, in a folder that is no git checkout."""
    for part in ("blueprints", "overlays"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "copier.yml", folder)


def sharding_template(folder: Path, deliveries: int) -> Template:
    """The template with a shard of Flux for so few deliveries."""
    copy_template(folder)
    engine = folder / "blueprints/lib/flux/engine.yaml"
    engine.write_text(engine.read_text().replace("deliveries: 500", f"deliveries: {deliveries}"))
    return Template(folder, "v0")


@cache
def rendered(engine: str = "flux", tier: str = "small", places: tuple[str, ...] = ("eks",)) -> Tree:
    """A repository for one cluster at each place and two teams; rendered once per run.

    The largest tier with all that can be chosen. By our renderer, which gives what plain copier
    gives in a quarter of the time.
    """
    clusters = [CLUSTERS[place] for place in places]
    answers: dict[str, Any] = {"engine": engine, "tier": tier, "clusters": clusters}
    answers |= {"teams": TEAMS, "practices": READY}
    answers |= EVERYTHING if tier == "enterprise" else {}
    if (engine, tier) == ("argocd", "enterprise"):
        answers |= {"signatures": "required", "signers": SIGNERS[:1]}
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), answers, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


def put(tree: Tree, folder: Path) -> None:
    """Put a rendered repository into a folder, for what reads one."""
    for path, content in tree.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def parsed(tree: Tree, path: str) -> list[Any]:
    """The documents of a file, as Kubernetes reads them."""
    found, problems = documents.parse(path, tree.files[path])
    assert problems == ()
    return [document.body for document in found]


def one(tree: Tree, path: str) -> Any:
    """The only document of a file."""
    [document] = parsed(tree, path)
    return document


def answers_of(tree: Tree) -> Any:
    """What copier will read at the next update, with copier's own reader."""
    return yaml.safe_load(tree.files[".copier-answers.yml"])


def on_clusters(tree: Tree) -> dict[str, dict[tuple[str, str, str, str], Any]]:
    """What reaches each cluster, by cluster and object, without what serves only the engine.

    The scan of the posture is left out too: it takes the repository from Flux, or clones it.
    """
    files = {p: documents.parse(p, tree.files[p])[0] for p in tree.files if p.endswith(".yaml")}
    policies = {
        f"{path.stem}.groundplan.dev"
        for path in (BLUEPRINTS / "policies").glob("*.yaml")
        if "\nengine:" in path.read_text()
    }
    return {
        cluster.name: {
            resource.id.key: without_engine(resource.body)
            for unit in cluster.units
            if not re.search("flux|argo|root|spokes|registry-access|posture-scan", unit.id.name)
            for resource in unit.resources
            if not re.search("fluxcd|argoproj", resource.id.group)
            and resource.id.namespace != "flux-system"
            and resource.id.name not in policies
        }
        for cluster in load_clusters(tree, files)
    }


def without_engine(body: dict[str, Any]) -> dict[str, Any]:
    """An object without annotations for the engine and rights on the engine's kinds."""
    notes = body["metadata"].get("annotations", {})
    kept = {name: note for name, note in notes.items() if not re.search("fluxcd|argoproj", name)}
    body = {**body, "metadata": {**body["metadata"], "annotations": kept}}
    if body["kind"] == "ClusterRole":
        rules = body.get("rules", [])
        body["rules"] = [rule for rule in rules if "fluxcd" not in "".join(rule["apiGroups"])]
    return body
