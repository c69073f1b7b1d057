"""Functions for templates: Go's own, Sprig's that ApplicationSets use, and Argo CD's."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from groundplan import documents
from groundplan.gitops.gotemplate_syntax import TemplateError

_NOT_DNS = re.compile(r"[^a-z0-9.-]+")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_GO_TYPES = {bool: "bool", int: "int", float: "float64"}
_VERB = re.compile(
    r"%(?P<flags>[-+ 0#]*)(?P<width>\d*)(?:\.(?P<precision>\d+))?(?P<verb>[a-zA-Z%])"
)


def truth(value: Any) -> bool:
    """Whether Go takes a value as true: neither empty nor zero."""
    return bool(value)


def shown(value: Any) -> str:
    """A value as Go prints it."""
    if value is None or isinstance(value, bool):
        return {None: "<no value>", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{k}:{_inside(v)}' for k, v in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(_inside(item) for item in value)}]"
    return str(value)


def number(value: float) -> str:
    """A fraction as Go prints it: short, and with an exponent from a million on."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    digits, _, exponent = f"{value:.17e}".partition("e")
    exponent_value = int(exponent)
    short = repr(float(value))
    if -4 <= exponent_value < 21 and (exponent_value < 6 or len(_significant(short)) > 21):
        return str(int(value)) if value.is_integer() else short
    mantissa = _significant(short)
    sign = "-" if value < 0 else ""
    digits = f"{mantissa[0]}.{mantissa[1:]}" if len(mantissa) > 1 else mantissa
    mark = "-" if exponent_value < 0 else "+"
    return f"{sign}{digits}e{mark}{abs(exponent_value):02}"


def _significant(short: str) -> str:
    return short.lstrip("-").partition("e")[0].replace(".", "").strip("0") or "0"


def _inside(value: Any) -> str:
    return "<nil>" if value is None else shown(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list | str):
            position = int(key)
            if not 0 <= position < len(value):
                raise TemplateError(f"index out of range: {position}")
            value = value[position]
        else:
            raise TemplateError("can't index item of this type")
    return value


def _equal(value: Any, *others: Any) -> bool:
    return any(_compared(value, other) and value == other for other in others)


def _compared(one: Any, other: Any) -> bool:
    """Whether two values can be the same: Go refuses to compare different types."""
    if one is None or other is None:
        return one is other
    if type(one) is not type(other):
        raise TemplateError("incompatible types for comparison")
    return True


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: _compared(one, other) and compare(one, other)


def _printed(*values: Any) -> str:
    """Values in a row; a space between two of which neither is a text."""
    out = ""
    for i, value in enumerate(values):
        apart = i and not isinstance(value, str) and not isinstance(values[i - 1], str)
        out += f"{' ' if apart else ''}{_inside(value)}"
    return out


def _list_slice(values: Any, *bounds: Any) -> list[Any]:
    if not isinstance(values, list):
        raise TemplateError("list should be type of slice or array")
    return values[slice(*map(int, bounds))] if len(bounds) > 1 else values[int(bounds[0]) :]


def _formatted(template: str, *arguments: Any) -> str:
    remaining = list(arguments)

    def one(match: re.Match[str]) -> str:
        if match["verb"] == "%":
            return "%"
        return _verb(match, remaining.pop(0)) if remaining else f"%!{match['verb']}(MISSING)"

    return _VERB.sub(one, template)


def _verb(match: re.Match[str], value: Any) -> str:
    verb, spec = match["verb"], f"{match['flags']}{match['width']}"
    if verb == "s" and isinstance(value, bool | int | float):
        return f"%!s({_GO_TYPES[type(value)]}={shown(value)})"
    if verb in "svt":
        return str(f"%{spec}s" % shown(value))
    if verb == "q":
        return json.dumps(value, ensure_ascii=False)
    if verb == "d" and isinstance(value, float):
        return f"%!d(float64={number(value)})"
    if verb in "dfgex":
        precision = f".{match['precision']}" if match["precision"] else ""
        return str(f"%{spec}{precision}{verb}" % value)
    raise TemplateError(f"printf %{verb} is not known")


