"""Objects out of YAML documents, as kustomize accepts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.kustomize.items import Item
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.reading import copied, quoted
from groundplan.kustomize.scalars import is_null, text
from groundplan.resources import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def items_of(bodies: Iterable[Any], origin: Origin) -> Iterator[Item]:
    """The objects in the documents of one file; lists are expanded.

    Raises:
        RefusedError: when a document is no object.
    """
    for body in bodies:
        if not is_null(body) and body != {}:
            yield from expanded(body, origin)


def expanded(body: Any, origin: Origin, *, alone: bool = False) -> Iterator[Item]:
    """One document's objects. The document itself is not changed.

    Args:
        body: The document.
        origin: Where it is written.
        alone: Whether it is the only one of its file.

    Raises:
        RefusedError: when it is no object.
    """
    item = Item(_checked(body), origin)
    contents = item.body.get("items", ())
    if not item.gvk.kind.endswith("List") or "items" not in item.body:
        item.body = copied(item.body)
        yield item
        return
    if is_null(contents):
        return
    if not isinstance(contents, list):
        raise RefusedError(f"the items of a {item.gvk.kind} are no list")
    for index, content in enumerate(contents):
        if not is_null(content) and content != {}:
            place = Origin(origin.path, origin.document, f"{origin.pointer}/items/{index}")
            if alone and item.gvk.kind == "List":
                yield from expanded(content, place)
                continue
            # kustomize takes all other lists apart by way of JSON.
            for inner in expanded(quoted(content), place):
                inner.styled = True
                yield inner


def _checked(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise RefusedError("a document is no object")
    kind = text(body.get("kind", ""))
    if not kind:
        raise RefusedError("an object has no kind")
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if (is_null(name) or text(name) == "") and not kind.endswith("List"):
        raise RefusedError(f"a {kind} has no metadata.name")
    return body
