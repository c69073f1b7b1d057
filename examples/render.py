#!/usr/bin/env python3
"""Render every example anew: `python examples/render.py [NAME ...]`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from groundplan import answers, copier_adapter, template

HERE = Path(__file__).resolve().parent


def render(name: str) -> None:
    """Replace one example's `repository` folder by what its answers give today."""
    example = HERE / name
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "repository"
        given = answers.read(example / "answers.yaml")
        copier_adapter.render(template.locate(), given.values, fresh)
        shutil.rmtree(example / "repository", ignore_errors=True)
        shutil.copytree(fresh, example / "repository")


for each in sys.argv[1:] or sorted(path.parent.name for path in HERE.glob("*/answers.yaml")):
    render(each)
