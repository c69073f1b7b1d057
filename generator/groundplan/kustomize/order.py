"""The order in which `kustomize build` writes objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.kustomize.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundplan.kustomize.items import Gvk, Item, Items

_FIRST = (
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def _ranks(first: Sequence[str], last: Sequence[str]) -> dict[str, int]:
    ranks = {kind: i - len(first) for i, kind in enumerate(first)}
    return ranks | {kind: i + 1 for i, kind in enumerate(last)}


_RANKS = _ranks(_FIRST, _LAST)


def kind_order(gvk: Gvk, ranks: dict[str, int] = _RANKS) -> tuple[int, str]:
    """Sort key of a kind."""
    named = f"{gvk.group or '~G'}_{gvk.version or '~V'}_{gvk.kind or '~K'}"
    return ranks.get(gvk.kind, 0), named


def sort(items: Items, options: dict[str, Any] | None) -> None:
    """Put objects into the order that `sortOptions` asks for; without it, kustomize's own.

    Raises:
        RefusedError: when the options are not valid.
    """
    order = (options or {}).get("order", "legacy" if options is None else "")
    legacy = (options or {}).get("legacySortOptions")
    if order not in ("fifo", "legacy"):
        raise RefusedError("sortOptions.order must be fifo or legacy")
    if order == "fifo":
        if legacy is not None:
            raise RefusedError("sortOptions.legacySortOptions is set but the order is fifo")
        return
    ranks = _RANKS
    if legacy is not None:
        ranks = _ranks(legacy.get("orderFirst", ()), legacy.get("orderLast", ()))
    items.members.sort(key=lambda item: _key(item, ranks))


def _key(item: Item, ranks: dict[str, int]) -> tuple[tuple[int, str], str]:
    gvk = item.gvk
    named = f"{gvk.kind or '[noKind]'}.{gvk.version or '[noVer]'}.{gvk.group or '[noGrp]'}"
    return kind_order(gvk, ranks), "|".join((named, item.namespace or "~X", item.name or "~N"))
