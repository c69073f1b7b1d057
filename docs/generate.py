#!/usr/bin/env python3
"""Write the reference pages from the code; with `--check`, only say which differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
POLICIES = ROOT / "blueprints" / "policies"
TEAMS = [{"name": "shop", "namespaces": ["shop"], "contact": "shop@acme.example"}]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def commands() -> str:
    """Every command with its help, as a user sees it."""
    from groundplan.cli import main

    runner = CliRunner(env={"COLUMNS": "100"})
    lines = ["# Commands", "", "Generated from `groundplan --help`.", ""]
    with click.Context(main) as top:
        for words in _walk(main, top, ()):
            text = runner.invoke(main, [*words, "--help"], prog_name="groundplan").output
            lines += [
                f"## {' '.join(('groundplan', *words))}",
                "",
                "```text",
                text.rstrip(),
                "```",
                "",
            ]
    return "\n".join(lines)


def _walk(
    command: click.Command, context: click.Context, words: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _walk(found, context, (*words, name))


def answers() -> str:
    """Every question with what it changes, its choices and its default."""
    from groundplan import template
    from groundplan.answers import questions
    from groundplan.documents import dump

    lines = ["# Answers", "", "Generated from the template's questions.", ""]
    for question in questions(template.locate()):
        if question.computed:
            continue
        lines += [f"## {question.name}", "", question.help, ""]
        if question.choices:
            words = ", ".join(f"`{value}`" for _, value in question.choices)
            lines += [f"One of: {words}.", ""]
        default = question.default if question.type == "yaml" else dump(question.default)
        lines += ["Default:", "", "```yaml", default.strip(), "```", ""]
    return "\n".join(lines)


def components() -> str:
    """Every component of every tier and place, as the template plans them."""
    from groundplan import copier_adapter, places, template
    from groundplan.plan import Plan

    blueprint = template.locate()
    clusters = [
        {
            "name": place.name,
            "place": place.name,
            "environment": "production",
            "pod_cidr": f"10.{number}.0.0/16",
            "service_cidr": f"10.{100 + number}.0.0/16",
            **{fact.name: fact.example for fact in place.facts if not fact.by_component},
        }
        for number, place in enumerate(places.read(blueprint))
    ]
    tiers = sorted(path.stem for path in (blueprint.root / "blueprints/tiers").glob("*.yaml"))
    rows: dict[str, str] = {}
    for engine in ("flux", "argocd"):
        for tier in tiers:
            chosen = {"engine": engine, "tier": tier, "clusters": clusters, "teams": TEAMS}
            plan = Plan.of(copier_adapter.plan(blueprint, chosen))
            for part in plan.components:
                chart = f"{part.chart.name} {part.chart.version}" if part.chart else ""
                text = f"| {part.name} | {part.layer} | {chart} | {part.summary} |"
                rows.setdefault(part.name, text)
    lines = ["# Components", "", "Generated from the data files in `blueprints/components/`.", ""]
    lines += ["| component | layer | chart | what it does |", "|---|---|---|---|"]
    return "\n".join([*lines, *rows.values(), ""])


def policies() -> str:
    """Every admission policy, what it does at each tier, and what it answers to."""
    import yaml

    found = [yaml.safe_load(p.read_text("utf-8")) for p in sorted(POLICIES.glob("*.yaml"))]
    tiers = list(found[0]["mode"])
    columns = [
        "policy",
        "what holds",
        "severity",
        *tiers,
        "mended by",
        "PSS",
        "NSA",
        "CIS",
        "OWASP",
    ]
    lines = [
        "# Admission policies",
        "",
        "Generated from `blueprints/policies/`; each file has a good and a bad example.",
        "`deny` refuses and records, `audit` warns and records, `warn` warns; `off` is left out.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    for policy in found:
        modes = " | ".join(policy["mode"][tier] for tier in tiers)
        mapped = " | ".join(
            ", ".join(policy["mappings"][key]) for key in ("pss", "nsa", "cis", "owasp")
        )
        head = f"{policy['id']} | {policy['title']} | {policy['severity']}"
        lines.append(f"| {head} | {modes} | {policy['owner']} | {mapped} |")
    return "\n".join([*lines, ""])


def checks() -> str:
    """Every check."""
    from groundplan.checks import registry
    from groundplan.report import reference

    return reference.render(registry())


def pages() -> Iterator[tuple[Path, str]]:
    """Each generated page and what it must hold."""
    yield DOCS / "reference/commands.md", commands()
    yield DOCS / "reference/answers.md", answers()
    yield DOCS / "reference/checks.md", checks()
    yield DOCS / "reference/components.md", components()
    yield DOCS / "reference/policies.md", policies()


def dead_links() -> Iterator[str]:
    """Links of pages in this repository that lead nowhere."""
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        for target in LINK.findall(page.read_text("utf-8")):
            if not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: {target} does not exist"


def main(words: list[str]) -> int:
    """Write, or check."""
    wrong = []
    for path, text in pages():
        if "--check" not in words:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            wrong.append(f"{path.relative_to(ROOT)}: differs; run `python docs/generate.py`")
    wrong += dead_links()
    print("\n".join(wrong) or "documentation is in step with the code")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
