"""What versions of the template call otherwise than older ones did: data, followed by updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.errors import TemplateError
from groundplan.merge import Renames
from groundplan.template import version_numbers

if TYPE_CHECKING:
    from groundplan.template import Template

FILE = "blueprints/migrations.yaml"
_KEYS = {"version", "questions", "choices", "paths", "objects", "dropped"}


@dataclass(frozen=True, slots=True)
class Migration:
    """What one version renamed."""

    version: str
    questions: Mapping[str, str] = field(default_factory=dict)
    """Old name to new name."""
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By question, as it is called from this version on: old value to new value."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Old to new; folders end in `/`."""
    objects: Mapping[str, str] = field(default_factory=dict)
    """`Kind namespace/name` or `Kind name` to the new name."""
    dropped: tuple[str, ...] = ()
    """Questions whose answers mean nothing any more."""


def read(template: Template) -> tuple[Migration, ...]:
    """Every migration up to a version of the template, oldest first.

    Raises:
        TemplateError: `template.invalid`.
    """
    file = template.root / FILE
    if not file.is_file():
        return ()
    found = [_migration(said) for said in documents.load(file.read_bytes(), FILE) or ()]
    return tuple(sorted(found, key=lambda one: version_numbers(one.version) or ()))


def _migration(said: Any) -> Migration:
    if not isinstance(said, Mapping) or said.keys() - _KEYS or "version" not in said:
        what = f"a migration has `version` and some of {', '.join(sorted(_KEYS - {'version'}))}"
        raise TemplateError("template.invalid", what, where=FILE)
    rest = {key: value for key, value in said.items() if key not in ("version", "dropped")}
    return Migration(str(said["version"]), dropped=tuple(said.get("dropped", ())), **rest)


def between(template: Template, base: str) -> tuple[Migration, ...]:
    """The migrations that lead from an older version to this one."""
    return tuple(
        migration
        for migration in read(template)
        if (version_numbers(base) or ()) < (version_numbers(migration.version) or ())
    )


def answers(values: Mapping[str, Any], migrations: tuple[Migration, ...]) -> dict[str, Any]:
    """The answers as the newer version asks for them."""
    result = dict(values)
    for migration in migrations:
        named = {migration.questions.get(key, key): value for key, value in result.items()}
        result = {
            key: _choice(value, migration.choices.get(key, {}))
            for key, value in named.items()
            if key not in migration.dropped
        }
    return result


def _choice(value: Any, choices: Mapping[str, str]) -> Any:
    return choices.get(value, value) if isinstance(value, str) else value


def renames(migrations: tuple[Migration, ...]) -> Renames:
    """What was renamed on the way, step by step made one."""
    paths: dict[str, str] = {}
    objects: dict[str, str] = {}
    for migration in migrations:
        paths = {old: _follow(new, migration.paths) for old, new in paths.items()}
        paths |= {old: new for old, new in migration.paths.items() if old not in paths}
        objects |= migration.objects
    return Renames(paths, objects)


def _follow(path: str, paths: Mapping[str, str]) -> str:
    return Renames(paths, {}).path(path)
