"""Answers: one file for each fault, and the id of the error that it must cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplan import copier_adapter, template
from groundplan.answers import Answers, checked, questions, read
from groundplan.errors import AnswersError, ExitCode, UsageError
from groundplan.plan import Plan
from groundplan.scaffold import create

CASES = Path(__file__).parent / "cases"
EXPECT = "# expect: "
BLUEPRINT = template.locate()


def cases(kind: str) -> list[Path]:
    found = sorted((CASES / kind).glob("*.yaml"))
    assert found, f"no {kind} cases"
    return found


def ids(error: AnswersError) -> list[str]:
    return [problem.id for problem in error.problems]


@pytest.mark.parametrize("case", cases("invalid"), ids=lambda path: path.stem)
def test_a_fault_is_named_and_nothing_is_written(case: Path, tmp_path: Path) -> None:
    expected = case.read_text().splitlines()[0].removeprefix(EXPECT)

    with pytest.raises(AnswersError) as caught:
        create(BLUEPRINT, read(case), tmp_path / "platform")

    assert ids(caught.value) == [expected]
    assert caught.value.exit_code == ExitCode.USAGE
    assert str(caught.value).startswith(f"{case}:")
    assert "; " in str(caught.value), "the fix is missing"
    assert list(tmp_path.iterdir()) == []


def test_there_are_cases_enough() -> None:
    expected = {path.read_text().splitlines()[0] for path in cases("invalid")}

    assert len(cases("invalid")) >= 25
    assert len(expected) >= 25


@pytest.mark.parametrize("case", cases("valid"), ids=lambda path: path.stem)
def test_valid_answers_are_kept_as_they_are(case: Path) -> None:
    answers = read(case)

    usable = checked(answers, BLUEPRINT)

    assert dict(usable.values) == {k: v for k, v in answers.values.items() if k[0] != "_"}
    assert set(usable.values) <= {question.name for question in questions(BLUEPRINT)}
    assert usable.commit == answers.values.get("_commit", "")


@pytest.mark.parametrize("case", cases("valid"), ids=lambda path: path.stem)
def test_valid_answers_render(case: Path, tmp_path: Path) -> None:
    create(BLUEPRINT, read(case), tmp_path / "platform")

    written = read(tmp_path / "platform" / ".copier-answers.yml").values
    assert written["_src_path"] == template.UPSTREAM
    assert written["_commit"] == BLUEPRINT.version
    given = {k: v for k, v in read(case).values.items() if k[0] != "_"}
    assert given.items() <= written.items()


def test_all_faults_are_told_at_once_each_on_a_line_with_key_value_and_fix(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(
        "teir: small\n"
        "domain: acme\n"
        "clusters:\n"
        "  - name: dev\n"
        "    place: kind\n"
        "    environment: development\n"
        "    pod_cidr: 10.0.0.1/16\n"
        "    service_cidr: 10.96.0.0/16\n"
    )

    with pytest.raises(AnswersError) as caught:
        checked(read(file), BLUEPRINT)

    assert str(caught.value).splitlines() == [
        f"{file}:1: teir: no key is called teir; did you mean tier? [answers.unknown-key]",
        f'{file}:2: domain: "acme" is no domain name; '
        "write it in lower case with at least one dot, as in acme.example "
        "[answers.not-a-domain]",
        f'{file}:7: clusters[0].pod_cidr: "10.0.0.1/16" has host bits set; '
        "did you mean 10.0.0.0/16? [answers.host-bits]",
    ]


@pytest.mark.parametrize(
    ("case", "secret"),
    [
        ("private-key", "AGE-SECRET-KEY-1Q"),
        ("repository-with-password", "hunter2"),
        ("repository-with-token", "ghp_0123456789"),
    ],
)
def test_a_secret_is_never_repeated(case: str, secret: str) -> None:
    with pytest.raises(AnswersError) as caught:
        checked(read(CASES / "invalid" / f"{case}.yaml"), BLUEPRINT)

    assert secret in (CASES / "invalid" / f"{case}.yaml").read_text()
    assert secret not in str(caught.value)


def test_a_default_counts_when_it_contradicts(tmp_path: Path) -> None:
    with pytest.raises(AnswersError) as caught:
        checked(Answers({"secrets": "sops"}), BLUEPRINT)

    assert ids(caught.value) == ["answers.sops-without-recipient"]


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "missing.yaml")

    assert caught.value.id == "answers.unreadable"


def test_binary_answers_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_bytes(b"\x00\x01\x02")

    with pytest.raises(AnswersError) as caught:
        read(file)

    assert ids(caught.value) == ["yaml.binary"]


def test_questions_are_those_that_copier_asks() -> None:
    asked = questions(BLUEPRINT)
    resolved = copier_adapter.resolve(BLUEPRINT, {})

    recorded = {name for name in resolved if not name.startswith("_")} - {"now", "make_secret"}
    assert {question.name for question in asked} == recorded
    assert [question.name for question in asked if question.computed] == ["plan"]


def test_what_a_template_refuses_by_itself_is_an_answers_error() -> None:
    with pytest.raises(AnswersError) as caught:
        copier_adapter.resolve(BLUEPRINT, {"domain": "acme"})

    assert ids(caught.value) == ["answers.refused"]
    assert str(caught.value).startswith("domain: ")


def test_a_plan_says_why_each_component_is_there() -> None:
    plan = Plan.of(copier_adapter.resolve(BLUEPRINT, {})["plan"])

    assert plan.tier.name == "small"
    assert plan.components
    for component in plan.components:
        assert plan.because(component.name).startswith("tier small lists it")
