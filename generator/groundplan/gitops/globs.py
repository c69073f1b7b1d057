"""File patterns as Argo CD's parts read them."""

from __future__ import annotations

import functools
import re


@functools.lru_cache(maxsize=512)
def pathspec(pattern: str) -> re.Pattern[str]:
    """A pattern for git's files: an asterisk crosses folders."""
    return re.compile(_translated(pattern, star=".*", question="."))


@functools.lru_cache(maxsize=512)
def path(pattern: str) -> re.Pattern[str]:
    """A pattern for folders: an asterisk stays in its folder, two cross folders."""
    return re.compile(_translated(pattern, star="[^/]*", question="[^/]"))


@functools.lru_cache(maxsize=512)
def files(pattern: str) -> re.Pattern[str]:
    """A pattern for a directory source, which knows `{a,b}` and crosses folders."""
    return re.compile(_translated(pattern, star=".*", question=".", braces=True))


def _translated(pattern: str, *, star: str, question: str, braces: bool = False) -> str:
    out: list[str] = []
    position, depth = 0, 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            if pattern.startswith("*/", position):
                out.append("(?:.*/)?")
                position += 2
            elif pattern.startswith("*", position):
                out.append(".*")
                position += 1
            else:
                out.append(star)
        elif character == "?":
            out.append(question)
        elif character == "[" and "]" in pattern[position:]:
            end = pattern.index("]", position)
            inner = pattern[position:end]
            out.append(f"[^{inner[1:]}]" if inner[:1] in "!^" else f"[{inner}]")
            position = end + 1
        elif braces and character == "{":
            depth += 1
            out.append("(?:")
        elif braces and character == "}" and depth:
            depth -= 1
            out.append(")")
        elif braces and character == "," and depth:
            out.append("|")
        else:
            out.append(re.escape(character))
    return "".join(out) + (")" * depth)
