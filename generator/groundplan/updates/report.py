"""An update as text, JSON or Markdown: what changes, what could not be merged, what to look at."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundplan import __version__
from groundplan.posture import report as posture
from groundplan.posture.model import Verdict
from groundplan.updates.transitions import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.merge import Conflict, Decision, Tally
    from groundplan.updates.assurance import Assurance
    from groundplan.updates.proposal import Proposal

SCHEMA = "groundplan.dev/update/v1"
MARKER = "<!-- groundplan update -->"
"""Lets a bot find its own pull request."""

_SHOWN_LINES = 6
_SHOWN_CHANGES = 10


@dataclass(frozen=True, slots=True)
class Update:
    """All that can be said about an update."""

    proposal: Proposal
    assurance: Assurance | None
    """None when nothing changes, so that there is nothing to look at."""
    written: bool


@dataclass(frozen=True, slots=True)
class Differences:
    """What is there on one side only, or on both with another value."""

    added: dict[str, Any]
    removed: dict[str, Any]
    changed: dict[str, tuple[Any, Any]]

    @classmethod
    def of(cls, before: dict[str, Any], after: dict[str, Any]) -> Differences:
        """Compare two mappings."""
        return cls(
            {key: value for key, value in after.items() if key not in before},
            {key: value for key, value in before.items() if key not in after},
            {
                key: (before[key], value)
                for key, value in after.items()
                if key in before and before[key] != value
            },
        )


def components(proposal: Proposal) -> Differences:
    """What the platform gains, loses and moves to another version."""
    before, after = (dict(made.components) for made in proposal.renders)
    return Differences.of(before, after)


def answers(proposal: Proposal) -> Differences:
    """Which recorded answers change."""
    return Differences.of(dict(proposal.checkout.answers.values), dict(proposal.answers))


def text(update: Update) -> str:
    """Write an update for people."""
    return "\n".join(_lines(update)) + "\n"


def _lines(update: Update) -> Iterator[str]:
    proposal, merged = update.proposal, update.proposal.merged
    yield f"{proposal.checkout.root.resolve().name}: {_versions(proposal)}"
    if not proposal.changed:
        yield "nothing changes"
        return
    for label, differences in (
        ("answers", answers(proposal)),
        ("components", components(proposal)),
    ):
        yield from _differences(label, differences)
    yield from _needs(proposal)
    yield f"files       {_files(proposal)}"
    yield f"edits       yours: {_tally(merged.yours)}; the template's: {_tally(merged.template)}"
    for move in merged.moves:
        what = ", ".join(move.objects) or move.source
        yield f"moved       {what} -> {move.target} by {move.by}; edits followed"
    for decision in merged.decisions:
        yield f"decided     {_decision(decision)}"
    for conflict in merged.conflicts:
        yield from conflict_lines(conflict)
    if update.assurance:
        yield from _assured(update.assurance)
    yield from _by_hand(proposal)
    yield from _ending(update)


def _versions(proposal: Proposal) -> str:
    old, new = proposal.checkout.version, proposal.version
    return f"at {new}" if old == new else f"{old} -> {new}"


def _differences(label: str, differences: Differences) -> Iterator[str]:
    lines = [
        *(f"+ {name} {_value(value)}".rstrip() for name, value in differences.added.items()),
        *(f"- {name}" for name in differences.removed),
        *(
            f"~ {name} {_value(old)} -> {_value(new)}"
            for name, (old, new) in differences.changed.items()
        ),
    ]
    for number, line in enumerate(lines):
        yield f"{'' if number else label:<11} {line}"


_UNITS = {
    "cpu": "cores",
    "memory": "GiB of memory",
    "storage": "GiB of storage",
    "load_balancers": "load balancers",
    "month": "a month at list prices",
}


def _needs(proposal: Proposal) -> Iterator[str]:
    """What the platform's own components ask of a cluster, where that changes."""
    before, after = (made.needs for made in proposal.renders)
    for place, need in after.items():
        old = before.get(place, {})
        said = [
            f"{old.get(name, 0):g} -> {value:g} {_UNITS[name]}"
            for name, value in need.items()
            if value != old.get(name, 0)
        ]
        if said:
            yield f"needs       each cluster at {place}: {', '.join(said)}"


