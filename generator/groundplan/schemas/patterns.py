"""Regular expressions as Go reads them, spelled so that every engine reads them alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"\(\?(?P<flags>[a-zA-Z]+)\)"  # (?i): from here to the end of the group
    r"|(?P<open>\((?:\?(?:[:=!]|<?[=!]|P?<[^>]+>))?)"
    r"|(?P<close>\))"
    r"|\\(?P<property>[pP])(?P<letter>[A-Z])"  # \pL
    r"|(?P<escape>\\.)"
    r"|(?P<set>\[\^?\]?(?:\\.|\[:\w+:\]|[^\]])*\])"
    r"|(?P<letters>[A-Za-z])"
    r"|(?P<rest>.)",
    re.DOTALL,
)
_RANGE = re.compile(r"\\.|([a-z])-([a-z])|([A-Z])-([A-Z])|([A-Za-z])|.", re.DOTALL)


def portable(pattern: str) -> str:
    r"""Return a pattern without the spellings that only Go and its kin know: `(?i)` and `\pL`."""
    if "(?" not in pattern and "\\p" not in pattern and "\\P" not in pattern:
        return pattern
    return "".join(_parts(pattern))


def _parts(pattern: str) -> Iterator[str]:
    any_case = [False]
    for token in _TOKEN.finditer(pattern):
        text = token.group()
        if flags := token["flags"]:
            if flags != "i":
                yield text
            any_case[-1] = any_case[-1] or flags == "i"
        elif token["open"]:
            any_case.append(any_case[-1])
            yield text
        elif token["close"]:
            any_case[max(len(any_case) - 1, 1) :] = []
            yield text
        elif token["property"]:
            yield f"\\{token['property']}{{{token['letter']}}}"
        elif any_case[-1] and token["letters"]:
            yield f"[{text.lower()}{text.upper()}]"
        elif any_case[-1] and token["set"]:
            yield _RANGE.sub(_both_cases, text)
        else:
            yield text


def _both_cases(match: re.Match[str]) -> str:
    text = match.group()
    return text.lower() + text.upper() if any(match.groups()) else text
