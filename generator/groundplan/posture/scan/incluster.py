"""The API server of the cluster that this process runs in, as its service account sees it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from groundplan.errors import ToolError, UsageError
from groundplan.posture.drift.live import FORBIDDEN, Live, resource
from groundplan.runners.client import Client, Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from groundplan.posture.drift.live import Kind
    from groundplan.resources import Resource
    from groundplan.runners.kinds import Kinds, Served

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the token of its service account."""
_PAGE = 500
"""Objects asked for at once, so that no answer grows with the cluster."""


def connected(account: Path = ACCOUNT) -> Client:
    """Speak to the API server that the environment of every pod names.

    Raises:
        UsageError: `posture.not-in-a-cluster` when this is no pod with a token.
    """
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    token, certificate = account / "token", account / "ca.crt"
    if not (host and port.isdigit() and token.is_file() and certificate.is_file()):
        raise UsageError(
            "posture.not-in-a-cluster",
            "is no pod of a cluster with a token of its service account",
            where=str(account),
            fix="use `groundplan posture drift --live` from elsewhere",
        )
    said = token.read_text("ascii").strip()
    endpoint = Endpoint(int(port), certificate, said, host=host)
    return Client(endpoint, ensure_alive=lambda: None)


def read(kinds: Iterable[Kind], client: Client, known: Kinds) -> Live:
    """Read all objects of some kinds, as `live.Reader` says, a page at a time.

    Raises:
        ToolError: `cluster.unreadable` when the answer is neither the objects nor a refusal.
    """
    found: list[Resource] = []
    unread: dict[Kind, str] = {}
    for kind in dict.fromkeys(kinds):
        served = _served(known, kind)
        if served is None:
            continue
        answer = _all(client, served, (served.group, served.version, kind[2]))
        if answer is None:
            unread[kind] = FORBIDDEN
        else:
            found += answer
    return Live(tuple(found), unread)


def _served(known: Kinds, kind: Kind) -> Served | None:
    """A kind in the version that is asked for, else in another."""
    group, version, name = kind
    versions = known.versions(group, name)
    best = version if version in versions else next(iter(versions), "")
    return known.served.get((group, best, name))


def _all(client: Client, served: Served, kind: Kind) -> list[Resource] | None:
    """The objects of a kind in every namespace; None when that is forbidden."""
    group, version, name = kind
    said = {"apiVersion": f"{group}/{version}" if group else version, "kind": name}
    path = replace(served, namespaced=False).collection("")
    found: list[Resource] = []
    more = ""
    while True:
        page = f"{path}?limit={_PAGE}" + (f"&continue={quote(more, '')}" if more else "")
        answer = client.get(page)
        if answer.status == 403:
            return None
        if not answer.ok:
            raise ToolError(
                "cluster.unreadable", answer.message, where=path, fix="run the scan again"
            )
        # The objects of a list do not say what they are.
        found += [resource({**item, **said}) for item in answer.body["items"]]
        more = _next(answer.body)
        if not more:
            return found


def _next(body: Any) -> str:
    return str(body.get("metadata", {}).get("continue") or "")
