"""A real Argo CD on the embedded control plane, and what is said when something breaks under it."""

from __future__ import annotations

import contextlib
import os
import signal
import tarfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from groundplan import toolchain
from groundplan.engines import argocd
from groundplan.engines.served import readdressed, serve
from groundplan.errors import ToolError
from groundplan.findings import Passed, Report
from groundplan.repository import Repository, load
from groundplan.runners.apiserver import ApiServer, running
from groundplan.runners.controllers import controlling
from groundplan.schemas import default_charts, default_store
from groundplan.toolchain import Absent
from groundplan.tree import Tree
from groundplan.verify import verify
from tests import control_planes
from tests.rendering import put, rendered
from tests.test_verify import children, named

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "https://github.com/acme/platform.git"

APPLICATION = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: platform
  source: {{repoURL: {own}, targetRevision: main, path: {path}}}
  destination: {{name: in-cluster, namespace: default}}
  syncPolicy:
    automated: {{prune: true, selfHeal: {heals}}}
    syncOptions: [ServerSideApply=true]
"""
PROJECT = """apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {{name: platform, namespace: argocd}}
spec:
  sourceRepos: [{own}]
  destinations: [{{server: "*", namespace: "*"}}]
  clusterResourceWhitelist: [{{group: "*", kind: "*"}}]
"""
SHOP = """apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


def kustomization(*names: str) -> str:
    listed = "\n".join(f"  - {name}" for name in names)
    kind = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return f"{kind}resources:\n{listed}\n"


def small(*, heals: bool = True, shop: str = SHOP) -> Repository:
    """A root Application that brings another one, which brings a namespace and its guard."""
    root = APPLICATION.format(name="root", own=OWN, path="bootstrap", heals="true")
    app = APPLICATION.format(name="shop", own=OWN, path="shop", heals=str(heals).lower())
    tree = Tree.of(
        {
            "bootstrap/kustomization.yaml": kustomization("root.yaml", "project.yaml", "shop.yaml"),
            "bootstrap/root.yaml": root,
            "bootstrap/project.yaml": PROJECT.format(own=OWN),
            "bootstrap/shop.yaml": app,
            "shop/kustomization.yaml": kustomization("shop.yaml"),
            "shop/shop.yaml": shop,
        }
    )
    return Repository.of(
        tree,
        schemas=default_store("1.37"),
        charts=default_charts(),
        kubernetes="1.37",
        answers={"repository": OWN},
    )


@cache
def programs() -> argocd.Programs:
    redis = toolchain.find("redis-server")
    if isinstance(redis, Absent):
        pytest.skip(f"no redis-server here: {redis.fix}")
    names = ("argocd", "helm", "kustomize")
    had = {name: control_planes.had(name) for name in names}
    return argocd.Programs(had["argocd"], redis.path, had["helm"], had["kustomize"])


@contextlib.contextmanager
def start() -> Iterator[ApiServer]:
    """An embedded control plane with an engine beside it."""
    chosen = programs()
    with (
        running(control_planes.binaries()) as bare,
        controlling(control_planes.programs(), bare) as server,
    ):
        yield replace(server, engine=lambda: chosen)


def engine(report: Report) -> dict[str, int]:
    return {
        result.check_id: sum(o.count for o in result.outcomes if isinstance(o, Passed))
        for result in report.results
        if result.check_id.startswith("ENG")
    }


def test_addresses_are_replaced_where_they_stand_alone():
    tree = Tree.of(
        {
            "a": "repoURL: docker.io/envoyproxy\nimage: docker.io/envoyproxy/gateway:v1\n",
            "b": "url: oci://docker.io/envoyproxy\nother: xdocker.io/envoyproxy\n",
        }
    )
    files = readdressed(tree, {"docker.io/envoyproxy": "http://127.0.0.1:1"}).files
    assert files["a"] == b"repoURL: http://127.0.0.1:1\nimage: docker.io/envoyproxy/gateway:v1\n"
    assert files["b"] == b"url: http://127.0.0.1:1\nother: xdocker.io/envoyproxy\n"


def test_a_definition_is_served_from_one_place_only(tmp_path):
    """Two Applications that have one would take it from each other for ever."""
    put(rendered("argocd", "small", ("eks",)), tmp_path / "platform")
    platform = load(tmp_path / "platform")
    [cluster] = platform.clusters
    with serve(platform, cluster, tmp_path) as served:
        files = [path.name for path in served.work.parent.rglob("*.yaml")]
        for archive in (tmp_path / "charts").glob("*.tgz"):
            with tarfile.open(archive) as chart:
                files += [Path(name).name for name in chart.getnames()]
    # Files of definitions are called as they are: gateways.gateway.networking.k8s.io.
    names = [name for name in files if name.count(".") > 2]
    assert {"gateways.gateway.networking.k8s.io.yaml", "applications.argoproj.io.yaml"} <= {*names}
    assert sorted(names) == sorted({*names})


@pytest.mark.cluster
def test_the_engine_brings_up_heals_prunes_and_survives_a_bad_commit():
    done = verify(small(), start)
    assert [f.message for f in done.report.findings if f.check_id.startswith("ENG")] == []
    assert engine(done.report) == {"ENG001": 2, "ENG002": 1, "ENG003": 1, "ENG004": 1}
    assert [unit.name for unit in done.timings[0].units] == ["root", "shop"]
    assert children(os.getpid()) == []


@pytest.mark.cluster
def test_says_what_the_engine_says_about_a_unit_that_does_not_come_up(monkeypatch):
    monkeypatch.setattr("groundplan.verify.reconciliation._PATIENCE", 40)
    broken = SHOP.replace("namespace: shop}", "namespace: nowhere}")
    done = verify(small(shop=broken), start)
    (finding,) = (f for f in done.report.findings if f.check_id == "ENG001")
    assert str(finding.resource) == "Application argocd/shop"
    assert 'namespaces "nowhere" not found' in finding.message


@pytest.mark.cluster
@pytest.mark.parametrize("victim", ["argocd", "git-daemon", "redis-server"])
def test_says_which_part_of_the_engine_was_killed(victim):
    killed = []

    def kill(text: str) -> None:
        if "Applications are synced" in text and not killed:
            # A process that has only begun to start has no name of its own yet.
            killed.extend(named(children(os.getpid()), victim))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(ToolError) as caught:
        verify(small(), start, progress=kill)
    assert killed
    assert caught.value.id == "engine.ended"
    assert "ended while it was needed" in str(caught.value)
    assert children(os.getpid()) == []


@pytest.mark.cluster
def test_flux_units_are_applied_in_order_and_its_controllers_are_said_to_be_missing():
    tree = control_planes.repository(base=SHOP, apps=SHOP.replace("default-deny", "more"))
    done = verify(tree, start)
    assert engine(done.report) == {"ENG001": 2, "ENG002": 0, "ENG003": 0, "ENG004": 0}
    unseen = {(r.check_id, o.subject) for r in done.report.results for o in r.not_evaluated}
    assert {("ENG001", "Flux"), ("ENG002", "Flux"), ("ENG003", "Flux")} <= unseen
    assert [u.name for u in done.timings[0].units] == [
        "Kustomization flux-system/base",
        "Kustomization flux-system/apps",
    ]
