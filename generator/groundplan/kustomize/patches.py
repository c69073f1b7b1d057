"""Patches: what they say, and which objects they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.kustomize import jsonpatch
from groundplan.kustomize.merge import DIRECTIVE, QuotingError, merge
from groundplan.kustomize.objects import items_of
from groundplan.kustomize.problems import RefusedError, StylesNeededError
from groundplan.kustomize.reading import copied, read, requoted
from groundplan.kustomize.scalars import is_null
from groundplan.kustomize.selectors import selects
from groundplan.resources import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundplan.kustomize.items import Item, Items

_NOWHERE = Origin("")
_REPLACING = ("delete", "replace")


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that has been read."""

    merges: tuple[Item, ...]
    operations: tuple[jsonpatch.Operation, ...]
    target: Mapping[str, Any] | None
    rename: bool = False
    rekind: bool = False
    former: bool = False
    """Written in `patchesJson6902`, which does not count as a change of name."""


def parse(content: str | bytes, entry: Mapping[str, Any], *, former: bool = False) -> Patch:
    """Read a patch of either sort.

    Raises:
        RefusedError: when it is neither.
    """
    documents = read(content)
    options = entry.get("options", {})
    target = entry.get("target")
    if documents and isinstance(documents[0], list):
        if not jsonpatch.is_json_patch(documents[0]):
            raise RefusedError("unable to parse the patch: it is neither an object nor operations")
        if target is None:
            raise RefusedError("a JSON patch must have a target")
        return Patch((), tuple(copied(documents[0])), target, former=former)
    return Patch(
        tuple(items_of(documents, _NOWHERE)),
        (),
        target,
        options.get("allowNameChange", False),
        options.get("allowKindChange", False),
    )


def apply(items: Items, patch: Patch, *, partial: bool = False) -> None:
    """Change the objects that a patch is for.

    With `partial`, objects may be missing because their file could not be read, so a patch
    without an object is left out.

    Raises:
        RefusedError: when the patch does not fit, or nothing is there to patch.
    """
    if patch.operations:
        _apply_json(items, patch)
        return
    if patch.target is not None:
        if len(patch.merges) > 1:
            raise RefusedError("a patch with a target must hold one object, not several")
        for item in items:
            if patch.merges and selects(patch.target, item):
                _merge_into(item, _with_plain_metadata(patch.merges[0]), patch)
    else:
        for merged in patch.merges:
            found = items.any_id(merged.original_id.equals)
            if len(found) == 1:
                _merge_into(
                    found[0], _with_plain_metadata(merged) if patch.former else merged, patch
                )
            elif found or not partial:
                number = "several objects match" if found else "no object matches"
                raise RefusedError(f"{number} the patch for {merged.id}")
    items.drop_empty()


def _apply_json(items: Items, patch: Patch) -> None:
    for item in items:
        if not selects(patch.target or {}, item):
            continue
        if not patch.former:
            item.remember()
        # kustomize keeps notes in annotations, so a patch may add one where the file has none.
        if item.marked:
            metadata = item.body.setdefault("metadata", {})
            if metadata.get("annotations") is None:
                metadata["annotations"] = {}
        item.body = requoted(jsonpatch.apply(item.body, list(patch.operations)))
        item.styled = True


def _with_plain_metadata(patch: Item) -> Item:
    """A patch as kustomize copies it: labels and annotations are texts, and empty ones are gone.

    So such a patch cannot take all labels or all annotations away.
    """
    copy = patch.copy()
    for where in ("labels", "annotations"):
        values = copy.strings(where)
        if values:
            copy.metadata[where] = values
        else:
            copy.metadata.pop(where, None)
    return copy


def _forgets(patch: Item) -> bool:
    """Whether a patch takes all annotations away, where kustomize keeps its notes."""
    metadata = patch.metadata
    annotations = metadata.get("annotations", {})
    replaced = isinstance(annotations, dict) and annotations.get(DIRECTIVE) in _REPLACING
    return is_null(annotations) or replaced or metadata.get(DIRECTIVE) in _REPLACING


def _merge_into(item: Item, patch: Item, options: Patch) -> None:
    name, namespace, kind = item.name, item.namespace, item.gvk.kind
    if options.rename or options.rekind:
        item.remember()
    changes = {**patch.body, "apiVersion": item.body.get("apiVersion")}
    if "apiVersion" not in item.body:
        del changes["apiVersion"]
    forgets = _forgets(patch)
    try:
        merged = merge(item.body, changes, styled=item.styled)
    except QuotingError:
        raise StylesNeededError(item.origin.path) from None
    item.body = merged or {}
    if forgets:
        item.forget()
    if not merged:
        return
    if not options.rekind:
        item.body["kind"] = kind
    if not options.rename:
        item.set_name(name)
    item.set_namespace(namespace)