def _value(value: Any) -> str:
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= 60 else f"{said[:57]}..."


def _files(proposal: Proposal) -> str:
    counts = Counter(proposal.merged.fates.values())
    said = [f"{counts[fate]} {fate}" for fate in sorted(counts)]
    return f"{len(proposal.changed)} written or removed ({', '.join(said)})"


def _tally(tally: Tally) -> str:
    if not tally.total:
        return "none in files that both changed"
    left = f", {tally.conflicting} in conflicts" if tally.conflicting else ""
    over = f", {tally.overruled} overruled" if tally.overruled else ""
    return f"{tally.kept} of {tally.total} kept{left}{over}"


def _decision(decision: Decision) -> str:
    place = f"{decision.path}:{decision.line} {decision.pointer}"
    return (
        f"{place}: {decision.kept} kept ({decision.rule}); "
        f"yours {decision.yours}, the template's {decision.template}"
    )


def conflict_lines(conflict: Conflict) -> Iterator[str]:
    """Write one conflict: where it is, who decides, and what each side has."""
    place = f"{conflict.path}:{conflict.line}" if conflict.line else conflict.path
    yield f"CONFLICT    {place} {conflict.pointer} ({conflict.cause}), for {conflict.owner}"
    yield from _side("yours", conflict.yours)
    yield from _side("template", conflict.template)


def _side(name: str, said: str) -> Iterator[str]:
    lines = said.splitlines() or ["(removed)"]
    for number, line in enumerate(lines[:_SHOWN_LINES]):
        yield f"  {'' if number else name:<9} {line}"
    if len(lines) > _SHOWN_LINES:
        yield f"  {'':<9} ... {len(lines) - _SHOWN_LINES} more lines"


def _assured(assurance: Assurance) -> Iterator[str]:
    fresh = assurance.fresh
    known = len(assurance.report.findings) - len(fresh)
    more = f"; {known} known before" if known else ""
    yield f"check       {len(fresh)} new findings{more}"
    for finding in fresh:
        yield f"  {finding.location}  {finding.severity}  {finding.check_id}  {finding.message}"
    yield f"posture     {posture.summary(assurance.posture)}"
    widened = assurance.posture.of(Verdict.WIDENED)
    for one in widened[:_SHOWN_CHANGES]:
        yield f"  WIDENED  {one.change.subject}: {one.change.atom} (at {one.location})"
    if len(widened) > _SHOWN_CHANGES:
        yield f"  {len(widened) - _SHOWN_CHANGES} more; see `groundplan posture diff HEAD .`"
    for judged in assurance.upgrades:
        move = judged.move
        yield f"upgrade     {move.component} {move.old} -> {move.new}: {judged.verdict}"
        yield from (f"  {sentence}" for sentence in judged.why)
        yield from (f"  {number}. {step}" for number, step in enumerate(judged.steps, 1))
    for risk in assurance.risks:
        fate = f", {risk.fate}" if risk.fate else ""
        yield (
            f"DANGER      {risk.danger}{fate}: {risk.subject} on {risk.cluster} "
            f"({risk.path}): {risk.message}"
        )


def _by_hand(proposal: Proposal) -> Iterator[str]:
    for change in proposal.transitions:
        if change.transition.rule is Rule.MANUAL:
            yield f"BY HAND     {change.subject}: {change.transition.reason}"
            for number, step in enumerate(change.transition.steps, 1):
                yield f"  {number}. {step}"


def _ending(update: Update) -> Iterator[str]:
    if not update.written:
        yield "planned; nothing was written"
        return
    if update.proposal.merged.conflicts:
        yield (
            "written; your side of each conflict is in place, the template's is in "
            ".groundplan/conflicts.yaml; see `groundplan resolve --help`"
        )
    yield "review with `git diff`, then commit; or go back with `groundplan update --abort`"


