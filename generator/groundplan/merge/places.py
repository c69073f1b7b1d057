"""Lines and pointers of places in a merged text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.documents import locate

if TYPE_CHECKING:
    from groundplan.merge.model import Place
    from groundplan.merge.slots import Entry, Node


class Finder:
    """Lines and pointers of places in the merged text."""

    def __init__(self, merged: Node, text: str) -> None:
        self._merged = merged
        self._content = text.encode()

    def find(self, place: Place) -> dict[str, Any]:
        """The pointer and line of a place, or of what is nearest above it."""
        node, document, steps = self._merged, 0, []
        for part in place:
            index = next((i for i, e in enumerate(node.entries) if part in (e.name, e.key)), None)
            if index is None:
                break
            entry = node.entries[index]
            if node.kind == "stream":
                document = sum(map(_counts, node.entries[:index]))
            else:
                steps.append(entry.key if node.kind == "mapping" else str(index))
            node = entry.value
        pointer = "".join("/" + s.replace("~", "~0").replace("/", "~1") for s in steps)
        return {"pointer": pointer, "line": locate(self._content, document, pointer)}


def _counts(document: Entry) -> bool:
    """Whether what stands between two `---` counts as a document."""
    empty = document.value.kind == "scalar" and not document.value.text
    return document.head.startswith("---") or not empty
