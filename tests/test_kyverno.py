"""The policies as Kyverno's: of the same expressions, judged alike, and in nobody else's hands."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from groundplan import checks, copier_adapter
from groundplan.admission.judging import Judge
from groundplan.admission.policies import policies
from groundplan.process import Command
from groundplan.repository import Repository
from groundplan.resources import Origin, Resource
from groundplan.schemas import default_charts, default_store
from groundplan.template import Template
from groundplan.tree import Tree
from tests.programs import program
from tests.rendering import CLUSTERS, ENGINES, READY, ROOT, TEAMS, parsed, rendered
from tests.test_policies import FILES, MODES, PLATFORM, data

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = [path for path in FILES if data(path).get("kyverno", True)]
NATIVE = {path.name for path in FILES} - {path.name for path in OURS}
NAMESPACES = [*yaml.safe_load_all(PLATFORM)]


@cache
def chosen(engine: str, tier: str = "enterprise") -> Tree:
    """A platform whose policies Kyverno enforces."""
    answers = {"engine": engine, "tier": tier, "policy_engine": "kyverno", "teams": TEAMS}
    answers |= {"clusters": [CLUSTERS["eks"]], "practices": READY}
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), answers, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


def objects(tree: Tree) -> dict[str, list[Any]]:
    """The objects of each policy, by the name of its file."""
    folder = "components/policies/"
    names = {path.name for path in FILES}
    found = {path.removeprefix(folder) for path in tree.files if path.startswith(folder)}
    return {name: parsed(tree, folder + name) for name in sorted(found & names)}


@pytest.mark.parametrize("tier", ["growing", "enterprise"])
@pytest.mark.parametrize("engine", ENGINES)
def test_both_renderings_have_the_same_expressions_scopes_and_modes(engine: str, tier: str) -> None:
    ours, native = objects(chosen(engine, tier)), objects(rendered(engine, tier, ("eks",)))

    assert ours.keys() == native.keys()
    for name, (policy, *rest) in ours.items():
        other, binding = native[name]
        if name in NATIVE:
            assert [policy, *rest] == [other, binding]
            continue
        spec = policy["spec"]
        assert (policy["apiVersion"], rest) == ("policies.kyverno.io/v1", [])
        assert policy["metadata"] == other["metadata"]
        assert spec["validationActions"] == binding["spec"]["validationActions"]
        assert spec["validationActions"] in MODES.values()
        assert spec["matchConstraints"] == {
            **other["spec"]["matchConstraints"],
            **binding["spec"].get("matchResources", {}),
        }
        for field in ("variables", "validations", "failurePolicy"):
            assert spec.get(field) == other["spec"].get(field), (name, field)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_platform_is_sound(engine: str) -> None:
    tree = chosen(engine)
    repository = Repository.of(tree, schemas=default_store("1.37"), charts=default_charts())
    report = checks.run(repository)

    assert report.findings == ()
    [schemas] = [result for result in report.results if result.check_id == "SCH001"]
    assert not [one for one in schemas.not_evaluated if "kyverno" in one.subject]


def test_kyverno_comes_first_and_takes_exceptions_from_the_platform_alone() -> None:
    tree = chosen("flux")
    [unit] = [u for u in parsed(tree, "clusters/production/policies.yaml") if name(u) == "policies"]
    values = parsed(tree, "components/kyverno/values.yaml")[0]

    assert unit["spec"]["dependsOn"] == [{"name": "kyverno"}]
    assert values["features"]["policyExceptions"] == {"enabled": True, "namespace": "kyverno"}
    # Otherwise whoever administers a namespace could write policies and exceptions there.
    assert values["rbac"]["roles"]["aggregate"]["admin"] is False


def name(body: Any) -> str:
    found: str = body["metadata"]["name"]
    return found


def examples() -> Iterator[dict[str, Any]]:
    for path in OURS:
        for quality, example in data(path)["examples"].items():
            yield {**example, "metadata": {**example["metadata"], "name": f"{path.stem}-{quality}"}}


def of_both_engines() -> list[Any]:
    found = {
        file: bodies[0]
        for engine in ENGINES
        for file, bodies in objects(chosen(engine)).items()
        if file not in NATIVE
    }
    return list(found.values())


def spoken_against(exceptions: list[Any]) -> set[tuple[str, str]]:
    """Which policy speaks against which example, in process."""
    bodies = [*of_both_engines(), *exceptions, *NAMESPACES, *examples()]
    resources = [Resource.of(body, Origin("")) for body in bodies]
    [said] = Judge().verdicts([*policies(resources)], [resources])
    names = {name(example) for example in examples()}
    return {
        (verdict.policy.name, verdict.candidate.source.id.name)
        for verdict in said.others
        if verdict.message
        # Kyverno's command makes no pods of workloads.
        and verdict.candidate.kind == verdict.candidate.source.id.kind
        and verdict.candidate.source.id.name in names
    }


EXCEPTION = {
    "apiVersion": "policies.kyverno.io/v1",
    "kind": "PolicyException",
    "metadata": {"name": "one", "namespace": "kyverno"},
    "spec": {
        "policyRefs": [{"kind": "ValidatingPolicy", "name": "pod-004.groundplan.dev"}],
        "matchConditions": [{"name": "scope", "expression": 'request.namespace in ["shop"]'}],
        "expiresAt": "2999-12-31T23:59:59Z",
    },
}


def test_kyverno_s_policies_tell_their_examples_apart() -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    said = spoken_against([])
    own = {(policy, one) for policy, one in said if one.startswith(policy.partition(".")[0])}

    assert own == {(f"{path.stem}.groundplan.dev", f"{path.stem}-bad") for path in OURS}
    assert said - spoken_against([EXCEPTION]) == {
        pair for pair in said if pair[0].startswith("pod-004")
    }


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("family", "exceptions"), [("", []), ("pod-00", [EXCEPTION])], ids=["", "with an exception"]
)
def test_kyverno_itself_says_the_same_of_every_example_as_we_do(
    family: str, exceptions: list[Any], tmp_path: Path
) -> None:
    pytest.importorskip("cel_expr_python", reason="no engine for the expressions is installed")
    kyverno = program("kyverno")
    namespaces = [one for one in NAMESPACES if one["kind"] == "Namespace"]
    spaces = {"apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Values", "namespaces": namespaces}
    asked = [policy for policy in of_both_engines() if name(policy).startswith(family)]
    files = {"policies": asked, "resources": [*examples()], "values": [spaces]}
    for file, bodies in (files | {"exceptions": exceptions}).items():
        (tmp_path / f"{file}.yaml").write_text(yaml.safe_dump_all(bodies))
    words = ["apply", "policies.yaml", "--resource", "resources.yaml", "-f", "values.yaml"]
    words += ["--exceptions", "exceptions.yaml"] if exceptions else []
    words += ["--policy-report", "--remove-color"]
    ran = Command((str(kyverno), *words), cwd=tmp_path, ok=(0, 1), timeout=600).run()
    _, _, report = ran.text.partition("apiVersion:")
    results = yaml.safe_load("apiVersion:" + report)["results"]

    assert not [one for one in results if one["result"] == "error"]
    failed = {
        (one["policy"], about["name"])
        for one in results
        if one["result"] in {"fail", "warn"}
        for about in one["resources"]
    }
    assert failed == {one for one in spoken_against(exceptions) if one[0].startswith(family)}
    assert failed
