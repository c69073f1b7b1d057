"""`groundplan doctor`: which outside programs are there, and what to do about the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from groundplan.errors import ExitCode
    from groundplan.toolchain import Absent, Tool
    from groundplan.toolchain.recipes import Recipe


@click.command("doctor", short_help="Show which outside programs are there.")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def command(form: str) -> ExitCode:
    """Show each outside program: where it is, its version, what needs it, what to do without it.

    The exit code is 0 when `new` and `check` have what they need, else 4.
    """
    import json

    from groundplan.errors import ExitCode
    from groundplan.toolchain import recipes

    looked = [(recipes.recipe(name), _look(name)) for name in recipes.names()]
    if form == "json":
        lines = [_fields(recipe, found) for recipe, found in looked]
        click.echo(json.dumps({"version": 1, "tools": lines}, indent=2))
    else:
        for recipe, found in looked:
            click.echo(_line(recipe, found))
    missing = any(recipe.required and not hasattr(found, "path") for recipe, found in looked)
    return ExitCode.TOOL if missing else ExitCode.CLEAN


def _look(name: str) -> Tool | Absent:
    """Find a program; one that is named but does not run counts as absent."""
    from groundplan.errors import ToolError
    from groundplan.toolchain import Absent, find

    try:
        return find(name)
    except ToolError as error:
        return Absent(name, f"{error.where}: {error.what}", error.fix)


def _fields(recipe: Recipe, found: Tool | Absent) -> dict[str, Any]:
    from groundplan.toolchain import Tool

    line: dict[str, Any] = {
        "name": recipe.name,
        "purpose": recipe.purpose,
        "required": recipe.required,
        "found": isinstance(found, Tool),
    }
    if isinstance(found, Tool):
        place = {"path": str(found.path), "source": found.source}
        return line | {"version": found.version, **place}
    return line | {"reason": found.reason, "fix": found.fix}


def _line(recipe: Recipe, found: Tool | Absent) -> str:
    from groundplan.toolchain import Tool

    name = f"{recipe.name:<24}"
    need = "needed for" if recipe.required else "for"
    if isinstance(found, Tool):
        version = found.version or "no version"
        return f"{name}{version:<10} {found.path} ({found.source})\n{'':24}{need} {recipe.purpose}"
    return (
        f"{name}{'missing':<10} {found.reason}\n"
        f"{'':24}{need} {recipe.purpose}\n{'':24}-> {found.fix}"
    )
