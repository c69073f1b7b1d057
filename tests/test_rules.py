"""Every alert says how bad it is, what is wrong and what to do, in terms that Prometheus reads."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.rendering import ENGINES, parsed, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

engines = pytest.mark.parametrize("engine", ENGINES)


def rule_groups(engine: str) -> Iterator[tuple[str, list[Any]]]:
    """The groups of each PrometheusRule of a platform with every component, and its file."""
    tree = rendered(engine, "enterprise", ("kind", "eks"))
    for path in sorted(tree.files):
        if path.endswith(".yaml") and b"kind: PrometheusRule" in tree.files[path]:
            for document in parsed(tree, path):
                if document["kind"] == "PrometheusRule":
                    yield path, document["spec"]["groups"]


@engines
def test_an_alert_says_what_is_the_matter_and_what_to_do(engine: str) -> None:
    alerts = [
        (path, rule)
        for path, groups in rule_groups(engine)
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    ]

    assert len({rule["alert"] for _, rule in alerts}) == len(alerts)
    for path, rule in alerts:
        assert rule["labels"]["severity"] in {"critical", "warning"}, (path, rule["alert"])
        for said in ("summary", "description"):
            assert rule["annotations"][said].endswith("."), (path, rule["alert"])


@engines
def test_prometheus_reads_every_rule(engine: str, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    files = []
    for number, (path, groups) in enumerate(rule_groups(engine)):
        file = tmp_path / f"{number}-{path.replace('/', '-')}"
        file.write_text(yaml.safe_dump({"groups": groups}))
        files.append(str(file))

    done = subprocess.run(
        [promtool, "check", "rules", *files],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(files) > 5
