"""Each admission policy has a mode at every tier, an owner, and examples that it tells apart."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan import checks
from groundplan.admission.judging import Judge
from groundplan.admission.policies import policies
from groundplan.posture.catalogue import check_of
from groundplan.posture.comparison import Side, compare
from groundplan.posture.exceptions.model import KIND, State
from groundplan.posture.model import Dimension, Verdict
from groundplan.repository import Repository
from groundplan.resources import Origin, Resource
from groundplan.runners.apiserver import Binaries, running
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from groundplan.verify import verify
from groundplan.verify.pod_templates import pod
from tests.gitops_trees import gotk_sync
from tests.programs import program
from tests.rendering import BLUEPRINTS, ENGINES, TIERS, parsed, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.findings import Report

LISTS = {"README.md", "kustomization.yaml"}
UNIT = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  path: ./{name}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
  dependsOn: [{needs}]
"""
ROWS = sorted((BLUEPRINTS / "policies").glob("*.yaml"))
FILES = [path for path in ROWS if "\njudge: " not in path.read_text("utf-8")]
"""What the API server judges."""
MODES = {"off": [], "warn": ["Warn"], "audit": ["Warn", "Audit"], "deny": ["Deny", "Audit"]}
PLAIN = [
    path
    for path in FILES
    if not path.stem.startswith("git-") and "CREATE" in path.read_text("utf-8")
]
"""The engines' own objects would be taken for what the repository starts from, and of changes to
what is there already no repository tells."""
JUDGED = {"admission": "match", "repository": "checks", "exceptions": "states", "diff": "dimension"}
"""Who judges a policy, and what a row then says of how."""
each = pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)