def as_json(update: Update) -> str:
    """Write an update for programs; fields are added, never changed."""
    proposal, merged = update.proposal, update.proposal.merged
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "tool": {"name": "groundplan", "version": __version__},
        "from": proposal.checkout.version,
        "to": proposal.version,
        "written": update.written,
        "prerequisites": list(proposal.prerequisites),
        "needs": {
            side: made.needs
            for side, made in zip(("before", "after"), proposal.renders, strict=True)
        },
        "answers": _json_differences(answers(proposal)),
        "components": _json_differences(components(proposal)),
        "files": {path: fate.value for path, fate in proposal.changed.items()},
        "edits": {"yours": _json_tally(merged.yours), "template": _json_tally(merged.template)},
        "moves": [
            {"from": m.source, "to": m.target, "by": m.by, "objects": list(m.objects)}
            for m in merged.moves
        ],
        "decisions": [
            {
                "path": d.path,
                "line": d.line,
                "pointer": d.pointer,
                "rule": d.rule,
                "kept": d.kept,
                "yours": d.yours,
                "template": d.template,
            }
            for d in merged.decisions
        ],
        "conflicts": [
            {
                "path": c.path,
                "line": c.line,
                "pointer": c.pointer,
                "cause": c.cause,
                "owner": c.owner,
                "yours": c.yours,
                "template": c.template,
                "base": c.base,
            }
            for c in merged.conflicts
        ],
        "manual": [
            {"subject": c.subject, "reason": c.transition.reason, "steps": list(c.transition.steps)}
            for c in proposal.transitions
            if c.transition.rule is Rule.MANUAL
        ],
    }
    if update.assurance:
        body |= _json_assurance(update.assurance)
    return json.dumps(body, indent=2, ensure_ascii=False, default=str) + "\n"


def _json_differences(differences: Differences) -> dict[str, Any]:
    return {
        "added": differences.added,
        "removed": sorted(differences.removed),
        "changed": {
            name: {"from": old, "to": new} for name, (old, new) in differences.changed.items()
        },
    }


def _json_tally(tally: Tally) -> dict[str, int]:
    return {
        "total": tally.total,
        "kept": tally.kept,
        "conflicting": tally.conflicting,
        "overruled": tally.overruled,
    }


def _json_assurance(assurance: Assurance) -> dict[str, Any]:
    return {
        "findings": [
            {
                "check": finding.check_id,
                "severity": str(finding.severity),
                "message": finding.message,
                "path": finding.location.path,
                "line": finding.location.line,
                "new": finding in assurance.fresh,
            }
            for finding in assurance.report.findings
        ],
        "upgrades": [asdict(judged) for judged in assurance.upgrades],
        "posture": json.loads(posture.as_json(assurance.posture)),
        "dangers": [
            {
                "danger": risk.danger,
                "cluster": risk.cluster,
                "subject": risk.subject,
                "path": risk.path,
                "message": risk.message,
                "fate": risk.fate,
            }
            for risk in assurance.risks
        ],
    }


def markdown(update: Update) -> str:
    """Write an update as the description of a pull request."""
    proposal, merged = update.proposal, update.proposal.merged
    lines = [MARKER, f"**Platform** {_versions(proposal)}", ""]
    if not proposal.changed:
        return "\n".join((*lines, "Nothing changes.", ""))
    lines += [f"- files: {_files(proposal)}"]
    lines += [f"- your edits: {_tally(merged.yours)}"]
    lines += [f"- the template's edits: {_tally(merged.template)}"]
    if merged.conflicts:
        lines += [
            "",
            "| conflict | cause | who decides | yours | template |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{c.path}:{c.line}` `{c.pointer}` | {c.cause} | {_cell(c.owner)} "
            f"| {_cell(c.yours)} | {_cell(c.template)} |"
            for c in merged.conflicts
        ]
    rest = [line.strip() for line in _markdown_rest(update)]
    return "\n".join((*lines, "", "```text", *rest, "```", ""))


def _markdown_rest(update: Update) -> Iterator[str]:
    proposal = update.proposal
    yield from _differences("components", components(proposal))
    for decision in proposal.merged.decisions:
        yield f"decided     {_decision(decision)}"
    if update.assurance:
        yield from _assured(update.assurance)
    yield from _by_hand(proposal)


def _cell(said: str) -> str:
    """Write words so that a table and GitHub's mentions leave them alone."""
    first = said.splitlines()[:1]
    more = " ..." if len(said.splitlines()) > 1 else ""
    plain = (first[0] if first else "(removed)").replace("|", "\\|").replace("<", "&lt;")
    return plain.replace("@", "@&#8203;") + more
