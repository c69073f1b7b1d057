"""What the checks and the comparison of postures say about the result of an update."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundplan import checks
from groundplan.findings import Severity
from groundplan.merge import Mode, conflicts
from groundplan.posture import comparison
from groundplan.posture.comparison import Side
from groundplan.repository import Repository
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from groundplan.updates import dangers

if TYPE_CHECKING:
    from groundplan.findings import Finding, Report
    from groundplan.merge import Files
    from groundplan.posture.comparison import Comparison
    from groundplan.updates.dangers import Risk
    from groundplan.updates.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Assurance:
    """What is known about the result before anybody merges it."""

    report: Report
    fresh: tuple[Finding, ...]
    """Findings of at least medium severity that the repository did not have before."""
    posture: Comparison
    risks: tuple[Risk, ...]


def assure(proposal: Proposal) -> Assurance:
    """Check the result, and compare it with what was there."""
    before, after = _tree(proposal.before), _tree(proposal.after)
    report = checks.run(_repository(proposal, after))
    serious = report.at_least(Severity.MEDIUM)
    known: frozenset[str] = frozenset()
    if serious:
        old = checks.run(_repository(proposal, before))
        known = frozenset(finding.fingerprint for finding in old.findings)
    sides = Side.of(before), Side.of(after)
    return Assurance(
        report,
        tuple(finding for finding in serious if finding.fingerprint not in known),
        comparison.compare(*sides),
        dangers.find(*sides),
    )


def _tree(files: Files) -> Tree:
    """What can be looked at; the list of conflicts is reported by itself."""
    return Tree.of(
        {
            path: file.content
            for path, file in files.items()
            if file.mode is not Mode.LINK and path != conflicts.FILE
        }
    )


def _repository(proposal: Proposal, tree: Tree) -> Repository:
    kubernetes = str(proposal.answers.get("kubernetes"))
    return Repository.of(
        Tree(Path(), tree.files),
        schemas=default_store(kubernetes),
        charts=default_charts(),
        kubernetes=kubernetes,
        answers=proposal.answers,
    )
