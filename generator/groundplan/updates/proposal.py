"""What an update, or a change of the answers, would do to a repository. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

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
    from groundplan.updates.renders import Lock

Change = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A change of the answers."""


@dataclass(frozen=True)
class Proposal:
    """An update that has been worked out to the end."""

    checkout: Checkout
    version: str
    """That the repository would be at."""
    answers: Mapping[str, Any]
    """As they would be recorded."""
    before: Files
    merged: Merged
    transitions: tuple[transitions.Change, ...]
    plans: tuple[Plan, Plan]
    """What the platform consists of, before and after."""
    lock: Lock

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
    base, was = _rendered(old, recorded)
    usable = _usable(new, kept, wanted)
    template, will = _rendered(new, usable)
    answers = _recorded(template)
    _require_answers(usable, answers)
    merged = merge(base, before, template, _rules(new, before, answers, steps))
    owned = _owned(merged, before, template)
    return Proposal(
        checkout,
        target,
        answers,
        before,
        conflicts.written(owned),
        found,
        (Plan.of(was["plan"]), Plan.of(will["plan"])),
        renders.lock(target, answers, template),
    )


def _rendered(template: Template, values: Mapping[str, Any]) -> tuple[Files, Mapping[str, Any]]:
    """The files, and all answers with the computed ones."""
    computed: dict[str, Any] = {}
    files = renders.render(template, values, computed.update)
    return files, computed


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
    except AnswersError:
        hidden = copier_adapter.unasked(template, wanted)
        still = {k: v for k, v in wanted.items() if k not in hidden or kept.get(k) != v}
        if still.keys() == wanted.keys():
            raise
        return given.checked(Answers(still), template).values


def _recorded(files: Files) -> dict[str, Any]:
    """The answers that a render recorded, as copier reads them."""
    said = yaml.safe_load(files[places.ANSWERS_FILE].content)
    return {key: value for key, value in said.items() if not key.startswith("_")}


def _require_answers(wanted: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    """Refuse to go on with an answer that the new version lost, or took for another one.

    Raises:
        UsageError: `update.answer-lost`.
    """
    for key, value in wanted.items():
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
