"""Reports: what each format promises to those who read it."""

from __future__ import annotations

import dataclasses
import json
from xml.etree import ElementTree as ET

import pytest

from groundplan.checks import registry
from groundplan.findings import (
    Errored,
    Failed,
    Finding,
    Location,
    Passed,
    Report,
    Result,
    Severity,
    Skipped,
)
from groundplan.report import RENDERERS, Format, render
from groundplan.resources import ResourceId
from tests.sarif import against_schema

WEB = ResourceId("apps", "v1", "Deployment", "shop", "web")
VIOLATION = Finding(
    "SCH001",
    "Deployment shop/web: 'three' is not an integer at /spec/replicas",
    Severity.HIGH,
    Location("apps/web.yaml", 7, "/spec/replicas"),
    "Correct the field.",
    WEB,
)
LINK = Finding(
    "TREE001", "points to /etc", Severity.MEDIUM, Location("apps/a b,c:%.yaml"), "Remove the link."
)
REPORT = Report(
    (
        Result("SCH001", "Every object has the shape", (Failed(VIOLATION), Passed(4))),
        Result("SCH002", "Every kind has a schema", (Skipped("x.io/v1 Thing", "no schema", 3),)),
        Result("TREE001", "No link leaves", (Failed(LINK), Passed(2))),
        Result("GIT001", "No cycle", (Passed(0),)),
        Result("GIT004", "Paths exist", (Errored("clusters/a", "ran out"),)),
    ),
    "platform",
)
CLEAN = Report((Result("YAML001", "Keys once", (Passed(2),)),))


def test_text_groups_findings_by_file_and_says_what_was_not_looked_at() -> None:
    assert render(REPORT, Format.TEXT).splitlines() == [
        "apps/a b,c:%.yaml",
        "      -  medium  TREE001  points to /etc",
        "                 -> Remove the link.",
        "",
        "apps/web.yaml",
        "      7  high    SCH001  Deployment shop/web: 'three' is not an integer at /spec/replicas",
        "                 -> Correct the field.",
        "",
        "Not evaluated:",
        "  SCH002  x.io/v1 Thing (3): no schema",
        "  GIT004  clusters/a: broke off: ran out",
        "",
        "5 objects validated / 3 not evaluated",
        "5 checks ran, 1 had nothing to look at; 2 findings: 1 high, 1 medium",
    ]


def test_text_of_a_clean_report() -> None:
    assert render(CLEAN, Format.TEXT) == "1 check ran; no findings\n"


def test_text_keeps_a_finding_on_one_line() -> None:
    finding = dataclasses.replace(VIOLATION, message="first\nsecond")
    report = Report((Result("SCH001", "t", (Failed(finding),)),))
    assert "      7  high    SCH001  first second\n" in render(report, Format.TEXT)


def test_json_is_versioned_and_complete() -> None:
    body = json.loads(render(REPORT, Format.JSON))
    assert body["schema"] == "groundplan.dev/report/v1"
    assert body["summary"] == {
        "checks": 5,
        "findings": 2,
        "severities": {"medium": 1, "high": 1},
        "objects": {"validated": 5, "notEvaluated": 3},
        "errored": 1,
    }
    assert body["findings"][1] == {
        "check": "SCH001",
        "severity": "high",
        "message": VIOLATION.message,
        "path": "apps/web.yaml",
        "line": 7,
        "pointer": "/spec/replicas",
        "remediation": "Correct the field.",
        "resource": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "web",
        },
        "fixOwner": None,
        "affectedOwner": None,
        "fingerprint": VIOLATION.fingerprint,
    }
    assert body["checks"][1] == {
        "id": "SCH002",
        "title": "Every kind has a schema",
        "evaluated": 0,
        "findings": 0,
        "notEvaluated": [
            {"outcome": "skipped", "subject": "x.io/v1 Thing", "reason": "no schema", "count": 3}
        ],
    }
    assert body["checks"][4]["notEvaluated"] == [
        {"outcome": "errored", "subject": "clusters/a", "reason": "ran out", "count": 1}
    ]


