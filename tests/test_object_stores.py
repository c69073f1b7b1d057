"""Logs, traces and metrics go to the object store of their cluster, by identity, never by a key."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.rendering import CLUSTERS, PLACES, one, parsed, rendered

CLOUDS = {"eks": "s3", "gke": "gcs", "aks": "azure"}


def values(place: str, component: str) -> Any:
    tree = rendered("argocd", "enterprise", PLACES)
    return one(tree, f"clusters/{CLUSTERS[place]['name']}/values/{component}.yaml")


@pytest.mark.parametrize("place", PLACES)
def test_logs_go_where_the_place_keeps_objects(place: str) -> None:
    said = values(place, "loki")
    [schema] = said["loki"]["schemaConfig"]["configs"]
    store = CLOUDS.get(place, "filesystem")

    assert said["loki"]["storage"]["type"] == store
    assert (schema["object_store"], said["loki"]["compactor"]["delete_request_store"]) == (
        store,
        store,
    )
    # One volume cannot be shared, so without a bucket there is one replica.
    assert said["singleBinary"]["replicas"] == (3 if place in CLOUDS else 1)
    assert ("bucketNames" in said["loki"]["storage"]) == (place in CLOUDS)


@pytest.mark.parametrize("place", PLACES)
def test_traces_go_where_the_place_keeps_objects(place: str) -> None:
    trace = values(place, "tempo")["tempo"]["storage"]["trace"]

    assert trace["backend"] == CLOUDS.get(place, "local")
    assert trace.keys() == {"backend", *({CLOUDS[place]} if place in CLOUDS else ())}


@pytest.mark.parametrize("place", PLACES)
def test_prometheus_and_thanos_mean_the_same_bucket(place: str) -> None:
    tree = rendered("argocd", "enterprise", PLACES)
    uploads = values(place, "kube-prometheus-stack")["prometheus"]["prometheusSpec"].get("thanos")
    path = f"clusters/{CLUSTERS[place]['name']}/components/thanos/object-store.yaml"

    assert (path in tree.files) == (uploads is not None) == (place in CLOUDS)
    if uploads:
        stored = next(d for d in parsed(tree, path) if d["kind"] == "ConfigMap")
        read = yaml.safe_load(stored["data"]["object-store.yaml"])
        assert read == uploads["objectStorageConfig"]["secret"]


def test_no_two_clusters_and_contents_share_a_bucket() -> None:
    named = [values(p, "loki")["loki"]["storage"] for p in CLOUDS]
    logs = {(s["type"], s["bucketNames"]["chunks"]) for s in named}
    kept = [values(p, "tempo")["tempo"]["storage"]["trace"][CLOUDS[p]] for p in CLOUDS]
    traces = {kind.get("bucket") or kind.get("bucket_name") or "traces" for kind in kept}

    assert len(logs) == len(traces) == len(CLOUDS)
    assert {bucket for _, bucket in logs} & traces == set()


@pytest.mark.parametrize("component", ["loki", "tempo", "kube-prometheus-stack"])
def test_no_values_hold_a_key(component: str) -> None:
    for place in PLACES:
        text = yaml.safe_dump(values(place, component))
        assert not re.search(r"(?i)access_?key|secret_?key|account_?key|connection_?string", text)
