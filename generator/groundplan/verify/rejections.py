"""What an API server's refusal says about an object: from its answer to places in the object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_UNKNOWN_FIELD = re.compile(r'unknown field "((?:[^"\\]|\\.)+)"')
_UNDECLARED = re.compile(r"(\.\S.*?): field not declared in schema")
_WRONG_TYPE = re.compile(r"(\.[A-Za-z]\S*): (?:expected|conversion|schema error|duplicate)")
_STEP = re.compile(
    r"""\.?(?P<field>[A-Za-z0-9_$-]+)
      | \[(?P<index>\d+)\]
      | \[(?P<keys>[A-Za-z0-9_]+=(?:"[^"]*"|[^,\]]+)(?:,[A-Za-z0-9_]+=(?:"[^"]*"|[^,\]]+))*)\]
      | \[(?P<name>[^\]]*)\]
      | \.(?P<quoted>"[^"]*")""",
    re.VERBOSE,
)
_PAIR = re.compile(r'([A-Za-z0-9_]+)=("[^"]*"|[^,\]]+)')


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the server has against an object."""

    pointer: str
    """JSON pointer of the field it names; empty when it names none."""
    message: str
    """In the server's words."""


def faults(answer: Any, body: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Read a refusal: one fault for each cause with a field, else one for the whole.

    Args:
        answer: The `Status` that the server sent, or text.
        body: The object that was refused; field paths are resolved against it.
    """
    if not isinstance(answer, Mapping):
        return (Fault("", str(answer).strip() or "refused without a reason"),)
    message = " ".join(str(answer.get("message") or "refused without a reason").split())
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    found = tuple(_from_causes(causes or (), body))
    return found or tuple(_from_message(message, body))


def _from_causes(causes: Sequence[Any], body: Mapping[str, Any]) -> Iterator[Fault]:
    for cause in causes:
        if isinstance(cause, Mapping) and cause.get("field") and cause.get("message"):
            field = str(cause["field"])
            if field == "<nil>":
                field = ""
            text = " ".join(str(cause["message"]).split())
            yield Fault(pointer(field, body), f"{field}: {text}" if field else text)


def _from_message(message: str, body: Mapping[str, Any]) -> Iterator[Fault]:
    """Find the field paths in the sentences of strict decoding and of server-side apply."""
    for pattern in (_UNKNOWN_FIELD, _UNDECLARED, _WRONG_TYPE):
        if paths := pattern.findall(message):
            yield from (Fault(pointer(path, body), message) for path in dict.fromkeys(paths))
            return
    yield Fault("", message)


def pointer(field: str, body: Any) -> str:
    """Turn the server's notation of a field into a JSON pointer.

    It writes `spec.ports[0].port`, `metadata.labels[a/b]`, `.spec.containers[name="x"].image`. A
    field with dots in its name, which it does not mark, is found by looking at the object.
    """
    steps: list[str] = []
    here, place = body, 0
    while place < len(field):
        if (whole := _dotted_key(field, place, here)) is not None:
            step, place = whole
        else:
            match = _STEP.match(field, place)
            if match is None:
                break
            place = match.end()
            step = _step(match, here)
        steps.append(step)
        here = _enter(here, step)
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _dotted_key(field: str, place: int, here: Any) -> tuple[str, int] | None:
    """Find the longest key of the object that the rest of the path begins with, if it has dots."""
    start = place + (field[place] == ".")
    if not isinstance(here, Mapping) or field[place] == "[":
        return None
    fitting = [
        key for key in here if isinstance(key, str) and "." in key and field.startswith(key, start)
    ]
    return (max(fitting, key=len), start + len(max(fitting, key=len))) if fitting else None


def _step(match: re.Match[str], here: Any) -> str:
    """Give one step of a path as it is written in a JSON pointer."""
    if match["keys"]:
        return _item(dict(_PAIR.findall(match["keys"])), here) or match["keys"]
    return (match["field"] or match["index"] or match["name"] or match["quoted"] or "").strip('"')


def _item(wanted: Mapping[str, str], items: Any) -> str:
    """Find the item that server-side apply means; it names defaults that the item may leave out."""
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, Mapping) and all(
            key not in item or str(item[key]) == value.strip('"') for key, value in wanted.items()
        ):
            return str(index)
    return ""


def _enter(here: Any, step: str) -> Any:
    if isinstance(here, Mapping):
        return here.get(step)
    if isinstance(here, list) and step.isdigit() and int(step) < len(here):
        return here[int(step)]
    return None
