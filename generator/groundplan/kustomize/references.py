"""Names that follow the objects they name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from groundplan.kustomize.fieldspecs import Config, FieldSpec, visit
from groundplan.kustomize.items import Gvk, Item, Items
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.scalars import is_null, text

Identical = Callable[[list[Item]], bool]


def update(items: Items, config: Config) -> None:
    """Change every reference to an object that has another name or namespace by now.

    Raises:
        RefusedError: when a reference could mean several objects.
    """
    renamed = [item for item in items if item.former]
    if not renamed:
        return
    names: dict[str, list[Item]] = {}
    for item in renamed:
        for name in {former.name for former in item.former}:
            names.setdefault(name, []).append(item)
    kinds = frozenset(former.kind for item in renamed for former in item.former)
    for item in items:
        for spec, target in _specs_for(config, item.original_id.gvk):
            if not target.kind or target.kind in kinds:
                _Referrer(item, spec, target, items.members, names).update()


@functools.lru_cache(maxsize=4096)
def _specs_for(config: Config, gvk: Gvk) -> tuple[tuple[FieldSpec, Gvk], ...]:
    return tuple(
        (spec, reference.gvk)
        for reference in config.references
        for spec in reference.referrers
        if gvk.selected_by(spec.gvk)
    )


class _Referrer:
    """One field of one object that names objects of one kind."""

    def __init__(
        self,
        item: Item,
        spec: FieldSpec,
        target: Gvk,
        items: list[Item],
        names: dict[str, list[Item]],
    ) -> None:
        self._item = item
        self._spec = spec._replace(gvk=item.gvk)
        self._target = target
        self._items = items
        self._names = names

    def update(self) -> None:
        visit(self._item.body, self._item.gvk, self._spec, None, self._set)

    def _set(self, holder: Any, key: Any) -> None:
        value = holder[key]
        if is_null(value):
            return
        if isinstance(value, dict):
            self._set_map(value)
        elif isinstance(value, list):
            for index, element in enumerate(value):
                if isinstance(element, dict):
                    self._set_map(element)
                elif isinstance(element, list):
                    raise RefusedError(f"{self._spec.path} holds a list of lists")
                elif not is_null(element):
                    self._set_scalar(value, index)
        else:
            self._set_scalar(holder, key)

    def _set_scalar(self, holder: Any, key: Any) -> None:
        if text(holder[key]) not in self._names:
            return
        named = self._visible(self._names[text(holder[key])])
        found = self._referral(text(holder[key]), named, _same_names)
        if found is not None and found.name != text(holder[key]):
            holder[key] = found.name

    def _set_map(self, value: dict[str, Any]) -> None:
        if "name" not in value:
            raise RefusedError(f"{self._spec.path} has no `name` to update")
        if text(value["name"]) not in self._names:
            return
        if "namespace" in value:
            candidates = _in_namespace(self._visible(self._items), text(value["namespace"]))
        else:
            candidates = self._visible(self._names[text(value["name"])])
        found = self._referral(text(value["name"]), candidates, _same_places)
        if found is None:
            return
        if found.name != text(value["name"]) or found.namespace:
            value["name"] = found.name
        if found.namespace:
            value["namespace"] = found.namespace

    def _visible(self, items: list[Item]) -> list[Item]:
        """Those that may be named from where the referrer is."""
        me = self._item.id
        if me.cluster_scoped:
            return items
        granted = _subject_namespaces(self._item)
        return [
            other
            for other in items
            if other.id.cluster_scoped
            or other.id.effective_namespace == me.effective_namespace
            or other.namespace in granted
        ]

    def _referral(self, name: str, candidates: list[Item], identical: Identical) -> Item | None:
        role = self._role()
        me = self._item.id
        found = [
            other
            for other in candidates
            if any(i.name == name for i in other.former_ids)
            and any(i.gvk.selected_by(self._target) for i in other.former_ids)
            and (role is None or any(i.gvk.selected_by(role) for i in other.former_ids))
            and (
                me.cluster_scoped
                or other.id.cluster_scoped
                or other.gvk.kind == "ServiceAccount"
                or other.id.effective_namespace == me.effective_namespace
            )
        ]
        if len(found) == 1:
            return found[0]
        found = [other for other in found if _same_affixes(other, self._item, lenient=True)]
        if len(found) > 1:
            found = [other for other in found if _same_affixes(other, self._item, lenient=False)]
        if not found:
            return None
        if len(found) > 1 and not identical(found):
            names = ", ".join(str(other.id) for other in found)
            raise RefusedError(f"`{name}` in {self._spec.path} of {me} could be each of {names}")
        return found[0]

    def _role(self) -> Gvk | None:
        if not self._spec.path.endswith("roleRef/name"):
            return None
        reference = self._item.body.get("roleRef")
        if not isinstance(reference, dict) or not {"apiGroup", "kind"} <= set(reference):
            return None
        return Gvk(text(reference["apiGroup"]), "", text(reference["kind"]))


def _subject_namespaces(item: Item) -> set[str]:
    subjects = item.body.get("subjects")
    if item.gvk.kind != "RoleBinding" or not isinstance(subjects, list):
        return set()
    return {
        text(subject["namespace"])
        for subject in subjects
        if isinstance(subject, dict)
        and subject.get("kind") == "ServiceAccount"
        and subject.get("namespace")
    }


def _in_namespace(candidates: list[Item], namespace: str) -> list[Item]:
    original = [c for c in candidates if c.original_id.effective_namespace == namespace]
    return original or [c for c in candidates if c.id.effective_namespace == namespace]


def _same_affixes(one: Item, other: Item, *, lenient: bool) -> bool:
    return _same_end(one.prefixes, other.prefixes, lenient) and _same_end(
        one.suffixes, other.suffixes, lenient
    )


def _same_end(one: tuple[str, ...], other: tuple[str, ...], lenient: bool) -> bool:
    if not one or not other:
        return lenient or one == other
    shared = min(len(one), len(other))
    return one[-shared:] == other[-shared:]


def _same_names(items: Iterable[Item]) -> bool:
    return len({item.name for item in items}) == 1


def _same_places(items: Iterable[Item]) -> bool:
    return len({(item.name, item.namespace) for item in items}) == 1
