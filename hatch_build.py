"""The build hook that puts the compiled schemas into the wheel.

Schemas are read from a mirror folder ($GROUNDPLAN_UPSTREAM), from Go modules and from releases, and
only taken as the lock file has them. A component that no source has is left out and named; the
build goes on.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SchemasHook(BuildHookInterface[Any]):
    """Compile the schemas and add them as `groundplan/_schemas`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before a wheel is packed; an editable install uses the user's cache instead."""
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="groundplan-schemas-")
        for name in self._compile(Path(self._folder.name)):
            source = str(Path(self._folder.name, name))
            build_data["force_include"][source] = f"groundplan/_schemas/{name}"

    def finalize(self, version: str, *_: Any) -> None:
        """Remove what was compiled."""
        if version != "editable":
            self._folder.cleanup()

    def _compile(self, target: Path) -> list[str]:
        sys.path.insert(0, str(Path(self.root, "generator")))
        from groundplan.schemas import lock
        from groundplan.schemas.fetch import fetch
        from groundplan.schemas.mirror import Mirror
        from groundplan.schemas.sources import Sources
        from groundplan.schemas.stores import mirror_folder

        folder = mirror_folder()
        offline = os.environ.get("GROUNDPLAN_OFFLINE") == "1"
        sources = Sources(Mirror(folder) if folder else None, network=not offline)
        for left in fetch(target, sources, tuple(lock.load().kubernetes), bundle=True):
            self.app.display_warning(f"not in the wheel: {left.component}: {left.reason}")
        return sorted(path.name for path in target.iterdir())
