"""`groundplan update` and `status` of a large edited repository beside plain `copier update`."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan import copier_adapter
from tests import releases
from tests.bench.measure import Row, Run, pairs, run
from tests.rendering import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACES = 14
"""Of teams; with the components of the largest tier they make about 300 files."""


def large() -> dict[str, Any]:
    """Answers for about 300 files."""
    teams = [
        {"name": f"team-{n}", "namespaces": [f"team-{n}"], "contact": f"@acme/team-{n}"}
        for n in range(NAMESPACES)
    ]
    return {"tier": "enterprise", "practices": READY, "teams": teams}


def rows() -> Iterator[Row]:
    """Two rows: the update with all that it looks at, and the status."""
    bin_ = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        os.environ["GROUNDPLAN_RELEASES"] = str(releases.bundle())
        from groundplan.releases import locate

        platform = scratch / "platform"
        copier_adapter.render(locate().template("v1.0.0"), large(), platform)
        releases.git(platform, "init", "--quiet", "--initial-branch=main")
        _commit(platform)
        files = len(releases.git(platform, "ls-files").splitlines())
        for namespace in list(platform.glob("components/*/namespace.yaml"))[:5]:
            text = namespace.read_text("utf-8")
            namespace.write_text(text.replace("labels:\n", "labels:\n    ours: edited\n"), "utf-8")
        _commit(platform)
        upstream = copier_adapter.redirect(releases.repository())
        theirs = {**os.environ, **upstream, "COPIER_CACHE_DIR": str(scratch / "copier")}

        def ours():
            releases.git(platform, "reset", "--quiet", "--hard")
            releases.git(platform, "clean", "-qfd")
            words = ["update", "--path", platform, "--to", "v1.1.0"]
            return _processor(run([bin_ / "groundplan", *words], env=own))

        def peer():
            releases.git(platform, "reset", "--quiet", "--hard")
            releases.git(platform, "clean", "-qfd")
            words = ["update", platform, "--defaults", "--quiet", "--vcs-ref", "v1.1.0"]
            return _processor(run([bin_ / "copier", *words], env=theirs))

        def status():
            return _processor(run([bin_ / "groundplan", "status", "--path", platform], env=own))

        # What others run at the same time must not throw out what is compiled.
        own = {**os.environ, "XDG_CACHE_HOME": str(scratch / "cache")}
        status()
        mine, other, ratio = pairs(ours, peer)
        yield Row(
            f"`update` of {files} files: merge, check, compare postures, CPU",
            f"{mine:.2f} s",
            f"copier update {other:.2f} s",
            f"{ratio:.2f}",
            "≤ 0.2",
        )
        releases.git(platform, "reset", "--quiet", "--hard")
        releases.git(platform, "clean", "-qfd")
        seconds, other, ratio = pairs(status, peer, count=3)
        yield Row(
            f"`status` of {files} files, CPU",
            f"{seconds:.2f} s",
            f"copier update {other:.2f} s",
            f"{ratio:.2f}",
            "< 0.3 s",
        )


def _processor(done: Run) -> Run:
    """The same, timed by the processor, which others may use as well."""
    return replace(done, seconds=done.cpu)


def _commit(platform: Path) -> None:
    releases.git(platform, "add", "--all", "--force")
    releases.git(platform, "commit", "--quiet", "-m", "state")
