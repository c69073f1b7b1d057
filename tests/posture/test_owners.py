"""Who mends a change and whom it affects: the first answer of a fixed order, and always one."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.cli import main
from groundplan.posture.catalogue import ENTRIES, ESCALATION, STRAY
from groundplan.posture.comparison import Side, compare
from groundplan.posture.exceptions.model import KIND
from groundplan.posture.model import Change, Dimension, Verdict
from groundplan.posture.owners import responsible
from groundplan.resources import Origin, ResourceId
from groundplan.tree import Tree
from tests.rendering import BLUEPRINTS

if TYPE_CHECKING:
    from groundplan.posture.owners import Owners

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
        "team",
        "the default of POD-009, as nobody is named",
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


LABELLED = st.sampled_from(["", OWNER % "one", ID])


@given(
    dimension=st.sampled_from(Dimension),
    policy=st.sampled_from(["", ESCALATION, STRAY, "NET-009"]),
    kind=st.sampled_from(["Deployment", "Namespace", "ClusterRole", KIND]),
    namespace=st.sampled_from(["", "shop", "elsewhere"]),
    name=st.sampled_from(["web", "shop", "unheard-of"]),
    origin=st.sampled_from([None, Origin(""), Origin("apps/web.yaml"), Origin("gone.yaml")]),
    gone=st.booleans(),
    labels=st.tuples(LABELLED, LABELLED, LABELLED, LABELLED),
    files=st.sampled_from([{}, RULES, {"catalog-info.yaml": CATALOGUE}]),
)
@settings(max_examples=300, deadline=None)
def test_whatever_changed_there_is_an_owner_and_a_reason(**drawn: Any) -> None:
    web, space, unit, project = drawn["labels"]
    words = {"web": web, "namespace": space, "unit": unit, "project": project}
    owners = owners_of(tuple(words.items()), tuple(drawn["files"].items()))
    change = Change(
        dimension=drawn["dimension"],
        verdict=Verdict.WIDENED,
        atom="hostPID is on",
        subject=ResourceId("apps", "v1", drawn["kind"], drawn["namespace"], drawn["name"]),
        origin=drawn["origin"],
        pointer="",
        detail="",
        gone=drawn["gone"],
        policy=drawn["policy"],
    )
    for owner in responsible(change, owners, owners):
        assert owner.name
        assert owner.because
        # A default is told apart from somebody who is named.
        assert owner.known is not owner.because.endswith("as nobody is named")


@cache
def owners_of(words: tuple[tuple[str, str], ...], files: tuple[tuple[str, str], ...]) -> Owners:
    side = Side.of(repository(wide=True, **dict(words), files=dict(files)))  # type: ignore[arg-type]
    return side.owners_of("a")


def test_what_is_found_is_called_as_the_policy_is() -> None:
    policies = [yaml.safe_load(path.read_text()) for path in (BLUEPRINTS / "policies").iterdir()]
    said = {policy["id"]: policy for policy in policies}
    ours = {check: entry for check, entry in ENTRIES.items() if check in said}
    for check, entry in ours.items():
        assert (entry.title, entry.owner) == (said[check]["title"], said[check]["owner"])
    assert set(ENTRIES) - set(ours) == {"DIFF-001", "RUN-003", "RUN-004"}


def test_a_tier_takes_note_of_what_its_policies_only_warn_of() -> None:
    policies = [yaml.safe_load(path.read_text()) for path in (BLUEPRINTS / "policies").iterdir()]
    patient = {
        policy["id"]: tuple(
            tier for tier, mode in policy["mode"].items() if mode in {"off", "warn"}
        )
        for policy in policies
        if "dimension" in policy
    }
    assert patient == {check: ENTRIES[check].noted for check in patient}
    assert not any(entry.noted for check, entry in ENTRIES.items() if check not in patient)
