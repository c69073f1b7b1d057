"""Scalars as Kubernetes reads them: go-yaml v2 resolves them, JSON carries them."""

from __future__ import annotations

import base64
import math
import re
import struct
from decimal import Decimal

_TAGS = "tag:yaml.org,2002:"
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NULL = ("", "~", "null", "Null", "NULL")
_INFINITE = (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")
_NAN = (".nan", ".NaN", ".NAN")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_NULL, None),
    **dict.fromkeys(_INFINITE, math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys(_NAN, math.nan),
}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_POINT_FIRST = re.compile(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?", re.ASCII)
_BINARY_AFTER_PREFIX = re.compile(r"0b([-+][01]+)", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:[Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:[.,][0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})?)?",
    re.ASCII,
)

Scalar = str | bool | int | float | None


class NoJsonFormError(ValueError):
    """A scalar that go-yaml or JSON refuses."""


def resolve(text: str) -> Scalar:
    """Say what an untagged plain scalar is.

    Integral floats are integers, as they are in the JSON that an API server receives.

    Raises:
        NoJsonFormError: It is infinite or not a number.
    """
    try:
        word = _WORDS[text]
    except KeyError:
        return to_json(_number(text)) if text[0] in _NUMBER_START else text
    return to_json(word)


def resolve_tagged(tag: str, text: str) -> Scalar:
    """Say what a scalar with a tag is.

    Raises:
        NoJsonFormError: The text is nothing that its tag allows.
    """
    name = tag.removeprefix(_TAGS)
    if name in (tag, "str"):
        return text
    if name == "binary":
        return _decoded(text)
    if name not in ("bool", "int", "float", "null", "timestamp"):
        return text
    value: Scalar = _WORDS.get(text, text)
    if value == text and text[:1] in _NUMBER_START and name != "timestamp":
        value = _number(text)
    if name == "timestamp" and _TIMESTAMP.fullmatch(text):
        return text
    if _kind(value) != name and not (name == "float" and _kind(value) == "int"):
        raise NoJsonFormError(f"`{text}` is no !!{name}")
    return to_json(float(value) if name == "float" and value is not None else value)


def to_json(value: Scalar) -> Scalar:
    """Give the value that is left when Go writes it as JSON and reads it again.

    Raises:
        NoJsonFormError: JSON cannot write it.
    """
    if type(value) is not float:
        return value
    if not math.isfinite(value):
        raise NoJsonFormError("infinity and not-a-number cannot be sent to Kubernetes")
    if value.is_integer() and abs(value) < 1e21:
        return int(Decimal(repr(value)))
    return value


def key_text(text: str, tag: str | None) -> str:
    """Write a key that is no plain string as the JSON object's key.

    Raises:
        NoJsonFormError: JSON has no key for it.
    """
    value: Scalar = _WORDS.get(text, text) if tag is None else resolve_tagged(tag, text)
    if value == text and tag is None and text[:1] in _NUMBER_START:
        value = _number(text)
    if value is None:
        raise NoJsonFormError("a key is null")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float32_text(value)
    if isinstance(value, int) and value >= 2**63:
        raise NoJsonFormError(f"the key {text} is too large a number")
    return str(value)


def _number(text: str) -> str | int | float:
    """Resolve a text that begins like a number."""
    if text[0] == ".":
        # go-yaml hands these to Go as they are, and Go takes `_` between digits only.
        return _float(text.replace("_", "")) if _POINT_FIRST.fullmatch(text) else text
    plain = text.replace("_", "")
    if match := _INTEGER.fullmatch(plain):
        value = _integer(match)
        if -(2**63) <= value < 2**63 or (value < 2**64 and not match[1]):
            return value
    found = _float(plain)
    if not isinstance(found, str):
        return found
    match = _BINARY_AFTER_PREFIX.fullmatch(plain)
    return int(match[1], 2) if match else text


def _integer(match: re.Match[str]) -> int:
    sign, hexadecimal, binary, octal, decimal = match.groups()
    if hexadecimal:
        value = int(hexadecimal, 16)
    elif binary:
        value = int(binary, 2)
    elif octal:
        value = int(octal, 8)
    else:
        # A longer one fits no integer, and Python refuses to read thousands of digits.
        value = int(decimal) if len(decimal) < 40 else 2**64
    return -value if sign == "-" else value


def _float(text: str) -> str | float:
    """Read a decimal float; one that is out of range stays a string."""
    if not _FLOAT.fullmatch(text):
        return text
    value = float(text)
    return text if math.isinf(value) else value


def _kind(value: Scalar) -> str:
    if value is None:
        return "null"
    return {bool: "bool", int: "int", float: "float", str: "str"}[type(value)]


def _decoded(text: str) -> str:
    packed = text.replace("\n", "").replace("\r", "")
    if not _BASE64.fullmatch(packed):
        raise NoJsonFormError("!!binary is no base64")
    return base64.b64decode(packed).decode("utf-8", "replace")


def _float32_text(value: float) -> str:
    """Write a float as Go does with `FormatFloat(value, 'g', -1, 32)`."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    try:
        single = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return ".inf" if value > 0 else "-.inf"
    digits = next(
        text
        for precision in range(1, 10)
        if struct.unpack("<f", struct.pack("<f", float(text := f"{single:.{precision - 1}e}")))[0]
        == single
    )
    mantissa, _, exponent = digits.partition("e")
    power = int(exponent)
    if -4 <= power < 6:
        return format(Decimal(digits), "f")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
