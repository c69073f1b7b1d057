"""The form in which kustomize writes objects in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.kustomize.scalars import Empty

if TYPE_CHECKING:
    from groundplan.kustomize.items import Item

_LOCAL_ONLY = "config.kubernetes.io/local-config"


def is_local(item: Item) -> bool:
    """Whether an object is only for tools and never applied."""
    return item.strings("annotations").get(_LOCAL_ONLY, "false") != "false"


def settle(item: Item) -> None:
    """Give annotations and nulls the form in which kustomize writes them."""
    metadata = item.metadata
    if "annotations" in metadata:
        annotations = item.strings("annotations")
        if annotations:
            metadata["annotations"] = annotations
        else:
            del metadata["annotations"]
    _without_empty(item.body)


def _without_empty(value: Any) -> None:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in list(pairs):
        if isinstance(entry, dict | list):
            _without_empty(entry)
        elif isinstance(entry, Empty):
            value[key] = entry.written
        elif type(entry) not in (str, int, float, bool, type(None)):
            value[key] = _plain(entry)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e21
        return int(value) if whole else float(value)
    raise TypeError(type(value).__name__)
