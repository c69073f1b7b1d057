"""The file format of a compiled store: a zip file of JSON documents.

Equal contents give equal bytes; single documents are read without reading the others.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.errors import NotEvaluatedError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
"""Changes when a store that was compiled earlier can no longer be read."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
INDEX = "index.json"


class Pack:
    """One compiled file, opened lazily."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            self.index: dict[str, Any] = self.read(INDEX)
        except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise NotEvaluatedError(
                "schemas.unreadable-store",
                f"the compiled schemas cannot be read: {error}",
                where=path.name,
                fix="delete the file and run `groundplan schemas fetch`",
            ) from error

    def read(self, name: str) -> Any:
        """Return one document."""
        return json.loads(self._zip.read(name))

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


def write(path: Path, documents: Mapping[str, Any]) -> None:
    """Write a pack beside its place and move it there whole.

    A reader, or another process that writes the same pack, never sees half of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w") as target:
            for name in sorted(documents):
                info = zipfile.ZipInfo(name, _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                target.writestr(info, canonical(documents[name]), compresslevel=9)
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
