"""What the tests of the schemas share: small CRDs, a small Kubernetes, and where real ones are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplan.schemas import (
    Missing,
    Provenance,
    SchemaStore,
    compilation,
    core,
    default_store,
    packs,
)
from groundplan.schemas.reading import objects

CORPUS = Path(__file__).parent / "corpus" / "schemas"
ROOT = Path(__file__).parent.parent

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
TINY = "io.example.Tiny"
TINY_STATUS = "io.example.TinyStatus"

SWAGGER: dict[str, Any] = {
    "definitions": {
        META: {
            "type": "object",
            "description": "Prose.",
            "properties": {"name": {"type": "string"}, "namespace": {"type": "string"}},
        },
        TINY: {
            "type": "object",
            "required": ["size", "parts"],
            "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Tiny"}],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"$ref": f"#/definitions/{META}"},
                "size": {"type": "integer", "format": "int32"},
                "again": {"$ref": f"#/definitions/{TINY}"},
                "parts": {
                    "type": "array",
                    "items": {"$ref": f"#/definitions/{META}"},
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name", "namespace"],
                    "x-kubernetes-patch-merge-key": "name",
                    "x-kubernetes-patch-strategy": "merge",
                },
                "status": {"$ref": f"#/definitions/{TINY_STATUS}"},
            },
        },
        TINY_STATUS: {
            "type": "object",
            "required": ["phase"],
            "properties": {"phase": {"type": "string"}},
        },
        "io.example.Unused": {"type": "object"},
    },
    "paths": {
        "/apis/apps/v1/namespaces/{namespace}/tinies": {
            "post": {
                "x-kubernetes-group-version-kind": {
                    "group": "apps",
                    "version": "v1",
                    "kind": "Tiny",
                }
            }
        },
        "/apis/apps/v1/namespaces/{namespace}/tinies/{name}/scale": {
            "post": {
                "x-kubernetes-group-version-kind": {
                    "group": "apps",
                    "version": "v1",
                    "kind": "Scale",
                }
            }
        },
    },
}


def crd(group: str = "example.com", kind: str = "Thing", **spec: Any) -> dict[str, Any]:
    """A CRD whose spec has these fields."""
    plural = kind.lower() + "s"
    schema = {
        "type": "object",
        "description": "Prose.",
        "properties": {"spec": {"type": "object", "properties": spec}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def small_store(folder: Path) -> SchemaStore:
    """A store with one built-in kind and no CRDs."""
    path = folder / "kubernetes.zip"
    about = Provenance("kubernetes", "v1.37.2", "a test", "", "Apache-2.0")
    packs.write(path, compilation.core_documents(core.convert(SWAGGER), about))
    return SchemaStore.open("1.37", core=path)


def corpus_crds() -> list[dict[str, Any]]:
    """The CRDs of the corpus."""
    return list(objects((CORPUS / "crds.yaml").read_bytes()))


def write_mirror(folder: Path, components: dict[str, dict[str, Any]]) -> Path:
    """Write a mirror folder: `crds` of each component are files, the rest is its index entry."""
    index = []
    for name, entry in components.items():
        for number, manifest in enumerate(entry.get("crds", ())):
            file = folder / name / "crds" / f"{number}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.safe_dump(manifest))
        kept = {key: value for key, value in entry.items() if key != "crds"}
        index.append({"component": name, "source": f"test of {name}", "version": "v1", **kept})
    folder.mkdir(exist_ok=True)
    (folder / "index.yaml").write_text(yaml.safe_dump(index))
    return folder


@pytest.fixture(scope="session")
def kubernetes() -> SchemaStore:
    """The real kinds of Kubernetes 1.37, fetched before or from the Go module cache."""
    store = default_store("1.37")
    pod = store.lookup("", "v1", "Pod")
    if isinstance(pod, Missing):
        pytest.skip(f"no schemas of Kubernetes 1.37: {pod.reason}")
    return store


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real upstream data, where there is one."""
    named = os.environ.get("GROUNDPLAN_UPSTREAM")
    folder = Path(named) if named else ROOT.parent / "shared" / "upstream"
    if not (folder / "index.yaml").is_file():
        pytest.skip("no mirror of upstream data: set GROUNDPLAN_UPSTREAM")
    return folder
