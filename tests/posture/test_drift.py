"""The baseline loses nothing: what a comparison of two revisions finds, drift finds too."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import pytest

from groundplan.posture.comparison import Side
from groundplan.posture.drift import baseline
from groundplan.posture.drift.judging import GATED, Drift
from groundplan.posture.drift.projection import projected
from groundplan.posture.drift.repository import Agreed, drift
from groundplan.posture.model import Dimension
from groundplan.tree import Tree
from tests.posture.test_catalogue import (
    FILES,
    REFACTORINGS,
    ROWS,
    base,
    base_side,
    compared,
    edited,
)


@cache
def agreed() -> Agreed:
    """The repository of the catalogue, with its baseline."""
    tree = Tree.of({**base().files, baseline.PATH: remembered(base())})
    return Agreed.read(tree, baseline.PATH)


def remembered(tree: Tree) -> str:
    return baseline.write(projected(Side.of(tree, base_side())))


def drifted(head: Tree) -> Drift:
    return drift(head, agreed(), date(2026, 1, 1))


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_drift_finds_what_a_comparison_of_revisions_finds(row: dict[str, Any]) -> None:
    head = edited(row["edits"])
    direct, found = compared(head), drifted(head).comparison
    # The same connections can be told apart by one label or by another.
    networks = Dimension.NETWORK
    told = [
        {j for j in said.of(*GATED) if j.change.dimension != networks} for said in (found, direct)
    ]
    assert {j.change.fingerprint for j in told[0]} == {j.change.fingerprint for j in told[1]}
    subjects = [
        {(j.change.dimension, j.change.subject) for j in c.of(*GATED)} for c in (found, direct)
    ]
    assert subjects[0] == subjects[1]
    assert found.gaps == ()


@pytest.mark.parametrize("row", REFACTORINGS, ids=[row["name"] for row in REFACTORINGS])
def test_a_refactoring_is_no_drift(row: dict[str, Any]) -> None:
    found = drifted(edited(row["edits"])).comparison
    assert (found.changes, found.gaps) == ((), ())


@pytest.mark.parametrize("name", FILES)
def test_another_way_to_write_it_leaves_the_baseline_as_it_is(name: str) -> None:
    head = Tree.of(FILES[name]())
    assert remembered(head).splitlines() == remembered(base()).splitlines()
    found = drifted(head).comparison
    assert (found.changes, found.gaps) == ((), ())
