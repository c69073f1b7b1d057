"""Which items of three versions of a list are the same item."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from groundplan.merge.model import Three
from groundplan.resources import Origin, Resource

Items = Sequence[Any]
Key = Callable[[Any], str]

GUESSES = (
    "name",
    "id",
    "key",
    "alert",
    "record",
    "type",
    "mountPath",
    "containerPort",
    "port",
    "hostname",
    "host",
    "path",
    "url",
    "repo",
    "namespace",
)
"""Fields that tell items apart where no schema says, best first."""

_FLAG = re.compile(r"--?[A-Za-z][\w.-]*(?==)")
_ALIKE = 0.5
"""The share of equal leaves from which two items without a key count as one that changed."""


def key_of(lists: Sequence[Items], known: tuple[str, ...] = ()) -> Key | None:
    """How to tell the items of all these lists apart; None when no field does.

    Args:
        lists: Versions of one list.
        known: The fields that the schema names.
    """
    if not all(isinstance(item, Mapping) for items in lists for item in items):
        return None
    candidates = [known] if known else []
    candidates += [(guess,) for guess in GUESSES]
    keys = [_object, *(_fields(names) for names in candidates)]
    return next((key for key in keys if _tells_apart(key, lists)), None)


def identities(sides: Three[Items], known: tuple[str, ...] = ()) -> Three[list[str]]:
    """Name the items so that equal names mean the same item."""
    key = key_of(sides, known)
    if key:
        return Three(*([key(item) for item in items] for items in sides))
    base, yours, template = sides
    names = [f"={index}" for index in range(len(base))]
    mine, theirs = _aligned(base, yours), _aligned(base, template)
    own = [f"={at}" if at is not None else f"+{index}" for index, at in enumerate(mine)]
    free: dict[str, list[str]] = {}
    for index in reversed(range(len(yours))):
        if mine[index] is None:
            free.setdefault(_token(yours[index]), []).append(own[index])
    others = []
    for index, at in enumerate(theirs):
        same = free.get(_token(template[index])) if at is None else None
        if at is not None:
            others.append(f"={at}")
        else:
            others.append(same.pop() if same else f"*{index}")
    return Three(names, own, others)


def document_names(sides: Sequence[Items]) -> list[list[str]] | None:
    """Name the documents of several versions of a file; None when nothing tells them apart."""
    names = [
        [f"#{index}" if body is None else object_key(body) for index, body in enumerate(side)]
        for side in sides
    ]
    if all(len(set(own)) == len(own) and "" not in own for own in names):
        return names
    if all(len(side) <= 1 for side in sides):
        return [["=0"] * len(side) for side in sides]
    return None


def object_key(body: Any) -> str:
    """The identity of a Kubernetes object, or nothing for what is none."""
    if not (isinstance(body, Mapping) and body.get("kind") and body.get("apiVersion")):
        return ""
    identity = Resource.of(body, Origin("")).id
    return f"{identity}.{identity.group}" if identity.group else f"{identity}"


def _object(item: Any) -> str:
    metadata = item.get("metadata")
    named = isinstance(metadata, Mapping) and metadata.get("name")
    return object_key(item) if named else ""


def _fields(names: tuple[str, ...]) -> Key:
    def key(item: Any) -> str:
        values = [item.get(name) for name in names]
        if values[0] is None or any(isinstance(value, (list, Mapping)) for value in values):
            return ""
        return ",".join(
            f"{name}={value}"
            for name, value in zip(names, values, strict=True)
            if value is not None
        )

    return key


def _tells_apart(key: Key, lists: Sequence[Items]) -> bool:
    for items in lists:
        keys = [key(item) for item in items]
        if "" in keys or len(set(keys)) != len(keys):
            return False
    return True


def _token(item: Any) -> str:
    """What an item is taken for where it has no key: a flag's name, else all of it."""
    if isinstance(item, str) and (flag := _FLAG.match(item)):
        return flag[0]
    return json.dumps(item, sort_keys=True)


def _aligned(base: Items, other: Items) -> list[int | None]:
    """For each item the one in `base` that it was, as far as anyone can tell."""
    olds, news = [_token(item) for item in base], [_token(item) for item in other]
    found: list[int | None] = [None] * len(other)
    once = {t for t, count in Counter(olds).items() if count == 1}
    once &= {t for t, count in Counter(news).items() if count == 1}
    for index, token in enumerate(news):
        if token in once:
            found[index] = olds.index(token)
    rest = [i for i, t in enumerate(olds) if t not in once]
    free = [j for j, t in enumerate(news) if t not in once]
    matcher = SequenceMatcher(None, [olds[i] for i in rest], [news[j] for j in free], False)
    for i, j, size in matcher.get_matching_blocks():
        for step in range(size):
            found[free[j + step]] = rest[i + step]
    _pair_changed(base, other, found)
    return found


def _pair_changed(base: Items, other: Items, found: list[int | None]) -> None:
    """Between the same neighbours, what is left on both sides is what changed."""
    taken = {at for at in found if at is not None}
    gaps: dict[int, tuple[list[int], list[int]]] = {}
    before = -1
    for i in range(len(base)):
        before = i if i in taken else before
        if i not in taken:
            gaps.setdefault(before, ([], []))[0].append(i)
    before = -1
    for j, at in enumerate(found):
        before = at if at is not None else before
        if at is None:
            gaps.setdefault(before, ([], []))[1].append(j)
    for olds, news in gaps.values():
        _pair_alike(base, other, olds, news, found)
        if len(olds) == len(news):
            for i, j in zip(olds, news, strict=True):
                if type(base[i]) is type(other[j]):
                    found[j] = i


def _pair_alike(
    base: Items, other: Items, olds: list[int], news: list[int], found: list[int | None]
) -> None:
    """Pair collections that share most of what is in them, the most alike first."""
    leaves = {("old", i): leaf_counts(base[i]) for i in olds}
    leaves |= {("new", j): leaf_counts(other[j]) for j in news}
    pairs = sorted(
        (-_alike(leaves["old", i], leaves["new", j]), i, j)
        for i in olds
        for j in news
        if isinstance(base[i], (Mapping, list)) and type(base[i]) is type(other[j])
    )
    for likeness, i, j in pairs:
        if -likeness >= _ALIKE and i in olds and j in news:
            found[j] = i
            olds.remove(i)
            news.remove(j)


def leaf_counts(value: Any, path: str = "") -> Counter[tuple[str, str]]:
    """Every scalar below with its path; the items of lists are in no order."""
    if isinstance(value, Mapping) and value:
        parts = [leaf_counts(child, f"{path}/{key}") for key, child in value.items()]
    elif isinstance(value, list) and value:
        parts = [leaf_counts(child, f"{path}/*") for child in value]
    else:
        return Counter({(path, json.dumps(value)): 1})
    total: Counter[tuple[str, str]] = Counter()
    for part in parts:
        total.update(part)
    return total


def _alike(one: Counter[tuple[str, str]], other: Counter[tuple[str, str]]) -> float:
    return 2 * (one & other).total() / (one.total() + other.total())
