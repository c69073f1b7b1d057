"""Rules of rendered repositories, judged by Prometheus' own promtool."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.rendering import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from groundplan.tree import Tree

Rule = dict[str, Any]
MINUTES = {"m": 1, "h": 60}
WEEK = 100 * 60
"""Minutes from which samples are so far apart that a test of a week takes seconds, too."""


def rules(tree: Tree) -> Iterator[tuple[str, Rule]]:
    """Each rule of a repository with its file."""
    for path in sorted(tree.files):
        if path.endswith(".yaml") and b"kind: PrometheusRule" in tree.files[path]:
            for document in parsed(tree, path):
                if document["kind"] == "PrometheusRule":
                    for group in document["spec"]["groups"]:
                        yield from ((path, rule) for rule in group["rules"])


def name(rule: Rule) -> str:
    """What a rule records, or the alert that it gives."""
    return str(rule.get("record") or rule["alert"])


def needed(wanted: str, every: Sequence[Rule]) -> list[Rule]:
    """The rules whose names match, and before them those that record what they ask for."""
    found = [rule for rule in every if fnmatch(name(rule), wanted)]
    asked = {series for rule in found for series in re.findall(r"\w+(?::\w+)+", rule["expr"])}
    recorded = {rule["record"] for rule in every if "record" in rule}
    before = [one for series in sorted(asked & recorded) for one in needed(series, every)]
    return [rule for rule in before if rule not in found] + found


def question(
    series: Mapping[str, Any], at: str, answers: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """One test for promtool: what each query gives after a time.

    Samples of series are a minute apart, and five where it takes more than a hundred hours.
    """
    minutes = int(at[:-1]) * MINUTES[at[-1]]
    apart = 5 if minutes > WEEK else 1
    samples = minutes // apart + 60
    given = [
        {"series": one, "values": str(said) if "x" in str(said) else f"{said}x{samples}"}
        for one, said in series.items()
    ]
    asked = [
        {
            "expr": query,
            "eval_time": at,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in gives.items()],
        }
        for query, gives in answers.items()
    ]
    return {"interval": f"{apart}m", "input_series": given, "promql_expr_test": asked}


def tested(
    cases: Mapping[str, tuple[Sequence[Rule], Sequence[dict[str, Any]]]], folder: Path
) -> str:
    """Ask promtool about the rules and tests of each case; what it objects to, or nothing."""
    files = []
    for number, (case, (about, tests)) in enumerate(cases.items()):
        written = folder / f"{number}.rules.yaml"
        # One group each: a group's rules are evaluated in order, those that others need first.
        written.write_text(yaml.safe_dump({"groups": [{"name": case, "rules": list(about)}]}))
        long = any(re.search(r"\d{2}h", test["promql_expr_test"][0]["eval_time"]) for test in tests)
        test = {
            "rule_files": [written.name],
            "evaluation_interval": "30m" if long else "5m",
            "tests": list(tests),
        }
        (folder / f"{number}.test.yaml").write_text(yaml.safe_dump(test))
        files.append(str(folder / f"{number}.test.yaml"))
    done = _promtool("test", "rules", *files)
    said = re.sub(r"Unit Testing: .*\n\s*SUCCESS\n\n?", "", done.stdout + done.stderr)
    return said if done.returncode else ""


def read(every: Sequence[Rule], folder: Path) -> str:
    """Ask promtool to read rules; what it objects to, or nothing."""
    groups = [{"name": str(number), "rules": [rule]} for number, rule in enumerate(every)]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    done = _promtool("check", "rules", str(folder / "rules.yaml"))
    return done.stdout + done.stderr if done.returncode else ""


def unread(queries: Sequence[str], folder: Path) -> set[str]:
    """Those of some queries that promtool cannot read."""
    said = read([{"record": f"r{n}", "expr": query} for n, query in enumerate(queries)], folder)
    return {queries[int(number)] for number in re.findall(r'group "(\d+)", rule 1, "r', said)}


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    return subprocess.run(
        [promtool, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
