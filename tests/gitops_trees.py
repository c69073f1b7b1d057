"""Small repositories in memory, and what load_clusters makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan import documents
from groundplan.gitops import load_clusters
from groundplan.tree import Tree

if TYPE_CHECKING:
    from groundplan.gitops.model import Cluster, Problem, Unit


def load(files: dict[str, str]) -> dict[str, Cluster]:
    tree = Tree.of(files)
    parsed: dict[str, tuple[documents.Document, ...]] = {}
    problems: list[documents.YamlProblem] = []
    for path, content in tree.files.items():
        if path.endswith((".yaml", ".yml")):
            parsed[path], found = documents.parse(path, content)
            problems.extend(found)
    return {cluster.name: cluster for cluster in load_clusters(tree, parsed, problems)}


def units(cluster: Cluster) -> dict[str, Unit]:
    return {unit.id.name: unit for unit in cluster.units}


def names(unit: Unit) -> list[str]:
    return [str(resource.id) for resource in unit.resources]


def faults(unit: Unit) -> list[tuple[str, str, bool]]:
    return [(p.kind, p.pointer, p.evaluated) for p in unit.problems]


def all_problems(cluster: Cluster) -> list[Problem]:
    return [problem for unit in cluster.units for problem in unit.problems]


def config_map(name: str, namespace: str = "default", **data: str) -> str:
    entries = "".join(f"  {key}: {value!r}\n" for key, value in data.items())
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        + (f"data:\n{entries}" if entries else "")
    )


def flux(name: str, path: str, extra: str = "") -> str:
    body = "".join(f"  {line}\n" for line in extra.splitlines())
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\n"
        f"spec:\n  path: {path}\n  prune: true\n  interval: 1h\n"
        "  sourceRef: {kind: GitRepository, name: flux-system}\n" + body
    )


def git_source(name: str, url: str) -> str:
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\n"
        f"spec: {{interval: 1m, url: {url}}}\n"
    )


def gotk_sync(cluster: str) -> str:
    source = git_source("flux-system", "ssh://git@github.com/acme/fleet")
    return f"{source}---\n{flux('flux-system', f'./clusters/{cluster}')}"


def several(*documents_of_a_file: str) -> str:
    return "---\n".join(documents_of_a_file)
