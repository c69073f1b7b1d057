"""Every command that finds something says it in every format, and each reader understands it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from groundplan.cli import main
from groundplan.report import Format
from tests.sarif import against_schema
from tests.test_posture_diff import FILES, WEB, commit, git
from tests.test_posture_exceptions import written

if TYPE_CHECKING:
    from pathlib import Path

PRIVILEGED = FILES[WEB].replace("readOnly", "privileged: true\n            readOnly")
ENDED = written(expiresAt="2026-01-01").decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose last change made a pod privileged, with an exception that has ended."""
    folder = tmp_path_factory.mktemp("platform")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, {**FILES, "posture/exceptions/old.yaml": ENDED})
    CliRunner().invoke(main, ["posture", "drift", str(folder), "--write-baseline"])
    commit(folder, {WEB: PRIVILEGED})
    return folder


COMMANDS = {
    "diff": (("diff", "HEAD~1", "HEAD", "--path"), ("POD-009", "high", "shop")),
    "drift": (("drift",), ("POD-009", "high", "shop")),
    "exceptions": (("exceptions", "--today", "2026-11-27"), ("EXC-002", "high", "team-web")),
    "check": (("check", "--today", "2026-11-27"), ("POD-004", "high", "shop")),
}


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.TEXT])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_finding_is_in_every_format(place: Path, command: str, form: Format) -> None:
    words, (check, severity, owner) = COMMANDS[command]
    done = CliRunner().invoke(main, ["posture", *words, str(place), "--format", str(form)])
    assert done.exit_code in {1, 5}, done.output
    text = done.stdout
    if form is Format.SARIF:
        log = json.loads(text)
        assert against_schema(log) == []
        found = {
            (r["ruleId"], r["properties"]["severity"], r["properties"]["fixOwner"])
            for r in log["runs"][0]["results"]
        }
        assert (check, severity, owner) in found
    elif form is Format.JUNIT:
        suites = {s.attrib["name"].split()[0]: s for s in ET.fromstring(text)}  # noqa: S314 - ours
        assert int(suites[check].attrib["failures"]) >= 1
    elif form is Format.GITLAB:
        said = json.loads(text)
        assert check in {one["check_name"] for one in said}
        assert len({one["fingerprint"] for one in said}) == len(said)
    elif form is Format.GITHUB:
        assert f"title={check} " in text
        assert text.startswith("::error file=")
    elif form is Format.JSON:
        assert json.loads(text)["schema"].startswith("groundplan.dev/")
    else:
        assert "privileged" in text or check in text


def test_a_finding_is_known_by_the_fingerprint_that_an_approval_names(place: Path) -> None:
    said = [
        json.loads(CliRunner().invoke(main, ["posture", "drift", str(place), "--format", f]).stdout)
        for f in ("json", "gitlab")
    ]
    (widened,) = [c for c in said[0]["changes"] if c["verdict"] == "widened"]
    assert {one["fingerprint"] for one in said[1]} == {f"{widened['fingerprint']}-1"}
