"""What controllers would do, done where there are none, as far as the API server judges by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.runners.client import Request, apply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.runners.client import Client

_MERGE = "application/merge-patch+json"
_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


def furnish(client: Client, namespace: str) -> None:
    """Give a new namespace its service account; pods need it."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    client.send(apply(path, account, dry_run=False))


def open_quota(client: Client, path: str, quota: Mapping[str, Any]) -> None:
    """Say that nothing is used yet; a quota without a status refuses everything."""
    hard = quota["spec"].get("hard", {})
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    client.send(Request("PATCH", f"{path}/status", {"status": status}, _MERGE))


def aggregate(client: Client) -> None:
    """Fill the cluster roles that are the sum of others, such as `view`, `edit` and `admin`."""
    roles = {role["metadata"]["name"]: role for role in client.get(_ROLES).body["items"]}
    changed = True
    while changed:
        changed = False
        for name, role in roles.items():
            selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
            rules = _sum(selectors, (r for n, r in roles.items() if n != name))
            if selectors and rules != role.get("rules"):
                role["rules"] = rules
                client.send(Request("PATCH", f"{_ROLES}/{name}", {"rules": rules}, _MERGE))
                changed = True


def _sum(selectors: Any, roles: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Add up the rules of the roles that one of the selectors finds by their labels."""
    rules: list[Any] = []
    for role in roles:
        labels = (role["metadata"].get("labels") or {}).items()
        if any((s.get("matchLabels") or {}).items() <= labels for s in selectors or ()):
            rules += [rule for rule in role.get("rules") or () if rule not in rules]
    return rules
