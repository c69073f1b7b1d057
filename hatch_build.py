"""The build hook that puts the compiled schemas and the released templates into the wheel.

Schemas are read from a mirror folder ($GROUNDPLAN_UPSTREAM), from Go modules and from releases, and
only taken as the lock file has them. A component that no source has is left out and named; the
build goes on. Released versions of the template are the tags of the git repository, packed into one
bundle; a source distribution brings that bundle along, and without tags there is none.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "releases.bundle"


class ContentsHook(BuildHookInterface[Any]):
    """Compile the schemas, pack the releases, and add both."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is packed; an editable install uses the user's cache and the tags."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "generator")))
        self._folder = tempfile.TemporaryDirectory(prefix="groundplan-build-")
        target = Path(self._folder.name)
        if bundle := self._pack(target / BUNDLE):
            source_distribution = self.target_name == "sdist"
            place = BUNDLE if source_distribution else f"groundplan/_template/{BUNDLE}"
            build_data["force_include"][str(bundle)] = place
        if self.target_name == "wheel":
            for name in self._compile(target / "schemas"):
                source = str(target / "schemas" / name)
                build_data["force_include"][source] = f"groundplan/_schemas/{name}"

    def finalize(self, version: str, *_: Any) -> None:
        """Remove what was made."""
        if version != "editable":
            self._folder.cleanup()

    def _pack(self, target: Path) -> Path | None:
        from groundplan.releases import write_bundle

        brought = Path(self.root, BUNDLE)
        if brought.is_file():
            return brought
        if Path(self.root, ".git").exists() and write_bundle(Path(self.root), target):
            return target
        self.app.display_warning("no tagged version: this build cannot update older repositories")
        return None

    def _compile(self, target: Path) -> list[str]:
        target.mkdir()
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
