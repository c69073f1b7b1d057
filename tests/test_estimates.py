"""Estimates of memory and of starts, beside what others published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundplan import documents
from groundplan.answers.serving import hardware
from groundplan.report import estimates
from groundplan.template import Template
from tests.rendering import ROOT

if TYPE_CHECKING:
    from groundplan.report.estimates import Comparison

PUBLISHED = documents.load((ROOT / "tests/published.yaml").read_bytes(), "published.yaml")
COMPARED = list(estimates.compare(PUBLISHED, hardware(Template(ROOT, "v0"))))


@pytest.mark.parametrize("row", COMPARED, ids=[f"{row.what}: {row.title}" for row in COMPARED])
def test_an_estimate_is_as_close_to_what_was_published_as_it_says(row: Comparison) -> None:
    assert abs(row.error) <= row.within


def test_more_than_ten_configurations_are_compared_and_each_has_a_source() -> None:
    assert len({row.title for row in COMPARED}) > 10
    assert all(row.source.startswith("https://") for row in COMPARED)
