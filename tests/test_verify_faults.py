"""What `verify` says when what it stands on breaks, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest

from groundplan.errors import ToolError
from groundplan.runners.apiserver import ApiServer, running
from groundplan.runners.client import apply
from groundplan.verify import verify
from tests import control_planes
from tests.test_verify import children

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

WORK = """apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
"""


@contextlib.contextmanager
def with_deaf_webhook() -> Iterator[ApiServer]:
    """A control plane that asks somebody who takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        hook = {
            "name": "deaf.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 1,
            "failurePolicy": "Fail",
            "clientConfig": {"url": f"https://127.0.0.1:{deaf.getsockname()[1]}/"},
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["configmaps"],
                }
            ],
        }
        body = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "deaf"},
            "webhooks": [hook],
        }
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/deaf"
        with running(control_planes.binaries()) as server:
            assert server.client.send(apply(path, body, dry_run=False)).ok
            yield server


def test_a_webhook_that_times_out_is_a_refusal_with_its_name():
    report = verify(control_planes.repository(work=WORK), with_deaf_webhook).report
    (finding,) = report.findings
    assert (finding.check_id, str(finding.resource)) == ("API001", "ConfigMap default/settings")
    assert 'failed calling webhook "deaf.example.com"' in finding.message


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["/bin/mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system, where that is allowed")
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up_is_named(small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))

    def fill(text: str) -> None:
        if "1 of 1" in text:
            with contextlib.suppress(OSError), (small_disk / "full").open("wb") as out:
                while True:
                    out.write(b"0" * 2**20)

    crds = "---\n".join(definition(number) for number in range(60))
    with pytest.raises(ToolError) as caught:
        verify(
            control_planes.repository(work=crds),
            lambda: running(control_planes.binaries()),
            progress=fill,
        )
    assert caught.value.id == "apiserver.no-space"
    assert children(os.getpid()) == []
    assert not list(small_disk.glob("groundplan-*"))


def definition(number: int) -> str:
    """A namespace that takes some room."""
    return f"""apiVersion: v1
kind: Namespace
metadata:
  name: room-{number}
  annotations: {{example.com/room: {"x" * 100_000}}}
"""
