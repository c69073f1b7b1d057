"""Argo CD as processes beside a cluster, which it takes for its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.errors import ToolError
from groundplan.process import Command, Server, serving
from groundplan.runners import kubeconfig
from groundplan.runners.apiserver import ADMINISTRATOR, ApiServer, unused_port
from groundplan.runners.client import Client, Request, apply
from groundplan.runners.definitions import define

if TYPE_CHECKING:
    from pathlib import Path

    from groundplan.gitops.model import Cluster
    from groundplan.schemas import SchemaStore

NAMESPACE = "argocd"
KINDS = ("Application", "ApplicationSet", "AppProject")
GROUP = "argoproj.io"
APPLICATIONS = f"/apis/{GROUP}/v1alpha1/namespaces/{NAMESPACE}/applications"

_VALUES = "components/argo-cd/values.yaml"
_PART = {"app.kubernetes.io/part-of": "argocd"}
_RESYNC = "60"
"""Seconds between two looks, at each of which the API server is asked about every object."""
_CONTROLLER = "argocd-application-controller"


@dataclass(frozen=True, slots=True)
class Programs:
    """What Argo CD consists of, and what it calls."""

    argocd: Path
    redis_server: Path
    helm: Path
    kustomize: Path


@dataclass(frozen=True, slots=True)
class Application:
    """What Argo CD says about one Application."""

    name: str
    sync: str
    health: str
    revision: str
    message: str
    """Why the last operation failed; empty when it did not."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Application:
        """Read the object's status."""
        status = body.get("status") or {}
        sync, operation = status.get("sync") or {}, status.get("operationState") or {}
        conditions = [str(c.get("message", "")) for c in status.get("conditions") or ()]
        failed = operation.get("phase") not in {None, "Succeeded"}
        said = [str(operation.get("message", ""))] if failed else []
        return cls(
            body["metadata"]["name"],
            sync.get("status", "Unknown"),
            (status.get("health") or {}).get("status", "Unknown"),
            str(sync.get("revision") or (sync.get("revisions") or [""])[-1]),
            " ".join(" ".join([*said, *conditions]).split()),
        )


