"""CustomResourceDefinitions on a running cluster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from groundplan.errors import ToolError
from groundplan.runners.client import Client, apply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
_PATIENCE = 60.0


def define(client: Client, manifests: Iterable[Mapping[str, Any]]) -> None:
    """Install definitions, without conversion webhooks that nobody would answer, and wait.

    Raises:
        ToolError: `definitions.refused` or `definitions.unsettled`.
    """
    chosen = list(manifests)
    for manifest in chosen:
        plain = {**manifest, "spec": {**manifest["spec"], "conversion": {"strategy": "None"}}}
        answer = client.send(apply(PATH + manifest["metadata"]["name"], plain, dry_run=False))
        if not answer.ok:
            raise ToolError("definitions.refused", answer.message)
    established(client, chosen)


def established(client: Client, manifests: Iterable[Mapping[str, Any]]) -> None:
    """Wait until definitions that were installed are served.

    Raises:
        ToolError: `definitions.unsettled`.
    """
    give_up = time.monotonic() + _PATIENCE
    for manifest in manifests:
        name = manifest["metadata"]["name"]
        while not _serves(client, name):
            if time.monotonic() > give_up:
                raise ToolError("definitions.unsettled", f"{name} is not served")
            time.sleep(0.05)


def _serves(client: Client, name: str) -> bool:
    status = client.get(PATH + name).body.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return conditions.get("Established") == "True"
