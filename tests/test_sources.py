"""Projects of Argo CD read verified what others read verified."""

from __future__ import annotations

from groundplan import checks
from groundplan.repository import Repository
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from tests.gitops_trees import gotk_sync

PLATFORM = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: platform, namespace: argocd}
spec:
  sourceRepos: ["https://git.example.com/platform.git"]
  sourceIntegrity:
    git:
      policies:
        - repos: [{url: "https://git.example.com/platform"}]
          gpg: {mode: head, keys: ["4AEE18F83AFDEB23"]}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop, namespace: argocd}
spec: {sourceRepos: ["https://git.example.com/*"]}
"""
APPLICATION = """\
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: shop
  sources:
    - {repoURL: "https://git.example.com/NAME", path: shop, targetRevision: main}
  destination: {server: "https://kubernetes.default.svc", namespace: shop}
"""


def found(*texts: str) -> set[str]:
    files = {
        "clusters/a/flux-system/gotk-sync.yaml": gotk_sync("a"),
        "clusters/a/a.yaml": "".join(texts),
    }
    store, charts = default_store("1.37"), default_charts()
    repository = Repository.of(Tree.of(files), schemas=store, charts=charts)
    report = checks.run(repository, only=("GIT015",))
    return {finding.message for finding in report.findings}


def test_an_application_reads_verified_what_others_do() -> None:
    assert found(PLATFORM) == set()
    assert found(PLATFORM, APPLICATION.replace("NAME", "shop")) == set()
    assert found(PLATFORM, APPLICATION.replace("NAME", "platform")) == {
        "AppProject argocd/shop does not verify https://git.example.com/platform, which another "
        "project does"
    }