@contextlib.contextmanager
def running(
    programs: Programs, server: ApiServer, files: Mapping[str, bytes]
) -> Iterator[tuple[Server, ...]]:
    """Run Argo CD beside a cluster inside the block.

    Its namespace, its kinds and its settings must be there: see `install`.

    Args:
        programs: What to run.
        server: The cluster.
        files: The repository's, which say how Argo CD is to work.

    Raises:
        ToolError: `engine.ended` when a part of it ends before the block does.
    """
    home = server.home / "argocd"
    for folder in ("bin", "scratch", "ssh", "tls"):
        (home / folder).mkdir(parents=True)
    for name, path in (("helm", programs.helm), ("kustomize", programs.kustomize)):
        (home / "bin" / name).symlink_to(path)
    access = kubeconfig.write(home / "kubeconfig", server.endpoints[ADMINISTRATOR])
    env = {
        "PATH": f"{home}/bin:{os.environ.get('PATH', '')}",
        "HOME": str(home),
        "TMPDIR": f"{home}/scratch",
        "KUBECONFIG": str(access),
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_SSH_DATA_PATH": f"{home}/ssh",
        "ARGOCD_TLS_DATA_PATH": f"{home}/tls",
    }
    redis, repo = (f"127.0.0.1:{unused_port()}" for _ in range(2))
    parts = {
        "redis": (
            *(str(programs.redis_server), "--port", redis.rpartition(":")[2]),
            *("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(home)),
        ),
        "argocd-repo-server": (
            *("--address", "127.0.0.1", "--port", repo.rpartition(":")[2], "--redis", redis),
            *("--metrics-address", "127.0.0.1", "--metrics-port", str(unused_port())),
        ),
        _CONTROLLER: (
            *("--namespace", NAMESPACE, "--repo-server", repo, "--redis", redis),
            *("--metrics-port", str(unused_port())),
            *("--app-resync", _RESYNC, "--app-resync-jitter", "0"),
            *(("--server-side-diff-enabled",) if _compares_on_server(files) else ()),
        ),
        "argocd-applicationset-controller": (
            *("--namespace", NAMESPACE, "--argocd-repo-server", repo),
            *("--metrics-addr", f"127.0.0.1:{unused_port()}"),
            *("--probe-addr", f"127.0.0.1:{unused_port()}"),
            *("--webhook-addr", f"127.0.0.1:{unused_port()}"),
        ),
    }
    with contextlib.ExitStack() as stack:
        started = []
        for name, words in parts.items():
            argv = words if name == "redis" else (str(programs.argocd), *words)
            command = Command(argv, cwd=home, env={**env, "ARGOCD_BINARY_NAME": name})
            started.append(stack.enter_context(serving(command, home / f"{name}.log", grace=0)))
        yield tuple(started)
        ensure_alive(started)


def ensure_alive(parts: Iterator[Server] | tuple[Server, ...] | list[Server]) -> None:
    """Make sure that every part runs.

    Raises:
        ToolError: `engine.ended`.
    """
    for part in parts:
        if not part.alive:
            raise ToolError(
                "engine.ended",
                f"{part.log.stem} ended while it was needed; it said last: {part.tail(5)[-1500:]}",
                fix="try again",
            )


def install(
    server: ApiServer, cluster: Cluster, schemas: SchemaStore, files: Mapping[str, bytes]
) -> None:
    """Bring what Argo CD's own chart would, then what the repository is started with.

    Raises:
        ToolError: `argocd.definitions` where its kinds are not stored, `argocd.install` with what
            the API server refuses.
    """
    client = server.client
    crds = [schemas.crd_for(GROUP, kind) for kind in KINDS]
    if missing := [crd.reason for crd in crds if not isinstance(crd, Mapping)]:
        raise ToolError("argocd.definitions", f"Argo CD's kinds are not stored: {missing[0]}")
    define(client, [crd for crd in crds if isinstance(crd, Mapping)])
    for path, body in _own_objects(files):
        _send(client, apply(path, body, dry_run=False))
    root = next(unit for unit in cluster.units if unit.paths)
    order = {"AppProject": 0, "ApplicationSet": 1, "Application": 2}
    resources = [r for r in root.resources if r.id.kind in order and r.id.group == GROUP]
    for resource in sorted(resources, key=lambda r: order[r.id.kind]):
        plural = f"{resource.id.kind.lower()}s"
        path = f"/apis/{GROUP}/v1alpha1/namespaces/{NAMESPACE}/{plural}/{resource.id.name}"
        _send(client, apply(path, resource.body, dry_run=False))


def _own_objects(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the chart would bring: the namespace, settings, and the controller's account."""
    core, rbac = "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    labels = {
        "groundplan.dev/owner": "platform",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    metadata = {"name": NAMESPACE, "labels": labels}
    yield f"{core}/{NAMESPACE}", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    for name, data in (("argocd-cm", _settings(files)), ("argocd-rbac-cm", {})):
        yield (
            f"{core}/{NAMESPACE}/configmaps/{name}",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "labels": _PART},
                "data": data,
            },
        )
    yield (
        f"{core}/{NAMESPACE}/secrets/argocd-secret",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "argocd-secret", "labels": _PART},
            "stringData": {"server.secretkey": os.urandom(24).hex()},
        },
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _CONTROLLER}}
    yield f"{core}/{NAMESPACE}/serviceaccounts/{_CONTROLLER}", account
    api = "rbac.authorization.k8s.io"
    role = {"apiGroup": api, "kind": "ClusterRole", "name": _CONTROLLER}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    rules.append({"nonResourceURLs": ["*"], "verbs": ["*"]})
    yield (
        f"/apis/{api}/v1/clusterroles/{_CONTROLLER}",
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": _CONTROLLER},
            "rules": rules,
        },
    )
    subject = {"kind": "ServiceAccount", "name": _CONTROLLER, "namespace": NAMESPACE}
    yield (
        f"{rbac}/{_CONTROLLER}",
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _CONTROLLER},
            "roleRef": role,
            "subjects": [subject],
        },
    )


def _settings(files: Mapping[str, bytes]) -> dict[str, str]:
    """The settings that the repository gives Argo CD, as its chart would write them."""
    given = _configs(files).get("cm") or {}
    plain = {key: value for key, value in given.items() if not isinstance(value, Mapping)}
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in plain.items()
    }


def _compares_on_server(files: Mapping[str, bytes]) -> bool:
    """Whether what the API server fills in by itself counts as no difference."""
    return bool((_configs(files).get("params") or {}).get("controller.diff.server.side"))


def _configs(files: Mapping[str, bytes]) -> Mapping[str, Any]:
    """What the repository sets in Argo CD's chart."""
    values = documents.load(files[_VALUES].decode()) if _VALUES in files else {}
    configs: Mapping[str, Any] = values.get("configs") or {}
    return configs


def applications(client: Client) -> tuple[Application, ...]:
    """What Argo CD says at this moment."""
    return tuple(Application.of(body) for body in client.get(APPLICATIONS).body["items"])


def refresh(client: Client, name: str) -> None:
    """Have Argo CD look at the repository now."""
    patch = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}
    merge = "application/merge-patch+json"
    client.send(Request("PATCH", f"{APPLICATIONS}/{name}", patch, merge))


def _send(client: Client, request: Request) -> None:
    answer = client.send(request)
    if not answer.ok:
        raise ToolError("argocd.install", f"{request.path}: {answer.message}")
