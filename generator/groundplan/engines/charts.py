"""A chart repository on this machine, of charts that only carry their component's definitions.

It stands in where no registry answers. What it holds is real (CRDs, their order, their health);
what it leaves out is said: the workloads of the charts.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading
from typing import TYPE_CHECKING, Any

from groundplan.gitops.scene import is_mirror
from groundplan.schemas import lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from groundplan.gitops.model import Release
    from groundplan.schemas import SchemaStore

_DIGEST = "sha256"


def definitions(component: str, schemas: SchemaStore) -> tuple[Mapping[str, Any], ...]:
    """The CRDs of a component, as far as they are stored."""
    known = lock.load().components.get(component)
    found = []
    for kind in known.kinds if known else ():
        manifest = schemas.crd_for(*kind.rsplit("/", 1))
        if not hasattr(manifest, "reason"):
            found.append(manifest)
    return tuple(found)


def source_definitions(repository: str, schemas: SchemaStore) -> tuple[Mapping[str, Any], ...]:
    """The CRDs that lie in a folder of another repository, as far as they are stored."""
    known = (c for c in lock.load().components.values() if c.git is not None)
    name = next((c.name for c in known if c.git and is_mirror(repository, c.git.repository)), "")
    return definitions(name, schemas)


def component_of(release: Release) -> str:
    """Whose definitions a chart brings; empty when nobody knows."""
    return next((c.component for c in lock.load().charts if c.name == release.chart), "")


def write(
    folder: Path,
    releases: Iterable[Release],
    schemas: SchemaStore,
    address: str,
    elsewhere: Iterable[Mapping[str, Any]],
) -> None:
    """Write a chart of each release and their index; a definition is in one of them only.

    What comes from elsewhere is in none: two units that have an object would take it from each
    other for ever.
    """
    entries: dict[str, list[dict[str, Any]]] = {}
    given = {crd["metadata"]["name"] for crd in elsewhere}
    for release in releases:
        if release.chart in entries:
            continue
        found = definitions(component_of(release), schemas)
        own = [crd for crd in found if crd["metadata"]["name"] not in given]
        given |= {crd["metadata"]["name"] for crd in own}
        version = release.version.removeprefix("v")
        about = {"apiVersion": "v2", "name": release.chart, "version": release.version or version}
        archive = _archive(about, own)
        name = f"{release.chart}-{release.version}.tgz"
        (folder / name).write_bytes(archive)
        digest = hashlib.new(_DIGEST, archive).hexdigest()
        entries[release.chart] = [{**about, "digest": digest, "urls": [f"{address}/{name}"]}]
    index = {"apiVersion": "v1", "entries": entries}
    (folder / "index.yaml").write_text(json.dumps(index))


def _archive(about: Mapping[str, Any], crds: Iterable[Mapping[str, Any]]) -> bytes:
    """Pack a chart. Its templates are JSON, in which Helm sees no template of its own."""
    files = {"Chart.yaml": json.dumps(about), "values.yaml": "{}\n"}
    for crd in crds:
        files[f"crds/{crd['metadata']['name']}.yaml"] = json.dumps(crd)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as out:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(f"{about['name']}/{path}")
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on the loopback inside the block; the result is its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