def data(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


@each
def test_a_policy_says_what_it_is_and_whose(path: Path) -> None:
    policy = data(path)

    assert policy["id"] == path.stem.upper()
    assert policy["severity"] in {"low", "medium", "high", "critical"}
    assert policy["owner"] in {"platform", "team"}
    assert policy["why"].endswith(".")
    assert policy["mappings"].keys() == {"pss", "nsa", "cis", "owasp"}
    judge = policy.get("judge", "admission")
    assert {how for how in JUDGED.values() if how in policy} - {"dimension"} <= {JUDGED[judge]}
    assert JUDGED[judge] in policy
    examples = {"repository": None, "diff": {"base", "good", "bad"}}.get(judge, {"good", "bad"})
    assert examples == (policy["examples"].keys() if examples else policy.get("examples"))
    if judge == "admission":
        assert policy["applies_to"] in {"everywhere", "all", "teams"}


def test_every_policy_has_a_judge_and_every_judge_a_policy() -> None:
    said = [data(path) for path in ROWS]
    named = {(check, row["id"]) for row in said for check in row.get("checks", ())}
    known = {(check.id, check.policy) for check in checks.registry() if check.policy}
    public = {check.id for check in checks.registry() if not check.policy}

    assert {pair for pair in named if pair[0] not in public} == known
    assert sorted(state for row in said for state in row.get("states", ())) == sorted(
        state for state in State if state is not State.ACTIVE
    )
    assert {row["dimension"] for row in said if "dimension" in row} == {*Dimension}


SECTIONS = {"POD": 15, "RBAC": 16, "ID": 5, "NET": 10, "ADM": 4, "EXC": 6, "SEC": 2, "GIT": 5}


def test_the_numbers_of_policies_have_no_holes() -> None:
    ids = {path.stem.upper() for path in ROWS}

    for section, last in {**SECTIONS, "OWN": 1, "RUN": 2, "GPU": 6, "TEN": 2}.items():
        wanted = {f"{section}-{number:03}" for number in range(1, last + 1)}
        assert {policy for policy in ids if policy.startswith(f"{section}-")} == wanted


DIFFS = [path for path in ROWS if "\njudge: diff" in path.read_text("utf-8")]


def widened(before: list[Any], after: list[Any]) -> set[tuple[str, str]]:
    """In which dimensions, and against which policies, objects allow more than those before."""

    def side(objects: list[Any]) -> Side:
        files = {"clusters/one/flux-system/gotk-sync.yaml": gotk_sync("one")}
        for number, body in enumerate(objects):
            folder = "posture/exceptions" if body["kind"] == KIND else "clusters/one"
            files[f"{folder}/{number}.yaml"] = yaml.safe_dump(body)
        return Side.of(Tree.of(files))

    names = [(body["kind"], body["metadata"]["name"]) for body in after]
    kept = [body for body in before if (body["kind"], body["metadata"]["name"]) not in names]
    found = compare(side(before), side(kept + after))
    assert not found.gaps
    changes = (judged.change for judged in found.of(Verdict.WIDENED, Verdict.INCOMPARABLE))
    return {(change.dimension, check_of(change)) for change in changes}


@pytest.mark.parametrize("path", DIFFS, ids=lambda path: path.stem)
def test_a_policy_about_change_tells_its_examples_apart(path: Path) -> None:
    said = data(path)

    assert widened(said["examples"]["base"], said["examples"]["good"]) == set()
    found = widened(said["examples"]["base"], said["examples"]["bad"])
    assert {dimension for dimension, _ in found} == {said["dimension"]}
    assert said["id"] in {policy for _, policy in found}


@each
def test_a_larger_tier_is_never_laxer(path: Path) -> None:
    mode = data(path)["mode"]

    assert mode.keys() == set(TIERS)
    ranks = [list(MODES).index(mode[tier]) for tier in TIERS]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_policy_is_rendered_in_the_mode_of_its_tier(engine: str, tier: str) -> None:
    tree = rendered(engine, tier, ("kind",))
    folder = "components/policies/"
    skipped = {folder + "README.md", folder + "kustomization.yaml"}
    files = {path for path in tree.files if path.startswith(folder)} - skipped

    expected = [path for path in FILES if data(path)["mode"][tier] != "off"]
    expected = [path for path in expected if data(path).get("engine", engine) == engine]
    assert files == {folder + path.name for path in expected}
    for path in expected:
        policy, binding = parsed(tree, folder + path.name)
        said = data(path)
        assert binding["spec"]["policyName"] == policy["metadata"]["name"]
        assert binding["spec"]["validationActions"] == MODES[said["mode"][tier]]
        assert policy["spec"]["failurePolicy"] == "Fail"
        for validation, declared in zip(
            policy["spec"]["validations"], said["validations"], strict=True
        ):
            assert validation["expression"] == declared["expression"].strip()
            assert validation["message"].startswith(said["id"] + ": ")


PLATFORM = """apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {groundplan.dev/tenant: shop, groundplan.dev/owner: shop}
  annotations: {groundplan.dev/device-classes: gpu.groundplan.dev}
---
apiVersion: v1
kind: Namespace
metadata: {name: argocd, labels: {groundplan.dev/owner: platform}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: nvidia}
handler: nvidia
"""


def shop() -> Repository:
    """Every policy as a warning, and after them the examples of each under names of their own.

    A denial ends a request at the first policy that refuses; of warnings each policy gives its own.
    """
    files = {
        "clusters/one/platform.yaml": UNIT.format(name="platform", needs=""),
        "clusters/one/examples.yaml": UNIT.format(name="examples", needs="{name: platform}"),
        "platform/namespaces.yaml": PLATFORM,
    }
    for engine in ENGINES:
        tree = rendered(engine, "enterprise", ("kind",))
        for path in tree.files:
            name = path.rpartition("/")[2]
            if path.startswith("components/policies/") and name not in LISTS:
                bound = parsed(tree, path)
                bound[1]["spec"]["validationActions"] = ["Warn"]
                files[f"platform/{name}"] = yaml.safe_dump_all(bound)
    for path in PLAIN:
        for quality, example in data(path)["examples"].items():
            named = {
                **example,
                "metadata": {**example["metadata"], "name": f"{path.stem}-{quality}"},
            }
            files[f"examples/{path.stem}-{quality}.yaml"] = yaml.safe_dump(named)
    tree = Tree.of(files)
    return Repository.of(tree, schemas=default_store("1.37"), charts=default_charts())


def refused(report: Report) -> set[tuple[str, str]]:
    """Which policy speaks against which example."""
    return {
        (found[0], finding.resource.name)
        for finding in report.findings
        if finding.resource and (found := re.findall(r"[A-Z]+-\d{3}(?=: )", finding.message))
    }


def expected() -> set[tuple[str, str]]:
    return {(path.stem.upper(), f"{path.stem}-bad") for path in PLAIN}


def own(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What policies say of their own examples; those of others may well break them too."""
    return {(policy, name) for policy, name in found if name.startswith(policy.lower())}


def test_policies_tell_their_examples_apart_without_a_server() -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    report = checks.run(shop(), only=["ADM001", "ADM002"])

    assert own(refused(report)) == expected()
    assert [o for result in report.results for o in result.not_evaluated] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_policies_about_an_engine_tell_their_examples_apart(engine: str) -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    [path] = [path for path in FILES if data(path).get("engine") == engine]
    tree = rendered(engine, "enterprise", ("kind",))
    objects = [*parsed(tree, f"components/policies/{path.name}"), *yaml.safe_load_all(PLATFORM)]
    examples = data(path)["examples"]
    resources = [Resource.of(one, Origin("")) for one in (*objects, *examples.values())]

    (said,) = Judge().verdicts([*policies(resources)], [resources])
    assert said.content == {f"{path.stem}.groundplan.dev": 1}
    (bad,) = said.others
    assert (bad.candidate.body, bad.unknown) == (examples["bad"], "")
    assert bad.message.startswith(f"{path.stem.upper()}: ")


@pytest.mark.cluster
def test_an_api_server_says_the_same_of_every_example_as_we_do() -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    binaries = Binaries(program("etcd"), program("kube-apiserver"))
    repository = shop()
    done = verify(repository, partial(running, binaries))

    served = refused(done.report)
    unserved = {
        outcome.subject.partition(" ")[0]
        for result in done.report.results
        for outcome in result.not_evaluated
        if "/" in outcome.subject
    }
    examples = [r for r in repository.resources if r.origin.path.startswith("examples/")]
    known = {r.id.name for r in examples if r.id.kind not in unserved}
    assert own(served) == {e for e in expected() if e[1] in known}
    ours = refused(checks.run(repository, only=["ADM001", "ADM002"]))
    # We judge the pods of a workload with it, and the API server when they are made.
    known -= {r.id.name for r in examples if pod(r) is not None}
    assert {one for one in served if one[1] in known} == {one for one in ours if one[1] in known}
