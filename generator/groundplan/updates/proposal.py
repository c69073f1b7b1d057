"""What an update, or a change of the answers, would do to a repository. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundplan import answers as given
from groundplan import copier_adapter
from groundplan.answers import Answers
from groundplan.errors import AnswersError, UsageError
from groundplan.merge import Fate, Rules, conflicts, merge
from groundplan.merge.keys import SchemaKeys
from groundplan.plan import Plan
from groundplan.posture.owners import NOBODY, Codeowners
from groundplan.tree import Tree
from groundplan.updates import checkout as places
from groundplan.updates import migrations, ownership, renders, transitions

if TYPE_CHECKING:
    from groundplan.merge import Conflict, Files, Merged
    from groundplan.releases import Releases
    from groundplan.template import Template
    from groundplan.updates.checkout import Checkout
    from groundplan.updates.renders import Lock, Render

Change = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A change of the answers."""


@dataclass(frozen=True)
class Proposal:
    """An update that has been worked out to the end."""

    checkout: Checkout
    template: Template
    """The version that the repository would be at."""
    answers: Mapping[str, Any]
    """As they would be recorded."""
    before: Files
    merged: Merged
    transitions: tuple[transitions.Change, ...]
    renders: tuple[Render, Render]
    """What the template made before, and what it makes now."""
    lock: Lock

    @property
    def version(self) -> str:
        """That the repository would be at."""
        return self.template.version

    @property
    def prerequisites(self) -> tuple[str, ...]:
        """What another tier expects of the organisation, beyond what the old one did."""
        old, new = (made.prerequisites for made in self.renders)
        return tuple(said for said in new if said not in old)

    @property
    def after(self) -> Files:
        """The files of the repository after the update."""
        return self.merged.files

    @property
    def changed(self) -> dict[str, Fate]:
        """What would be written or removed, by path."""
        paths = {*self.before, *self.after}
        differing = {path for path in paths if self.before.get(path) != self.after.get(path)}
        fates = {path: self.merged.fates.get(path, Fate.MERGED) for path in sorted(differing)}
        fates.pop(conflicts.FILE, None)
        return fates


def propose(
    checkout: Checkout,
    releases: Releases,
    target: str,
    change: Change = lambda values: values,
) -> Proposal:
    """Work out an update to a version, with changed answers or the same.

    Raises:
        UsageError: `update.…`, before anything is rendered.
        AnswersError: The answers do not fit the new version.
        TemplateError: A version cannot be rendered.
        InternalError: The merge would lose an edit.
    """
    places.require_ready(checkout, releases, target)
    before = checkout.files()
    if conflicts.FILE in before:
        what = f"conflicts of the last update are left in {conflicts.FILE}"
        fix = "resolve them with `groundplan resolve`, and commit"
        raise UsageError("update.conflicts-left", what, where=f"{checkout.root}", fix=fix)
    old, new = releases.template(checkout.version), releases.template(target)
    steps = migrations.between(new, checkout.version)
    recorded = checkout.answers.values
    kept = migrations.answers(recorded, steps)
    wanted = dict(change(kept))
    found = transitions.changes(transitions.read(new), kept, wanted)
    transitions.refuse(found)
    base = _base(checkout, old, before)
    usable = _usable(new, kept, wanted)

    def approve(answered: Mapping[str, Any]) -> None:
        plan = Plan.of(answered["plan"])
        given.checked(Answers(usable), new, plan.namespaces, plan.prerequisites)

    template = renders.render(new, usable, approve)
    answers = places.recorded(template.files[places.ANSWERS_FILE].content)
    _require_answers(usable, answers, pointless=kept if wanted != kept else {})
    merged = merge(base.files, before, template.files, _rules(new, before, answers, steps))
    owned = _owned(merged, before, template.files)
    return Proposal(
        checkout,
        new,
        answers,
        before,
        conflicts.written(owned),
        found,
        (base, template),
        renders.lock(target, answers, template),
    )


def _base(checkout: Checkout, template: Template, before: Files) -> Render:
    """What the recorded version makes of the recorded answers; from the lock where there is one."""
    values = checkout.answers.values
    locked = renders.recall(checkout.private, checkout.version, values)
    restored = renders.restored(locked, checkout.root, before) if locked else None
    return restored or renders.render(template, values)


def require_no_removals(proposal: Proposal) -> None:
    """Refuse to take components or clusters away that nobody said may go.

    Raises:
        UsageError: `update.removals`.
    """
    before, after = (made.components for made in proposal.renders)
    names = [f"component {name}" for name in sorted(before.keys() - after.keys())]
    recorded = proposal.checkout.answers.values
    old, new = (
        {str(cluster.get("name")) for cluster in values.get("clusters") or ()}
        for values in (recorded, proposal.answers)
    )
    names += [f"cluster {name}" for name in sorted(old - new)]
    if names:
        raise UsageError(
            "update.removals",
            f"would remove {', '.join(names)}",
            where=str(proposal.checkout.root),
            fix="look at it with --plan, then agree with --allow-removals",
        )


def _usable(
    template: Template, kept: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The answers that the new version can be rendered from.

    A change can make other questions pointless; what was recorded for them is left out then.

    Raises:
        AnswersError: They contradict each other, or do not fit the questions.
    """
    try:
        return given.checked(Answers(wanted), template).values
    except AnswersError as error:
        if wanted == kept:
            raise
        # Only what was recorded before may go; what somebody asks for now stays wrong.
        with suppress(AnswersError):
            hidden = copier_adapter.unasked(template, wanted)
            still = {k: v for k, v in wanted.items() if k not in hidden or kept.get(k) != v}
            return given.checked(Answers(still), template).values
        raise error from None


def _require_answers(
    wanted: Mapping[str, Any], recorded: Mapping[str, Any], pointless: Mapping[str, Any]
) -> None:
    """Refuse to go on with an answer that the new version lost, or took for another one.

    Args:
        wanted: What was to be rendered.
        recorded: What was.
        pointless: Answers that may go, because others were changed: those from before.

    Raises:
        UsageError: `update.answer-lost`.
    """
    for key, value in wanted.items():
        if key not in recorded and key in pointless and pointless[key] == value:
            continue
        if recorded.get(key) != value:
            now = f"would become {recorded[key]!r}" if key in recorded else "would be lost"
            raise UsageError(
                "update.answer-lost",
                f"the answer {key}: {value!r} {now}",
                fix="this is a fault of the template; please report it",
            )


def _rules(
    template: Template,
    before: Files,
    answers: Mapping[str, Any],
    steps: tuple[migrations.Migration, ...],
) -> Rules:
    owned = ownership.read(template, before)
    return Rules(
        SchemaKeys(str(answers.get("kubernetes") or "")),
        migrations.renames(steps),
        owned.owned,
        owned.generated,
    )


def _owned(merged: Merged, before: Files, template: Files) -> Merged:
    """The conflicts with those who have to decide them."""
    files = {path: file.content for path, file in {**template, **before}.items()}
    rules = Codeowners.read(Tree.of(files))

    def named(conflict: Conflict) -> Conflict:
        owners, _ = rules.rule(conflict.path)
        return replace(conflict, owner=owners[0] if owners else NOBODY)

    return replace(merged, conflicts=tuple(map(named, merged.conflicts)))
