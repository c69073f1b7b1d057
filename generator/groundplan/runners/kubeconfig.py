"""Files that tell other programs where an API server is and who they are."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from groundplan import documents
from groundplan.errors import ToolError
from groundplan.runners.client import Endpoint

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = frozenset({"127.0.0.1", "localhost"})


def write(path: Path, endpoint: Endpoint) -> Path:
    """Write a kubeconfig that only its owner may read; it is JSON, which is YAML too."""
    cluster = {
        "server": f"https://127.0.0.1:{endpoint.port}",
        "certificate-authority": str(endpoint.certificate),
    }
    user = {"token": endpoint.token}
    if endpoint.client_certificate is not None:
        certificate = str(endpoint.client_certificate)
        user = {"client-certificate": certificate, "client-key": certificate}
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "groundplan", "cluster": cluster}],
        "users": [{"name": "groundplan", "user": user}],
        "contexts": [
            {"name": "groundplan", "context": {"cluster": "groundplan", "user": "groundplan"}}
        ],
        "current-context": "groundplan",
    }
    path.touch(0o600)
    path.write_text(json.dumps(body))
    return path


def read(path: Path, home: Path) -> Endpoint:
    """Read a kubeconfig with certificates in it, which are written to a folder for the client.

    Raises:
        ToolError: `kubeconfig.remote` when the server is not on this machine.
    """
    body = documents.load(path.read_text("utf-8"))
    cluster, user = body["clusters"][0]["cluster"], body["users"][0]["user"]
    server = urlsplit(cluster["server"])
    if server.hostname not in LOOPBACK or server.port is None:
        raise ToolError(
            "kubeconfig.remote",
            f"the API server at {cluster['server']} is not on this machine",
            fix="use a Docker engine on this machine",
        )
    trusted, own = home / "server.crt", home / "client.pem"
    trusted.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    own.touch(0o600)
    parts = (user["client-certificate-data"], user["client-key-data"])
    own.write_bytes(b"".join(base64.b64decode(part) for part in parts))
    return Endpoint(server.port, trusted, client_certificate=own)
