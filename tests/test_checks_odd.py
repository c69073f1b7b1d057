"""Checks on objects of any shape: repositories may hold anything that is YAML."""

from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import checks
from groundplan.findings import Errored
from groundplan.repository import Repository
from groundplan.schemas import ChartStore
from groundplan.tree import Tree
from tests.draws import draws
from tests.gitops_trees import gotk_sync
from tests.schema_sources import crd, small_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundplan.schemas import SchemaStore

CASES = draws(60)
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1.5,
    10**30,
    "",
    "text",
    "${VARIABLE}",
    "{{ .name }}",
    "../..",
    "ENC[AES256_GCM,data:abc]",
    [],
    {},
    [[]],
    [None],
    [{}],
    ["text", 1],
    {"": None},
    {"a": {"b": ["c"]}},
    {"kind": ["a"], "name": {"a": 1}, "namespace": 5, "spec": "x"},
)
DEFINITION = crd(
    size={"type": "integer", "default": 1, "minimum": 0, "exclusiveMinimum": True},
    names={"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    one={"oneOf": [{"required": ["a"]}], "properties": {"a": {"type": "string", "default": "x"}}},
)
KUSTOMIZATION = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": "apps", "namespace": "flux-system"},
    "spec": {
        "path": "./apps",
        "interval": "1h",
        "prune": True,
        "wait": True,
        "timeout": "5m",
        "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
        "dependsOn": [{"name": "flux-system"}],
        "decryption": {"provider": "sops"},
        "components": ["../parts"],
        "images": [{"name": "nginx", "newTag": "2"}],
        "patches": [{"target": {"kind": "Thing"}, "patch": "- {op: remove, path: /spec}"}],
        "postBuild": {
            "substitute": {"SIZE": "1"},
            "substituteFrom": [{"kind": "Secret", "name": "facts", "optional": True}],
        },
    },
}
RELEASE = {
    "apiVersion": "helm.toolkit.fluxcd.io/v2",
    "kind": "HelmRelease",
    "metadata": {"name": "web", "namespace": "web", "labels": {"app": "web"}},
    "spec": {
        "interval": "1h",
        "chart": {
            "spec": {
                "chart": "web",
                "version": "1.2.3",
                "sourceRef": {"kind": "HelmRepository", "name": "web"},
            }
        },
        "dependsOn": [{"name": "db"}],
        "install": {"createNamespace": True, "crds": "Create"},
        "upgrade": {"crds": "CreateReplace", "remediation": {"retries": 3}},
        "valuesFrom": [{"kind": "ConfigMap", "name": "values", "targetPath": "a.b"}],
        "values": {"replicas": 2},
        "postRenderers": [{"kustomize": {"patches": [{"patch": "x"}]}}],
    },
}
SOURCE = {
    "repoURL": "https://charts.example.com",
    "chart": "web",
    "targetRevision": "1.2.3",
    "helm": {
        "valueFiles": ["values.yaml"],
        "valuesObject": {"a": 1},
        "values": "a: 1",
        "parameters": [{"name": "a.b", "value": "c"}],
    },
    "kustomize": {"images": ["nginx:1"], "replicas": [{"name": "web", "count": 1}]},
    "directory": {"recurse": True, "include": "*.yaml", "exclude": "x"},
}
APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {
        "name": "web",
        "namespace": "argocd",
        "annotations": {"argocd.argoproj.io/sync-wave": "1"},
    },
    "spec": {
        "project": "default",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"},
        "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]},
        "sources": [
            SOURCE,
            {"repoURL": "https://git.example.com/fleet", "path": "apps", "ref": "values"},
        ],
        "ignoreDifferences": [{"kind": "Thing", "jsonPointers": ["/spec"]}],
    },
}
SET = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "ApplicationSet",
    "metadata": {"name": "web", "namespace": "argocd"},
    "spec": {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [
            {"list": {"elements": [{"name": "a"}], "elementsYaml": "[]"}},
            {
                "matrix": {
                    "generators": [
                        {
                            "git": {
                                "repoURL": "https://git.example.com/fleet",
                                "files": [{"path": "apps/*.yaml"}],
                                "directories": [{"path": "apps/*", "exclude": True}],
                            }
                        },
                        {"clusters": {"selector": {"matchLabels": {"a": "b"}}, "values": {}}},
                    ]
                },
                "selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
            },
            {"merge": {"mergeKeys": ["a"], "generators": [{"list": {"elements": [{"a": 1}]}}]}},
        ],
        "templatePatch": "spec: {project: x}",
        "template": {"metadata": {"name": "{{ .name }}"}, "spec": APPLICATION["spec"]},
    },
}
MACHINES = {
    "apiVersion": "cluster.x-k8s.io/v1beta2",
    "kind": "MachineDeployment",
    "metadata": {
        "name": "gpu",
        "namespace": "fleet",
        "annotations": {
            "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size": "1",
            "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size": "2",
            "capacity.cluster-autoscaler.kubernetes.io/gpu-count": "4",
            "capacity.cluster-autoscaler.kubernetes.io/labels": "pool=gpu",
        },
    },
    "spec": {
        "replicas": 1,
        "template": {
            "metadata": {"labels": {"node.cluster.x-k8s.io/pool": "gpu"}},
            "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
        },
    },
}
REQUIREMENTS = [
    {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["gpu"]},
    {"key": "karpenter.k8s.aws/instance-gpu-count", "operator": "In", "values": ["4"]},
]
POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "gpu"},
    "spec": {
        "replicas": 1,
        "limits": {"nvidia.com/gpu": "8"},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"requirements": REQUIREMENTS}},
    },
}
OVERLAY = {
    "apiVersion": "karpenter.sh/v1alpha1",
    "kind": "NodeOverlay",
    "metadata": {"name": "gpu"},
    "spec": {"requirements": REQUIREMENTS, "capacity": {"nvidia.com/gpu": "16"}},
}
CLASS = {
    "apiVersion": "cloud.google.com/v1",
    "kind": "ComputeClass",
    "metadata": {"name": "gpu"},
    "spec": {
        "priorities": [{"gpu": {"type": "nvidia-l4", "count": 1, "gpuSharing": {}}}],
        "nodePoolConfig": {"nodeLabels": {"a": "b"}, "taints": [{"key": "a"}]},
    },
}
OBJECTS = {
    "machines": MACHINES,
    "pool": POOL,
    "overlay": OVERLAY,
    "class": CLASS,
    "crd": DEFINITION,
    "kustomization": KUSTOMIZATION,
    "release": RELEASE,
    "application": APPLICATION,
    "set": SET,
}