def _json(value: Any) -> str:
    written: str = json.dumps(
        _tidy(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )
    for character in "<>&":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def _tidy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _tidy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def _from_yaml(text: str) -> Any:
    parsed, problems = documents.parse("", text.encode())
    if problems:
        raise TemplateError(f"fromYaml: {problems[0].message}")
    return parsed[0].body if parsed else {}


def _to_yaml(value: Any) -> str:
    return documents.dump(_tidy(value)).rstrip("\n")


def _ternary(when_true: Any, when_false: Any, condition: Any) -> Any:
    return when_true if condition else when_false


def _trunc(length: int, text: str) -> str:
    if length < 0:
        return text[length:] if -length < len(text) else text
    return text[: int(length)]


def normalized(text: str) -> str:
    """A name made fit to be a Kubernetes name, as Argo CD does."""
    cleaned = _NOT_DNS.sub("-", str(text).lower())[:253]
    return cleaned.strip("-.")


def _slugify(*arguments: Any) -> str:
    text = str(arguments[-1])
    size = int(arguments[0]) if len(arguments) > 1 and not isinstance(arguments[0], str) else 50
    slug = _NOT_SLUG.sub("-", text.lower()).strip("-")
    return slug[:size].strip("-")


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if truth(value)), None)


def _dict(*pairs: Any) -> dict[str, Any]:
    return {str(key): value for key, value in zip(pairs[::2], pairs[1::2], strict=False)}


def _text(value: Any) -> str:
    return "" if value is None else shown(value)


def _quoted(*values: Any) -> str:
    return " ".join(json.dumps(_text(v), ensure_ascii=False) for v in values if v is not None)


def _indented(width: int, text: str) -> str:
    pad = " " * int(width)
    return pad + text.replace("\n", f"\n{pad}")


def _default(fallback: Any, value: Any = None) -> Any:
    return value if truth(value) else fallback


def _regex_replace(pattern: str, text: str, replacement: str) -> str:
    return re.sub(pattern, re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", replacement), text)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "index": _index,
    "len": len,
    "not": lambda value: not truth(value),
    "eq": _equal,
    "ne": lambda one, other: not _equal(one, other),
    "lt": _ordered(operator.lt),
    "le": _ordered(operator.le),
    "gt": _ordered(operator.gt),
    "ge": _ordered(operator.ge),
    "print": _printed,
    "printf": _formatted,
    "slice": _list_slice,
    "toJson": _json,
    "toRawJson": lambda value: json.dumps(_tidy(value), ensure_ascii=False, sort_keys=True),
    "fromJson": json.loads,
    "toYaml": _to_yaml,
    "fromYaml": _from_yaml,
    "fromYamlArray": _from_yaml,
    "quote": _quoted,
    "squote": lambda *values: " ".join(f"'{_text(value)}'" for value in values),
    "default": _default,
    "coalesce": _coalesce,
    "empty": lambda value: not truth(value),
    "ternary": _ternary,
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "trim": str.strip,
    "trimPrefix": lambda prefix, text: text.removeprefix(prefix),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "trimAll": lambda characters, text: text.strip(characters),
    "replace": lambda old, new, text: text.replace(old, new),
    "contains": lambda part, text: part in text,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "hasSuffix": lambda suffix, text: text.endswith(suffix),
    "trunc": _trunc,
    "substr": lambda start, end, text: text[int(start) : int(end) if end >= 0 else None],
    "nospace": lambda text: re.sub(r"\s", "", text),
    "indent": _indented,
    "nindent": lambda width, text: "\n" + _indented(width, text),
    "join": lambda separator, values: separator.join(_text(value) for value in values),
    "splitList": lambda separator, text: text.split(separator),
    "split": lambda separator, text: {f"_{i}": v for i, v in enumerate(text.split(separator))},
    "regexMatch": lambda pattern, text: re.search(pattern, text) is not None,
    "regexReplaceAll": _regex_replace,
    "dict": _dict,
    "list": lambda *values: list(values),
    "get": lambda values, key: values.get(key, ""),
    "hasKey": lambda values, key: key in values,
    "keys": list,
    "has": lambda value, values: value in values,
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "dig": lambda *path: _dig(path[:-2], path[-2], path[-1]),
    "merge": lambda *maps: {key: value for entry in reversed(maps) for key, value in entry.items()},
    "toString": _text,
    "int": lambda value: int(float(value or 0)),
    "int64": lambda value: int(float(value or 0)),
    "add": lambda *values: sum(int(float(value)) for value in values),
    "sub": lambda one, other: int(float(one)) - int(float(other)),
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": lambda text: base64.b64decode(text).decode(),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "normalize": normalized,
    "slugify": _slugify,
}


def _dig(path: tuple[Any, ...], fallback: Any, values: Any) -> Any:
    for key in path:
        if not isinstance(values, Mapping) or key not in values:
            return fallback
        values = values[key]
    return values
