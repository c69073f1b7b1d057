"""Files that tell other programs where an API server is and who they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.runners.client import Endpoint


def write(path: Path, endpoint: Endpoint) -> Path:
    """Write a kubeconfig that only its owner may read; it is JSON, which is YAML too."""
    cluster = {
        "server": f"https://127.0.0.1:{endpoint.port}",
        "certificate-authority": str(endpoint.certificate),
    }
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "groundplan", "cluster": cluster}],
        "users": [{"name": "groundplan", "user": {"token": endpoint.token}}],
        "contexts": [
            {"name": "groundplan", "context": {"cluster": "groundplan", "user": "groundplan"}}
        ],
        "current-context": "groundplan",
    }
    path.touch(0o600)
    path.write_text(json.dumps(body))
    return path
