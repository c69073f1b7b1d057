"""What there is on a cluster that runs, read with kubectl and never changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from groundplan.errors import ToolError
from groundplan.posture.drift.live import FORBIDDEN, Live, resource
from groundplan.process import Command, Completed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundplan.posture.drift.live import Kind
    from groundplan.resources import Resource

_TIMEOUT = 60.0
_TOO_MANY = "there are too many to read"
_FIX = "install kubectl, and see that `kubectl get namespaces` works with this context"


def read(kinds: Iterable[Kind], context: str = "") -> Live:
    """Read all objects of some kinds, as `live.Reader` says.

    Raises:
        ToolError: `tool.missing`, `tool.timeout`, or `cluster.unreadable` when it does not answer.
    """
    served = _served(context)
    wanted = [kind for kind in dict.fromkeys(kinds) if served is None or kind[::2] in served]
    together = _get(wanted, context) if wanted else []
    if not isinstance(together, str):
        return Live(tuple(together), {})
    found: list[Resource] = []
    unread: dict[Kind, str] = {}
    for kind in wanted:
        answer = _one(kind, context)
        if isinstance(answer, str):
            unread[kind] = answer
        else:
            found += answer
    return Live(tuple(found), unread)


def _served(context: str) -> set[tuple[str, str]] | None:
    """The groups and kinds that the cluster knows; None when a part of it does not answer."""
    done = _kubectl(context, "api-resources", "--verbs=list", "--no-headers")
    if done.code != 0:
        return None
    rows = (line.split() for line in done.text.splitlines())
    return {(row[-3].rpartition("/")[0], row[-1]) for row in rows}


def _one(kind: Kind, context: str) -> list[Resource] | str:
    """The objects of a kind in whatever version there is, or why they cannot be read."""
    group, version, name = kind
    answer = _get([kind], context)
    if not isinstance(answer, str) or answer in {FORBIDDEN, _TOO_MANY}:
        return answer
    if "doesn't have a resource type" in answer or "no matches for kind" in answer:
        return _one((group, "", name), context) if version and group else []
    raise ToolError("cluster.unreadable", answer[-500:], where=context or "kubectl", fix=_FIX)


def _get(kinds: Iterable[Kind], context: str) -> list[Resource] | str:
    """The objects of these kinds, or why one of them cannot be read."""
    names = (
        f"{name}.{version}.{group}" if version else f"{name}.{group}"
        for group, version, name in kinds
    )
    try:
        done = _kubectl(context, "get", ",".join(names), "--all-namespaces", "--output=json")
    except ToolError as error:
        if error.id == "tool.output":
            return _TOO_MANY
        raise
    if done.code == 0:
        return [resource(body) for body in json.loads(done.text)["items"]]
    said = done.stderr.decode("utf-8", "replace").strip()
    return FORBIDDEN if "(Forbidden)" in said else said


def _kubectl(context: str, *words: str) -> Completed:
    which = (f"--context={context}",) if context else ()
    argv = ("kubectl", *which, *words, "--request-timeout=30s")
    return Command(argv, timeout=_TIMEOUT, ok=(0, 1), fix=_FIX).run()
