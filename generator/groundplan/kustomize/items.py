"""The objects of a build, with what kustomize remembers about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from groundplan.kustomize.mergekeys import is_cluster_scoped
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.reading import copied
from groundplan.kustomize.scalars import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from groundplan.resources import Origin

NO_NAMESPACE = "_non_namespaceable_"


class Gvk(NamedTuple):
    """Group, version and kind; an empty part of a selector matches anything."""

    group: str = ""
    version: str = ""
    kind: str = ""

    def selected_by(self, selector: Gvk) -> bool:
        """Whether every part that the selector names is the same."""
        return (
            (not selector.kind or selector.kind == self.kind)
            and (not selector.group or selector.group == self.group)
            and (not selector.version or selector.version == self.version)
        )

    @property
    def api_version(self) -> str:
        """As `apiVersion` writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version


class ItemId(NamedTuple):
    """What an object is or was called."""

    gvk: Gvk
    name: str
    namespace: str

    @property
    def cluster_scoped(self) -> bool:
        """Whether kustomize knows that the kind has no namespaces."""
        return is_cluster_scoped(self.gvk.api_version, self.gvk.kind)

    @property
    def effective_namespace(self) -> str:
        """`default` when nothing is said."""
        if self.cluster_scoped:
            return NO_NAMESPACE
        return self.namespace or "default"

    def equals(self, other: ItemId) -> bool:
        """Whether both are the same object."""
        return (
            self.name == other.name
            and self.gvk == other.gvk
            and self.effective_namespace == other.effective_namespace
        )

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.gvk.kind} {place}{self.name}"


class Former(NamedTuple):
    """A name that an object had earlier in the build."""

    kind: str
    name: str
    namespace: str


@dataclass(slots=True)
class Item:
    """One object under construction. Changed in place, and only inside a build."""

    body: dict[str, Any]
    origin: Origin
    former: tuple[Former, ...] = ()
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    behavior: str = ""
    generated: bool = False
    needs_hash: bool = False
    styled: bool = False
    """Whether `Quoted` tells which of its texts were quoted in the file."""

    @property
    def gvk(self) -> Gvk:
        """Group, version and kind."""
        group, slash, version = text(self.body.get("apiVersion", "")).partition("/")
        if not slash:
            group, version = "", group
        return Gvk(group, version, text(self.body.get("kind", "")))

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata; an empty one when there is none."""
        metadata = self.body.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def name(self) -> str:
        """The name now."""
        return text(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """The namespace now, or nothing."""
        value = self.metadata.get("namespace")
        return "" if value is None else text(value)

    @property
    def id(self) -> ItemId:
        """What it is called now."""
        return ItemId(self.gvk, self.name, self.namespace)

    @property
    def former_ids(self) -> tuple[ItemId, ...]:
        """What it was called before, oldest first."""
        gvk = self.gvk
        return tuple(
            ItemId(gvk._replace(kind=former.kind), former.name, former.namespace)
            for former in self.former
        )

    @property
    def original_id(self) -> ItemId:
        """What it was called in its file."""
        former = self.former_ids
        return former[0] if former else self.id

    @property
    def marked(self) -> bool:
        """Whether kustomize would have annotated the object with notes of its own by now."""
        return bool(self.former or self.prefixes or self.suffixes or self.generated)

    def remember(self) -> None:
        """Keep the present name as a former one."""
        now = self.id
        self.former += (Former(now.gvk.kind, now.name, now.effective_namespace),)

    def forget(self) -> None:
        """Lose all that is remembered, as kustomize does when its notes are taken away."""
        self.former = self.prefixes = self.suffixes = ()
        self.generated = self.needs_hash = False
        self.behavior = ""

    def strings(self, where: str) -> dict[str, str]:
        """Labels or annotations, as strings."""
        values = self.metadata.get(where)
        return {k: text(v) for k, v in values.items()} if isinstance(values, dict) else {}

    def set_name(self, name: str) -> None:
        """Give it another name."""
        self.body.setdefault("metadata", {})["name"] = name

    def set_namespace(self, namespace: str) -> None:
        """Put it in a namespace, or in none that it names."""
        if namespace:
            self.body.setdefault("metadata", {})["namespace"] = namespace
        else:
            self.metadata.pop("namespace", None)

    def copy(self) -> Item:
        """A copy that can be changed without changing this one."""
        return Item(
            copied(self.body),
            self.origin,
            self.former,
            self.prefixes,
            self.suffixes,
            self.behavior,
            self.generated,
            self.needs_hash,
            self.styled,
        )


Identity = tuple[Gvk, str, str]
"""Kind, name and namespace."""


@dataclass(slots=True)
class Items:
    """The objects of a build in order; no two have the same identity."""

    members: list[Item] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        return iter(list(self.members))

    def __len__(self) -> int:
        return len(self.members)

    def append(self, item: Item) -> None:
        """Add one.

        Raises:
            RefusedError: when it is there already.
        """
        identity = item.id
        if any(identity.equals(other.id) for other in self.members if other.name == identity.name):
            raise RefusedError(f"{identity} is there twice", "duplicate-object")
        self.members.append(item)

    def identities(self) -> set[Identity]:
        """What there is, as `extend` tells things apart."""
        present = (item.id for item in self.members)
        return {(i.gvk, i.name, i.effective_namespace) for i in present}

    def extend(self, items: Iterable[Item], known: set[Identity] | None = None) -> None:
        """Add several; see `append`. `known` is what there is, if it is known already."""
        known = self.identities() if known is None else known
        for item in items:
            identity = item.id
            key = (identity.gvk, identity.name, identity.effective_namespace)
            if key in known:
                raise RefusedError(f"{identity} is there twice", "duplicate-object")
            known.add(key)
            self.members.append(item)

    def any_id(self, matches: Callable[[ItemId], bool]) -> list[Item]:
        """Objects that have or had a matching identity."""
        return [
            item
            for item in self.members
            if item.body and any(matches(i) for i in (*item.former_ids, item.id))
        ]

    def drop_empty(self) -> None:
        """Forget objects that a patch has deleted."""
        self.members = [item for item in self.members if item.body]
