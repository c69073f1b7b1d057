"""Who mends a change and whom it affects: the first answer of a fixed order, and always one."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from groundplan.cli import main
from groundplan.posture.comparison import Side, compare
from groundplan.tree import Tree

UNIT = """\
apiVersion: {api}
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}{labels}}}
spec: {spec}
---
"""
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop{}}}\n---\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop{labels}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{{host}containers: [{{name: web, image: "web:1"}}]}}
"""
CATALOGUE = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: web, annotations: {backstage.io/kubernetes-id: shop-web}}
spec: {type: service, owner: group:web}
"""
OWNER = ", labels: {groundplan.dev/owner: %s}"
ID = ", labels: {backstage.io/kubernetes-id: shop-web}"


def repository(
    *,
    wide: bool,
    web: str = "",
    namespace: str = "",
    unit: str = "",
    project: str = "",
    files: dict[str, str] | None = None,
) -> Tree:
    """One application of an Argo CD cluster, with or without the node's processes."""
    source = "{repoURL: 'https://github.com/acme/platform', targetRevision: HEAD, path: %s}"
    spec = "{project: shop, source: %s, destination: {server: 'https://kubernetes.default.svc'}}"
    application = UNIT.format(
        api="argoproj.io/v1alpha1",
        kind="Application",
        name="apps",
        namespace="argocd",
        labels=unit,
        spec=spec % (source % "apps"),
    )
    granted = UNIT.format(
        api="argoproj.io/v1alpha1",
        kind="AppProject",
        name="shop",
        namespace="argocd",
        labels=project,
        spec="{sourceRepos: ['https://github.com/acme/*']}",
    )
    root = application.replace("name: apps", "name: root").replace("path: apps", "path: clusters/a")
    return Tree.of(
        {
            "clusters/a/apps.yaml": root + application + granted,
            "apps/namespace.yaml": NAMESPACE.format(namespace),
            "apps/web.yaml": WEB.format(labels=web, host="hostPID: true, " if wide else ""),
            **(files or {}),
        }
    )


RULES = {"CODEOWNERS": "/apps/ @acme/files\n"}
LADDER = [
    ({"web": OWNER % "object"}, "object", "label groundplan.dev/owner"),
    ({"namespace": OWNER % "space"}, "space", "label groundplan.dev/owner of Namespace shop"),
    ({"unit": OWNER % "unit"}, "unit", "label groundplan.dev/owner of Application argocd/apps"),
    (
        {"project": OWNER % "project"},
        "project",
        "label groundplan.dev/owner of AppProject argocd/shop, which Application argocd/apps",
    ),
    ({"files": RULES}, "@acme/files", "CODEOWNERS:1 names @acme/files"),
    (
        {"web": ID, "files": {"catalog-info.yaml": CATALOGUE}},
        "group:web",
        "spec.owner in catalog-info.yaml",
    ),
]


def judged(**words: object) -> dict[str, tuple[str, str, bool]]:
    base, head = (repository(wide=wide, **words) for wide in (False, True))  # type: ignore[arg-type]
    said = compare(Side.of(base), Side.of(head))
    (found,) = [j for j in said.changes if j.change.atom == "hostPID is on"]
    owners = {"fix": found.fix, "affects": found.affected}
    assert bool(said.unowned) is not found.fix.known
    return {role: (o.name, o.because, o.known) for role, o in owners.items()}


@pytest.mark.parametrize(("words", "name", "because"), LADDER)
def test_each_step_names_an_owner_and_why(words: dict, name: str, because: str) -> None:
    for owner, why, known in judged(**words).values():
        assert (owner, known) == (name, True)
        assert why.startswith(because)


@pytest.mark.parametrize("step", range(len(LADDER) - 1))
def test_the_first_step_counts(step: int) -> None:
    both = {**LADDER[step + 1][0], **LADDER[step][0]}
    if step == len(LADDER) - 2:
        both = {"web": ID, "files": {**RULES, "catalog-info.yaml": CATALOGUE}}
    assert judged(**both)["fix"][0] == LADDER[step][1]


def test_nobody_is_an_answer_and_a_finding() -> None:
    assert judged()["fix"] == (
        "platform",
        "nobody is named, so whoever runs the clusters",
        False,
    )


def test_reports_say_that_nobody_owns_it(tmp_path: object) -> None:
    from pathlib import Path

    places = []
    for wide in (False, True):
        folder = Path(str(tmp_path)) / str(wide)
        for path, content in repository(wide=wide).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        places.append(str(folder))
    text = CliRunner().invoke(main, ["posture", "diff", *places]).stdout
    assert "UNOWNED  Deployment shop/web: label it or its namespace groundplan.dev/owner" in text
    said = CliRunner().invoke(main, ["posture", "diff", *places, "--format", "json"]).stdout
    assert json.loads(said)["unowned"] == ["Deployment shop/web"]
