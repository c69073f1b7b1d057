#!/usr/bin/env python3
"""Write the reference pages from the code; with `--check`, only say which differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.assessment import Assessment
    from groundplan.template import Template

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
    clusters = places.examples(places.read(blueprint))
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


def tiers() -> str:
    """What each tier counts on, which components it has, and what these ask of a cluster."""
    from groundplan import template
    from groundplan.answers import Answers
    from groundplan.assessment import assess
    from groundplan.catalogue import practices

    blueprint = template.locate()
    nothing = assess(blueprint, Answers({"practices": {}}))
    known = practices(blueprint)
    lines = [
        "# Tiers",
        "",
        "Generated from `blueprints/tiers/`, `practices.yaml`, `components/`, `features.yaml` and",
    ]
    lines += ["`prices.yaml`. How to decide: [choose a tier](../how-to/choose-a-tier.md)."]
    for tier in nothing.tiers:
        lines += ["", f"## {tier.title}", "", tier.summary, ""]
        lines += ["| counts on | which means | because | who can change it |", "|---|---|---|---|"]
        lines += [
            f"| {known[need.practice].title} (`{need.practice}: {need.least}`) "
            f"| {need.sentence} | {need.why} | {need.closes} |"
            for need in tier.missing
        ]
    lines += ["", "## Components", "", *_by_tier(blueprint, [tier.name for tier in nothing.tiers])]
    lines += ["", "## Features", "", *_features(blueprint)]
    lines += ["", "## What they ask of a cluster", "", *_costs(nothing)]
    return "\n".join([*lines, ""])


def _counts_on(want: Mapping[str, Any]) -> str:
    return f"`{want['practice']}: {want['least']}`, because {want['why']}"


def _features(blueprint: Template) -> Iterator[str]:
    """What an answer other than its default counts on, where it brings no component."""
    from groundplan import catalogue

    yield "| answer | counts on |"
    yield "|---|---|"
    for feature in catalogue.features(blueprint):
        wants = "; ".join(_counts_on(want) for want in feature["prerequisites"])
        yield f"| [{feature['name']}](answers.md#{feature['name']}) | {wants} |"


def _by_tier(blueprint: Template, tiers: list[str]) -> Iterator[str]:
    """Which tier has which component, always or by an answer, and what each counts on."""
    from groundplan import catalogue, copier_adapter, places
    from groundplan.plan import Plan

    clusters = places.examples(places.read(blueprint))
    listed = {tier: catalogue.read(blueprint, f"tiers/{tier}.yaml")["components"] for tier in tiers}
    there = {
        tier: {
            component.name
            for engine in ("flux", "argocd")
            for component in Plan.of(
                copier_adapter.plan(
                    blueprint,
                    {"tier": tier, "engine": engine, "clusters": clusters, "teams": TEAMS},
                )
            ).components
        }
        for tier in tiers
    }
    data = catalogue.component_data(blueprint)
    yield f"| component | {' | '.join(tiers)} | counts on |"
    yield "|---" * (len(tiers) + 2) + "|"
    for name in dict.fromkeys(name for tier in tiers for name in listed[tier]):
        marks = (
            "yes" if name in there[tier] else "by answer" if name in listed[tier] else ""
            for tier in tiers
        )
        needs = [_counts_on(want) for want in data[name].get("prerequisites") or ()]
        needs = needs or [f"nothing: {data[name]['no_prerequisites']}"]
        yield f"| {name} | {' | '.join(marks)} | {'; '.join(needs)} |"


def _costs(assessment: Assessment) -> Iterator[str]:
    """What one cluster costs by tier and place, and where the prices come from."""
    yield "What the platform's own components request on one cluster with Flux, and what that costs"
    yield "in a month at list prices, with control plane and load balancer. No nodes' own overhead,"
    yield "traffic, logs, discounts or taxes: expect the right order of magnitude."
    yield ""
    yield "| tier | place | vCPU | memory GiB | disk GiB | a month |"
    yield "|---|---|---|---|---|---|"
    for tier in assessment.tiers:
        for cost in tier.costs:
            need = cost.need
            amount = "your own" if cost.month is None else f"{cost.month:.0f} {cost.currency}"
            yield (
                f"| {tier.name} | {cost.place} | {need.cpu:.1f} | {need.memory:.1f} "
                f"| {need.storage:.0f} | {amount} |"
            )
    yield ""
    yield "| place | prices of | as of | source |"
    yield "|---|---|---|---|"
    for cost in assessment.tiers[0].costs:
        yield f"| {cost.place} | {cost.title} | {cost.date} | {cost.source} |"


JUDGES = {
    "admission": "API server",
    "exceptions": "exceptions that are {0}",
    "diff": "changes of {0}",
}


def policies() -> str:
    """Every built-in policy, who judges it, what it does at each tier, and what it answers to."""
    import yaml

    found = [yaml.safe_load(p.read_text("utf-8")) for p in sorted(POLICIES.glob("*.yaml"))]
    tiers = list(found[0]["mode"])
    head = ["policy", "what holds", "judged by", "severity", *tiers, "mended by"]
    columns = [*head, "PSS", "NSA", "CIS", "OWASP"]
    lines = [
        "# Policies",
        "",
        "Generated from `blueprints/policies/`: one file for each, with its reason and examples.",
        "`deny` refuses and records, `audit` warns and records, `warn` warns; `off` is left out.",
        "",
        "The API server judges objects by an expression. `groundplan posture check` judges one",
        "revision by all but the changes: `deny` has the policy's severity there, the rest is low.",
        "`groundplan posture diff` judges changes, at every tier alike.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    for policy in found:
        modes = " | ".join(policy["mode"][tier] for tier in tiers)
        mapped = " | ".join(
            ", ".join(policy["mappings"][key]) for key in ("pss", "nsa", "cis", "owasp")
        )
        cells = policy["id"], policy["title"], _judge(policy), policy["severity"], modes
        lines.append(f"| {' | '.join(cells)} | {policy['owner']} | {mapped} |")
    return "\n".join([*lines, ""])


def _judge(policy: dict[str, Any]) -> str:
    """Who says whether a policy is kept, with links to checks."""
    by = policy.get("judge", "admission")
    links = [f"[{one}](checks.md#{one.lower()})" for one in policy.get("checks", ())]
    changes = JUDGES["diff"].format(policy.get("dimension"))
    if by == "repository":
        return ", ".join(links + [changes] * ("dimension" in policy))
    return JUDGES[by].format(" or ".join(policy.get("states", ())) or policy.get("dimension"))


def checks() -> str:
    """Every check."""
    from groundplan.checks import registry
    from groundplan.report import reference

    return reference.render(registry())


def estimates() -> str:
    """What others measured, beside what is estimated."""
    from groundplan import documents, template
    from groundplan.answers.serving import hardware
    from groundplan.report import estimates

    published = documents.load((ROOT / "tests/published.yaml").read_bytes(), "published.yaml")
    return estimates.render(published, hardware(template.locate()))


def conformance() -> str:
    """What meets CNCF's AI conformance, with the small example held against it."""
    from groundplan.conformance import checklist, judge
    from groundplan.report import conformance as page
    from groundplan.repository import load

    known = checklist()
    lines = [
        "# AI conformance",
        "",
        "Generated from the checklist of CNCF's Kubernetes AI Conformance that",
        "`groundplan report --ai-conformance` holds a repository against.",
        "",
        "Nothing here is a certificate. Conformance is shown by the provider of a cluster, on that",
        "cluster; a repository can only declare what is needed for it. *Declared* means that",
        "objects are there and no check finds fault with them; what is *checked* is run by the",
        "report itself.",
        "",
    ]
    for example in sorted((ROOT / "examples").glob("inference-*")):
        rows = judge(load(example / "repository"))
        lines += [f"## examples/{example.name}", "", page.render(known, rows, "markdown")]
    return "\n".join(lines)


def pages() -> Iterator[tuple[Path, str]]:
    """Each generated page and what it must hold."""
    yield DOCS / "reference/commands.md", commands()
    yield DOCS / "reference/answers.md", answers()
    yield DOCS / "reference/checks.md", checks()
    yield DOCS / "reference/components.md", components()
    yield DOCS / "reference/tiers.md", tiers()
    yield DOCS / "reference/policies.md", policies()
    yield DOCS / "reference/inference-estimates.md", estimates()
    yield DOCS / "reference/ai-conformance.md", conformance()


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
