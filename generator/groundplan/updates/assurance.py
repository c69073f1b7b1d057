"""What the checks and the comparison of postures say about the result of an update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan import checks, upgrades, versions
from groundplan.findings import Severity
from groundplan.merge import Mode, conflicts
from groundplan.posture import comparison
from groundplan.posture.comparison import Side
from groundplan.repository import Repository
from groundplan.schemas import default_charts, default_store
from groundplan.tree import Tree
from groundplan.updates import dangers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.findings import Finding, Report
    from groundplan.merge import Files
    from groundplan.posture.comparison import Comparison
    from groundplan.template import Template
    from groundplan.updates.dangers import Risk
    from groundplan.updates.proposal import Proposal
    from groundplan.upgrades import Judgement


@dataclass(frozen=True, slots=True)
class Assurance:
    """What is known about the result before anybody merges it."""

    report: Report
    fresh: tuple[Finding, ...]
    """Findings of at least medium severity that the repository did not have before."""
    posture: Comparison
    risks: tuple[Risk, ...]
    upgrades: tuple[Judgement, ...]
    """What is recorded about each component that moves to another version."""


def assure(proposal: Proposal) -> Assurance:
    """Check the result, and compare it with what was there."""
    before, after = (_repository(proposal, side) for side in (proposal.before, proposal.after))
    report = checks.run(after)
    serious = report.at_least(Severity.MEDIUM)
    known: frozenset[str] = frozenset()
    if serious:
        ids = {finding.check_id for finding in serious}
        known = frozenset(f.fingerprint for f in checks.run(before, only=ids).findings)
    sides = _side(before), _side(after)
    return Assurance(
        report,
        tuple(finding for finding in serious if finding.fingerprint not in known),
        comparison.compare(*sides),
        dangers.find(*sides),
        tuple(_upgrades(proposal.template, before, after)),
    )


def _upgrades(template: Template, before: Repository, after: Repository) -> Iterator[Judgement]:
    """Judge each component that moves; what is new or goes is in the plan already."""
    old, _ = versions.of_clusters(before.clusters, template)
    new, engine = versions.of_clusters(after.clusters, template)
    known = upgrades.records(template)
    for move in upgrades.moves(old, new):
        if move.old and move.new:
            yield upgrades.judge(move, known.get(move.component, ()), engine)


def _side(repository: Repository) -> Side:
    """The clusters of a repository, which are built already."""
    return Side(repository.tree, {cluster.name: cluster for cluster in repository.clusters})


def _tree(files: Files) -> Tree:
    """What can be looked at; the list of conflicts is reported by itself."""
    return Tree.of(
        {
            path: file.content
            for path, file in files.items()
            if file.mode is not Mode.LINK and path != conflicts.FILE
        }
    )


def _repository(proposal: Proposal, files: Files) -> Repository:
    kubernetes = str(proposal.answers.get("kubernetes"))
    return Repository.of(
        _tree(files),
        schemas=default_store(kubernetes),
        charts=default_charts(),
        kubernetes=kubernetes,
        answers=proposal.answers,
    )