@pytest.mark.parametrize("report", [REPORT, CLEAN, Report(())], ids=["full", "clean", "empty"])
def test_sarif_follows_the_schema(report: Report) -> None:
    assert against_schema(json.loads(render(report, Format.SARIF))) == []


@pytest.mark.parametrize(
    ("place", "value", "wrong"),
    [
        (("version",), "2.0.0", "2.0.0"),
        (("runs", 0, "results", 0, "message"), {}, "{}"),
        (("runs", 0, "results", 0, "severity"), "high", "severity"),
        (("runs", 0, "columnKind"), "bytes", "bytes"),
        (("runs", 0, "invocations", 0, "exitSignalNumber"), "9", "9"),
    ],
)
def test_the_schema_refuses_what_sarif_does_not_have(
    place: tuple[str | int, ...], value: object, wrong: str
) -> None:
    log = json.loads(render(REPORT, Format.SARIF))
    inner = log
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    errors = against_schema(log)
    assert errors
    assert all(wrong in error for error in errors)


def test_sarif_results_point_at_rules_and_regions() -> None:
    (run,) = json.loads(render(REPORT, Format.SARIF))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["TREE001", "SCH001"]
    assert [result["level"] for result in run["results"]] == ["warning", "error"]
    assert run["results"][0]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {
                    "uri": "apps/a%20b%2Cc%3A%25.yaml",
                    "uriBaseId": "%SRCROOT%",
                },
                "region": {"startLine": 1},
            }
        }
    ]
    assert run["results"][1]["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
    assert run["results"][1]["locations"][0]["logicalLocations"] == [
        {"fullyQualifiedName": "Deployment shop/web", "kind": "object"}
    ]
    help_of = {check.id: check.remediation for check in registry()}
    assert rules[0]["help"]["text"] == help_of["SCH001"]


def test_sarif_says_what_was_not_looked_at() -> None:
    (run,) = json.loads(render(REPORT, Format.SARIF))["runs"]
    assert run["invocations"] == [
        {
            "executionSuccessful": False,
            "toolExecutionNotifications": [
                {
                    "level": "note",
                    "message": {"text": "Not evaluated: x.io/v1 Thing (3): no schema"},
                    "associatedRule": {"id": "SCH002", "index": 1},
                },
                {
                    "level": "error",
                    "message": {"text": "Not evaluated: clusters/a: ran out"},
                    "associatedRule": {"id": "GIT004", "index": 4},
                },
            ],
        }
    ]


def test_sarif_fingerprints_survive_moves_and_tell_twins_apart() -> None:
    moved = dataclasses.replace(VIOLATION, location=Location("moved.yaml", 90, "/spec/replicas"))
    report = Report((Result("SCH001", "t", (Failed(VIOLATION), Failed(moved))),))
    (run,) = json.loads(render(report, Format.SARIF))["runs"]
    fingerprints = [result["partialFingerprints"]["groundplan/v1"] for result in run["results"]]
    assert fingerprints == [f"{VIOLATION.fingerprint}:1", f"{VIOLATION.fingerprint}:2"]


def parsed(report: Report) -> ET.Element:
    return ET.fromstring(render(report, Format.JUNIT))  # noqa: S314 - written a moment ago


def test_junit_counts_what_it_lists() -> None:
    root = parsed(REPORT)
    assert root.attrib == {
        "name": "groundplan check",
        "tests": "6",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
    }
    for suite in root:
        assert suite.attrib["tests"] == str(len(suite.findall("testcase")))
        assert suite.attrib["failures"] == str(len(suite.findall("testcase/failure")))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib == {"type": "high", "message": VIOLATION.message}
    assert failure.text == "apps/web.yaml:7 /spec/replicas\nCorrect the field."
    skipped = root.find("testsuite/testcase/skipped")
    assert skipped is not None
    assert skipped.attrib == {"message": "no schema"}


def test_junit_carries_no_character_that_xml_forbids() -> None:
    finding = dataclasses.replace(VIOLATION, message="a\0b\x1b\ud800 <&>")
    report = Report((Result("SCH001", "t", (Failed(finding),)),))
    failure = parsed(report).find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib["message"] == "a\ufffdb\ufffd\ufffd <&>"


def test_github_commands_are_escaped() -> None:
    finding = dataclasses.replace(VIOLATION, message="100%\r\nsure: yes, sure")
    report = Report(
        (
            Result("SCH001", "Shape: all, always", (Failed(finding),)),
            Result("TREE001", "Links", (Failed(LINK),)),
            Result("SCH002", "Known", (Skipped("x.io/v1 Thing", "no schema", 3),)),
        )
    )
    assert render(report, Format.GITHUB).splitlines() == [
        "::warning file=apps/a b%2Cc%3A%25.yaml,title=TREE001 Links"
        "::points to /etc%0ARemove the link.",
        "::error file=apps/web.yaml,line=7,title=SCH001 Shape%3A all%2C always"
        "::100%25%0D%0Asure: yes, sure%0ACorrect the field.",
        "::notice title=SCH002 not evaluated::x.io/v1 Thing (3): no schema",
    ]


def test_every_format_has_a_renderer_that_ends_its_last_line() -> None:
    assert set(RENDERERS) == set(Format)
    for form in Format:
        assert render(REPORT, form).endswith("\n")


def owned(finding: Finding, owner: str) -> Failed:
    return Failed(dataclasses.replace(finding, fix_owner=owner, affected_owner=owner))


def test_gitlab_numbers_equal_fingerprints() -> None:
    report = Report((Result("SCH001", "t", (owned(VIOLATION, "team-a"), Failed(VIOLATION))),))
    first, second = json.loads(render(report, Format.GITLAB))

    assert first == {
        "description": f"{VIOLATION.message}. Correct the field. (team-a)",
        "check_name": "SCH001",
        "fingerprint": f"{VIOLATION.fingerprint}-1",
        "severity": "critical",
        "location": {"path": "apps/web.yaml", "lines": {"begin": 7}},
    }
    assert second["fingerprint"] == f"{VIOLATION.fingerprint}-2"


def test_markdown_has_a_table_for_each_owner() -> None:
    outcomes = (owned(VIOLATION, "team-b"), owned(LINK, "team-a"), Skipped("a kind", "no schema"))
    said = render(Report((Result("SCH001", "t", outcomes),)), Format.MARKDOWN)

    assert said.startswith(
        "<!-- groundplan check -->\n**groundplan**: 2 findings, 1 not evaluated\n"
    )
    assert said.index("### For team-a") < said.index("TREE001") < said.index("### For team-b")
    assert "| high | SCH001 | `apps/web.yaml:7` | Deployment shop/web: 'three' is" in said


def test_markdown_fits_into_a_comment() -> None:
    many = tuple(
        Failed(dataclasses.replace(VIOLATION, message=f"{number} " + "x|" * 200))
        for number in range(500)
    )
    said = render(Report((Result("SCH001", "t", many),)), Format.MARKDOWN)

    assert len(said) < 65_536
    assert said.endswith("The comment ends here; `groundplan check` has the rest.\n")


def test_owners_are_named_where_they_are_known() -> None:
    report = Report((Result("SCH001", "t", (owned(VIOLATION, "team-a"),)),))

    assert "-> Correct the field. (team-a)\n" in render(report, Format.TEXT)
    assert json.loads(render(report, Format.JSON))["findings"][0]["fixOwner"] == "team-a"
    [run] = json.loads(render(report, Format.SARIF))["runs"]
    assert run["results"][0]["properties"]["affectedOwner"] == "team-a"
