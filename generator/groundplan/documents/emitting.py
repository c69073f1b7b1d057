"""YAML for people, that every reader reads back as it was meant."""

from __future__ import annotations

import math
import re
from typing import Any, cast

import yaml

from groundplan.documents.scalars import NoJsonFormError, resolve

_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line breaks of YAML 1.1 that are characters like any other in YAML 1.2."""
_OTHER_READERS = re.compile(
    r"""[-+._]*[0-9][0-9_,.:xXoOeE+a-fA-F-]*   # numbers, sexagesimals, dates and times of YAML 1.1
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[Tt\ ].*
    | [-+.]*(?:inf|infinity|nan)
    | [=<]+ | y | n | yes | no | on | off | true | false | null | ~""",
    re.VERBOSE | re.IGNORECASE,
)


def reads_as_string(text: str) -> bool:
    """Say whether Go, YAML 1.1 and YAML 1.2 readers all take this plain scalar as a string."""
    if not text or _OTHER_READERS.fullmatch(text) or _OTHER_BREAKS.search(text):
        return False
    try:
        return resolve(text) == text
    except NoJsonFormError:
        return False


def dump(value: Any) -> str:
    """Write a value in block style, with its keys in their order.

    Raises:
        ValueError: A number is infinite or not a number, which no manifest can hold.
    """
    return yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=2**31 - 1,
    )


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    pass


def _ignore_aliases(_dumper: Any, _value: Any) -> bool:
    return True


def _string(_dumper: Any, text: str) -> yaml.ScalarNode:
    style: str | None = None
    if "\n" in text and not _OTHER_BREAKS.search(text):
        style = "|"
    elif not reads_as_string(text):
        style = '"'
    # The stubs do not know that None leaves the style to the emitter.
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=cast("str", style))


def _float(_dumper: Any, number: float) -> yaml.ScalarNode:
    if not math.isfinite(number):
        raise ValueError(f"{number} cannot be written as YAML that JSON can hold")
    return yaml.ScalarNode("tag:yaml.org,2002:float", repr(number))


_Dumper.ignore_aliases = _ignore_aliases
_Dumper.add_representer(str, _string)
_Dumper.add_representer(float, _float)
