"""What there is on a cluster that runs, read with kubectl and never changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.posture.drift.live import FORBIDDEN, Live, resource
from groundplan.process import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundplan.posture.drift.live import Kind
    from groundplan.resources import Resource

_TIMEOUT = 60.0
_FIX = "install kubectl, and see that `kubectl get namespaces` works with this context"


def read(kinds: Iterable[Kind], context: str = "") -> Live:
    """Read all objects of some kinds, as `live.Reader` says.

    Raises:
        ToolError: `tool.missing`, `tool.timeout`, or `cluster.unreadable` when it does not answer.
    """
    found: list[Resource] = []
    unread: dict[Kind, str] = {}
    for kind in dict.fromkeys(kinds):
        answer = _get(kind, context)
        if isinstance(answer, str):
            unread[kind] = answer
        else:
            found += answer
    return Live(tuple(found), unread)


def _get(kind: Kind, context: str) -> list[Resource] | str:
    """The objects of a kind, or why they cannot be read."""
    group, version, name = kind
    which = (f"--context={context}",) if context else ()
    versioned = f"{name}.{version}.{group}" if version else f"{name}.{group}"
    argv = ("kubectl", *which, "get", versioned, "--all-namespaces")
    command = Command(
        (*argv, "--output=json", "--request-timeout=30s"), timeout=_TIMEOUT, ok=(0, 1), fix=_FIX
    )
    try:
        done = command.run()
    except ToolError as error:
        if error.id == "tool.output":
            return "there are too many to read"
        raise
    if done.code == 0:
        items = json.loads(done.text)["items"]
        return [resource(body) for body in items]
    said = done.stderr.decode("utf-8", "replace").strip()
    if "(Forbidden)" in said:
        return FORBIDDEN
    if "doesn't have a resource type" in said or "no matches for kind" in said:
        return _get((group, "", name), context) if version and group else []
    raise ToolError("cluster.unreadable", said[-500:], where=context or "kubectl", fix=_FIX)
