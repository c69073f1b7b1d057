"""A control plane for several tests, each of which finds it as the first one did.

To start one and to define kinds there takes longer than most of what tests ask of it.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundplan.runners.client import Client, Request
from groundplan.runners.kinds import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from groundplan.runners.apiserver import ApiServer

_OWN = frozenset({"APIService", "ComponentStatus", "CustomResourceDefinition", "Event", "Lease"})
"""What the server renews by itself, and kinds, which may stay defined."""

_JUDGES = "/apis/admissionregistration.k8s.io/"
_MERGE = "application/merge-patch+json"
_SPACES = "/api/v1/namespaces"
_PATIENCE = 30.0

Contents = dict[str, dict[str, Any]]
"""Each object under its path."""


class Kept:
    """Starts a control plane when it is first asked for, and keeps it until `end`."""

    def __init__(self, start: Callable[[], AbstractContextManager[ApiServer]]) -> None:
        self._start = start
        self._running = contextlib.ExitStack()
        self._server: ApiServer | None = None
        self._first: Contents = {}

    @contextlib.contextmanager
    def __call__(self) -> Iterator[ApiServer]:
        """Lend it to one test at a time."""
        if self._server is None:
            self._server = self._running.enter_context(self._start())
            self._first = settled(self._server.client)
        try:
            yield self._server
        finally:
            try:
                restore(self._server.client, self._first)
            except BaseException:
                self.end()
                raise

    def end(self) -> None:
        """End it; whoever asks again has a new one."""
        self._server = None
        self._running.close()


def contents(client: Client) -> Contents:
    """Read every object that somebody may have put there."""
    kinds = {(group, kind): served for (group, _, kind), served in discover(client).served.items()}
    chosen = [served for (_, kind), served in kinds.items() if kind not in _OWN]
    asked = [Request("GET", replace(one, namespaced=False).collection("")) for one in chosen]
    found = {}
    for served, answer in zip(chosen, client.send_all(asked), strict=True):
        for body in answer.body["items"] if answer.ok else ():
            space = served.collection(body["metadata"].get("namespace", ""))
            found[f"{space}/{body['metadata']['name']}"] = body
    return found


def settled(client: Client) -> Contents:
    """Wait until the controllers of an empty server have made what they make at first."""
    found: Contents = {}
    while found.keys() != (there := contents(client)).keys():
        found = there
        time.sleep(1)
    return found


def restore(client: Client, first: Contents) -> None:
    """Take away what was not there at first, and write what was changed as it was.

    Nobody else may be at work on namespaces: they are ended here.

    Raises:
        TimeoutError: Something does not go.
    """
    give_up = time.monotonic() + _PATIENCE
    while True:
        there = contents(client)
        new = there.keys() - first.keys()
        changed = [path for path, body in first.items() if _meant(there.get(path)) != _meant(body)]
        if not new and not changed:
            return
        if time.monotonic() > give_up:
            raise TimeoutError(f"not as it was at first: {sorted(new)[:5]}, {changed[:5]}")
        judges = {path for path in new if path.startswith(_JUDGES)}
        spaces = {path for path in new if path.rpartition("/")[0] == _SPACES}
        for paths in (judges, spaces, new - judges - spaces):
            _send(client, (Request("DELETE", f"{path}?gracePeriodSeconds=0") for path in paths))
        held = {path for path in new if there[path]["metadata"].get("finalizers")}
        free = {"metadata": {"finalizers": None}}
        _send(client, (Request("PATCH", path, free, _MERGE) for path in held))
        nothing = {"spec": {"finalizers": []}}
        _send(client, (Request("PUT", f"{p}/finalize", there[p] | nothing) for p in spaces))
        _send(client, (Request("PUT", path, _meant(first[path])) for path in changed))


def _send(client: Client, requests: Iterator[Request]) -> None:
    for _ in client.send_all(requests):
        pass


def _meant(body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What somebody said of an object, without what its server and controllers say."""
    if body is None:
        return None
    own = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp")
    metadata = {key: value for key, value in body["metadata"].items() if key not in own}
    return {key: value for key, value in body.items() if key != "status"} | {"metadata": metadata}
