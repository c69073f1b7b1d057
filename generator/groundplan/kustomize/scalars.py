"""Scalars as the YAML library behind kustomize reads them.

It differs from the one that the API server's clients use: `yes` stays a string, an unquoted date
becomes a moment, and a value that is missing is not the same as one that says `null`.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Final


class Empty:
    """A key without any value. Behaves as null except where kustomize tells them apart."""

    def __init__(self, written: str | None) -> None:
        self.written = written
        """What is left of it in the output."""


EMPTY: Final = Empty(None)
EMPTY_IN_FLOW: Final = Empty("")
"""Between braces, nothing is written as the empty string in the end."""


class Quoted(str):
    """A text that was not written plain; what a patch puts in its place becomes text too."""

    __slots__ = ()


class WrittenMoment(str):
    """A date that remembers how it was written."""

    __slots__ = ("written",)
    written: str


class WrittenInt(int):
    """An integer that remembers how it was written."""

    written: str


class WrittenFloat(float):
    """A fraction that remembers how it was written."""

    written: str


_INT = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt ](\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?(Z|[-+]\d{2}:\d{2})?)?$"
)
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    "": EMPTY,
}


def is_null(value: Any) -> bool:
    """Whether a value is null, said or unsaid."""
    return value is None or isinstance(value, Empty)


def text(value: Any) -> str:
    """The characters of a scalar; nothing for a map or a list."""
    if type(value) is str:
        return value
    if isinstance(value, WrittenInt | WrittenFloat | WrittenMoment):
        return value.written
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    return str(value) if isinstance(value, int) else "null" if value is None else ""


def resolve(written: str) -> Any:
    """The value of an unquoted scalar."""
    if written in _CONSTANTS:
        return _CONSTANTS[written]
    if written[0] not in "-+.0123456789":
        return written
    if _INT.match(written):
        number = _integer(written)
        if number is not None:
            return number
    if _FLOAT.match(written.replace("_", "")):
        fraction = WrittenFloat(written.replace("_", ""))
        fraction.written = written
        return fraction
    return _moment(written)


def _integer(written: str) -> WrittenInt | None:
    digits = written.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    try:
        if digits.startswith(("0b", "0o", "0x")):
            number = int(digits, 0)
        else:
            number = int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
    except ValueError:
        return None
    if number >= 2**64 or (sign < 0 and number > 2**63):
        return None
    result = WrittenInt(sign * number)
    result.written = written
    return result


def _moment(written: str) -> str:
    """A date becomes the moment it begins, as JSON writes moments."""
    match = _DATE.match(written)
    if match is None:
        return written
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    separated_by_space = " " in written
    if hour is not None and separated_by_space == (zone is not None):
        return written
    try:
        moment = datetime.datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError:
        return written
    tail = (fraction or "").rstrip("0").rstrip(".")
    offset = "Z" if zone in (None, "Z", "+00:00") else zone
    result = WrittenMoment(f"{moment.isoformat(timespec='seconds')}{tail}{offset}")
    result.written = written
    return result
