"""What the commands share that change a rendered repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from groundplan.errors import ExitCode
    from groundplan.releases import Releases
    from groundplan.updates.checkout import Checkout
    from groundplan.updates.proposal import Change, Proposal

FORMATS = ("text", "json", "markdown")

repository = click.option(
    "--path",
    "root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The repository's folder.  [default: this one]",
)
plan = click.option("--plan", "only_plan", is_flag=True, help="Show it all and write nothing.")
form = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True
)
pending = click.option(
    "--exit-code", "tell", is_flag=True, help="With --plan, end with 7 when something would change."
)

removals = click.option(
    "--allow-removals", "removals", is_flag=True, help="Agree that components or clusters go."
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that changes a repository."""
    for option in (pending, form, plan, repository):
        command = option(command)
    return command


def start(root: Path) -> tuple[Checkout, Releases]:
    """Find the repository and the template's versions; refuse a half-written repository."""
    from groundplan import git, releases
    from groundplan.updates import checkout, writing

    git.require()
    found = checkout.find(root)
    writing.require_finished(found)
    return found, releases.locate()


def carry_out(  # noqa: PLR0913 - the options of a command, each by its name
    found: Checkout,
    carried: Releases,
    target: str,
    *,
    change: Change = lambda values: values,
    allow: Callable[[Proposal], None] = lambda _: None,
    only_plan: bool,
    form: str,
    tell: bool,
) -> ExitCode:
    """Work out an update, write it unless it is only planned, and say what it does."""
    from groundplan.errors import ExitCode
    from groundplan.garbage import uncollected
    from groundplan.updates import proposal, report, writing
    from groundplan.updates.assurance import assure

    with uncollected():
        proposed = proposal.propose(found, carried, target, change)
        if not only_plan:
            allow(proposed)
        assurance = assure(proposed) if proposed.changed else None
        if not only_plan and proposed.changed:
            writing.write(proposed)
        written = bool(proposed.changed) and not only_plan
        update = report.Update(proposed, assurance, written)
        writers = {"text": report.text, "json": report.as_json, "markdown": report.markdown}
        click.echo(writers[form](update), nl=False)
    if proposed.merged.conflicts:
        return ExitCode.CONFLICTS
    if assurance and assurance.fresh:
        return ExitCode.FINDINGS
    return ExitCode.CHANGES if tell and only_plan and proposed.changed else ExitCode.CLEAN


def answers(  # noqa: PLR0913 - the options of a command, each by its name
    root: Path, change: Change, *, removals: bool, only_plan: bool, form: str, tell: bool
) -> ExitCode:
    """Change the answers at the version that the repository has, and merge what follows."""
    from groundplan.updates import proposal

    found, carried = start(root)
    allow = (lambda _: None) if removals else proposal.require_no_removals
    return carry_out(
        found,
        carried,
        found.version,
        change=change,
        allow=allow,
        only_plan=only_plan,
        form=form,
        tell=tell,
    )


def question(kind: str, kinds: Mapping[str, str]) -> str:
    """The question that lists what a word names.

    Raises:
        UsageError: `answers.no-such-kind`.
    """
    from groundplan.answers.fields import suggestion
    from groundplan.errors import UsageError

    if kind not in kinds:
        what = f"{kind} is nothing that the answers list by name"
        raise UsageError("answers.no-such-kind", what, fix=suggestion(kind, list(kinds)))
    return kinds[kind]


def fields(words: tuple[str, ...]) -> dict[str, Any]:
    """The fields of something that is added.

    Raises:
        UsageError: `answers.not-a-field`, or `yaml.…` for a value that is none.
    """
    from groundplan.errors import UsageError
    from groundplan.updates import edits

    found = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not (key and equals):
            fix = "write FIELD=VALUE, such as place=kind"
            raise UsageError("answers.not-a-field", f"{word} has no value", fix=fix)
        found[key] = text if text.startswith("@") else edits.value(text)
    return found