POOLS = ("machines", "pool", "overlay", "class")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def mutated(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy with a few values replaced, removed, or moved to where they do not belong."""
    result = copy.deepcopy(body)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(places(result)))
        if path in {("kind",), ("apiVersion",)}:
            continue
        holder: Any = result
        for step in path[:-1]:
            holder = holder[step]
        match chance.randrange(4):
            case 0:
                del holder[path[-1]]
            case 1:
                holder[path[-1]] = [copy.deepcopy(holder[path[-1]])]
            case _:
                holder[path[-1]] = copy.deepcopy(chance.choice(ODD))
        if not result.keys() >= {"kind", "apiVersion"}:
            return copy.deepcopy(body)
    return result


def repository(bodies: dict[str, Any], schemas: SchemaStore) -> Repository:
    thing = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "t", "namespace": "web"},
        "spec": {"size": "${SIZE}"},
    }
    # The objects are applied by Flux, and those of Argo CD are read wherever they lie.
    files = {
        "clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one"),
        "clusters/one/kustomization.json.yaml": json.dumps(bodies["kustomization"]),
        "apps/release.yaml": json.dumps(bodies["release"]),
        "apps/crd.yaml": json.dumps(bodies["crd"]),
        "apps/thing.yaml": json.dumps(thing),
        **{f"apps/{name}.yaml": json.dumps(bodies[name]) for name in POOLS},
        "argocd/application.yaml": json.dumps(bodies["application"]),
        "argocd/set.yaml": json.dumps(bodies["set"]),
    }
    return Repository.of(Tree.of(files), schemas=schemas, charts=ChartStore(()))


@pytest.mark.brute_force
@pytest.mark.parametrize("name", OBJECTS)
def test_no_shape_of_an_object_breaks_a_check(name: str, tmp_path: Path) -> None:
    schemas = small_store(tmp_path)
    chance = random.Random(f"seed of {name}")  # noqa: S311 - the same cases in every run
    for number in range(CASES):
        bodies = {**OBJECTS, name: mutated(OBJECTS[name], chance)}
        try:
            report = checks.run(repository(bodies, schemas))
        except Exception as error:
            written = json.dumps(bodies[name])
            raise AssertionError(f"case {number} of {name}: {written}") from error
        broken = [o for r in report.results for o in r.outcomes if isinstance(o, Errored)]
        assert not broken, f"case {number} of {name}"
