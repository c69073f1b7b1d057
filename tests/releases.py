"""Released versions of the template, made for tests: the checkout's own, and two that came after.

v1.0.0 is the template as it is, with some files of its own to move about. v1.1.0 labels every
namespace, moves a file and splits another. v2.0.0 renames a question, one of its choices, a folder
and an object.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from groundplan.releases import write_bundle
from groundplan.template import PARTS

if TYPE_CHECKING:
    from collections.abc import Callable

GIT = str(shutil.which("git"))
ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("v1.0.0", "v1.1.0", "v2.0.0")
EXTRAS = Path("blueprints", "repo", "extras")
QUESTION = """\
colour:
  type: str
  help: The colour of the dashboards.
  choices: [red, green]
  default: red
"""
TWO = """\
# Two objects in one file.
apiVersion: v1
kind: ConfigMap
metadata:
  name: first
  namespace: extras
data:
  colour: "#{ colour }#"
  size: "1"
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: second
  namespace: extras
data:
  size: "2"
"""
NOTES = "# Notes\n\nOne line.\n\nAnother line.\n\nThe last line.\n"


def git(folder: Path, *words: str) -> str:
    """Run git as somebody."""
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    done = subprocess.run(
        [GIT, *who, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@cache
def repository() -> Path:
    """A repository of the template with three tagged versions."""
    root = Path(mkdtemp(prefix="groundplan-releases-"))
    git(root, "init", "--quiet", "--initial-branch=main")
    for version, make in zip(VERSIONS, (_first, _second, _third), strict=True):
        make(root)
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "-m", version)
        git(root, "tag", version)
    return root


@cache
def bundle() -> Path:
    """The bundle that a wheel of the newest version would carry."""
    target = repository().parent / f"{repository().name}.bundle"
    assert write_bundle(repository(), target)
    return target


def _edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text("utf-8")
    after = change(before)
    assert after != before, f"{path}: nothing to change"
    path.write_text(after, "utf-8")


def _first(root: Path) -> None:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part)
        else:
            shutil.copy(source, root / part)
    (root / "blueprints/questions/99-colour.yaml").write_text(QUESTION, "utf-8")
    include = "---\n!include blueprints/questions/99-colour.yaml\n"
    _edit(root / "copier.yml", lambda text: text.rstrip("\n") + f"\n{include}")
    (root / EXTRAS).mkdir()
    (root / EXTRAS / "two.yaml.jinja").write_text(TWO, "utf-8")
    (root / EXTRAS / "notes.md").write_text(NOTES, "utf-8")


def _second(root: Path) -> None:
    namespace = root / "blueprints/lib/component/namespace.yaml"
    label = r'\1\2groundplan.dev/generation: "2"\n\2'
    _edit(namespace, lambda text: re.sub(r"(labels:\n)( +)", label, text, count=1))
    (root / EXTRAS / "handbook").mkdir()
    (root / EXTRAS / "notes.md").rename(root / EXTRAS / "handbook" / "start.md")
    first, second = TWO.split("---\n")
    (root / EXTRAS / "two.yaml.jinja").unlink()
    grown = first.replace('size: "1"', 'size: "1"\n  shape: round')
    (root / EXTRAS / "first.yaml.jinja").write_text(grown, "utf-8")
    (root / EXTRAS / "second.yaml").write_text(second, "utf-8")


def _third(root: Path) -> None:
    renamed = QUESTION.replace("colour:", "theme:").replace("red, green", "crimson, green")
    old = "#{ (colour | default('crimson')) | replace('red', 'crimson') }#"
    renamed = renamed.replace("default: red", f'default: "{old}"')
    (root / "blueprints/questions/99-colour.yaml").write_text(renamed, "utf-8")
    first = root / EXTRAS / "first.yaml.jinja"
    _edit(first, lambda text: text.replace("#{ colour }#", "#{ theme }#"))
    _edit(first, lambda text: text.replace("name: first", "name: foremost"))
    (root / EXTRAS / "handbook").rename(root / EXTRAS / "guide")
    migration = (
        "- version: v2.0.0\n"
        "  questions: {colour: theme}\n"
        "  choices: {theme: {red: crimson}}\n"
        "  paths: {extras/handbook/: extras/guide/}\n"
        "  objects: {ConfigMap extras/first: foremost}\n"
    )
    (root / "blueprints/migrations.yaml").write_text(migration, "utf-8")
