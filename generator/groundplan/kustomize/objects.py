"""Objects out of YAML documents, as kustomize accepts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from groundplan.kustomize.items import Item
from groundplan.kustomize.problems import Fault
from groundplan.kustomize.reading import copied
from groundplan.kustomize.scalars import is_null, text
from groundplan.resources import Origin


def items_of(bodies: Iterable[Any], origin: Origin) -> Iterator[Item]:
    """The objects in the documents of one file; lists are expanded.

    Raises:
        Fault: when a document is no object.
    """
    for body in bodies:
        if not is_null(body) and body != {}:
            yield from expanded(body, origin)


def expanded(body: Any, origin: Origin) -> Iterator[Item]:
    """One document's objects. The document itself is not changed.

    Raises:
        Fault: when it is no object.
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
        raise Fault(f"the items of a {item.gvk.kind} are no list")
    for index, content in enumerate(contents):
        if not is_null(content) and content != {}:
            place = Origin(origin.path, origin.document, f"{origin.pointer}/items/{index}")
            yield from expanded(content, place)


def _checked(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Fault("a document is no object")
    kind = text(body.get("kind", ""))
    if not kind:
        raise Fault("an object has no kind")
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if (is_null(name) or text(name) == "") and not kind.endswith("List"):
        raise Fault(f"a {kind} has no metadata.name")
    return body
