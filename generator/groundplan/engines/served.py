"""A repository served as Git on this machine, with everything that it takes from elsewhere."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.engines import charts
from groundplan.git import git
from groundplan.process import Command, Server, serving
from groundplan.runners.apiserver import unused_port
from groundplan.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from groundplan.gitops.model import Cluster, Elsewhere, Release, Unit
    from groundplan.repository import Repository
    from groundplan.schemas import SchemaStore

_AUTHOR = ("-c", "user.name=groundplan", "-c", "user.email=groundplan@localhost")
_OWN = "platform.git"
BRANCH = "main"


@dataclass(frozen=True)
class Served:
    """Where a repository is to be had, under addresses of this machine."""

    tree: Tree
    """The repository with those addresses in it."""
    work: Path
    """A checkout, whose `main` is what the engine sees."""
    addresses: Mapping[str, str]
    """What was replaced by what."""
    defined: frozenset[tuple[str, str]] | None
    """Groups and kinds whose definitions the charts and sources here carry; None for the real."""
    not_served: tuple[str, ...]
    """Addresses that nothing is known about."""
    daemon: Server

    def commit(self, files: Mapping[str, bytes | None], message: str) -> None:
        """Change files (None removes one) and let the engine see it."""
        for path, content in files.items():
            target = self.work / path
            if content is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        git(self.work, "add", "--all", "--force")
        git(self.work, *_AUTHOR, "commit", "--quiet", "--allow-empty", "--message", message)

    def follow(self, before: Tree, after: Tree) -> bool:
        """Let the engine see what changed in the repository; False when nothing did."""
        old, new = (readdressed(tree, self.addresses).files for tree in (before, after))
        changed = {path: new.get(path) for path in {*old, *new} if old.get(path) != new.get(path)}
        if changed:
            self.commit(changed, "Follow the repository")
        return bool(changed)


@contextlib.contextmanager
def serve(
    repository: Repository, cluster: Cluster, home: Path, *, registry: bool = False
) -> Iterator[Served]:
    """Serve a repository for one of its clusters inside the block.

    The repository's own address is replaced by one of this machine, nothing else. Where no
    registry answers, so are those of the Git sources whose objects are stored, and of charts.
    """
    sources, chart_folder = home / "git", home / "charts"
    sources.mkdir()
    chart_folder.mkdir()
    replaced = () if registry else cluster.units
    releases = [release for unit in replaced for release in unit.releases]
    elsewhere = _elsewhere(replaced)
    besides = _brought_besides(replaced, elsewhere, repository.schemas)
    with charts.serving(chart_folder) as chart_address:
        charts.write(chart_folder, releases, repository.schemas, chart_address, besides)
        port = unused_port()
        base = f"git://127.0.0.1:{port}"
        addresses = {r.repository.removeprefix("oci://"): chart_address for r in releases}
        not_served = []
        for number, source in enumerate(elsewhere):
            if _write_source(repository, source, sources / f"source-{number}.git"):
                address = source.repository.removeprefix("oci://")
                addresses[address] = f"{base}/source-{number}.git"
            else:
                not_served.append(source.repository)
        own = str((repository.answers or {}).get("repository", ""))
        if own:
            addresses[own] = f"{base}/{_OWN}"
        tree = readdressed(repository.tree, addresses)
        work = sources / _OWN
        _check_in(tree, work)
        argv = (
            *("git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"),
            *(f"--port={port}", f"--base-path={sources}", str(sources)),
        )
        with serving(Command(argv), home / "git-daemon.log", grace=0) as daemon:
            defined = None if registry else _defined(releases, besides, repository.schemas)
            yield Served(tree, work, addresses, defined, tuple(not_served), daemon)


def _elsewhere(units: tuple[Unit, ...]) -> list[Elsewhere]:
    found = [problem.elsewhere for unit in units for problem in unit.problems]
    return list(dict.fromkeys(one for one in found if one is not None))


def _brought_besides(
    units: Iterable[Unit], elsewhere: Iterable[Elsewhere], schemas: SchemaStore
) -> list[Mapping[str, Any]]:
    """The definitions that units have themselves or take from other repositories."""
    own = [r.body for u in units for r in u.resources if r.id.kind == "CustomResourceDefinition"]
    taken = (charts.source_definitions(source.repository, schemas) for source in elsewhere)
    return [*own, *(crd for crds in taken for crd in crds)]


def _defined(
    releases: Iterable[Release], besides: Iterable[Mapping[str, Any]], schemas: SchemaStore
) -> frozenset[tuple[str, str]]:
    """The kinds that what stands in for charts brings, and that come from elsewhere."""
    brought = (charts.definitions(charts.component_of(release), schemas) for release in releases)
    crds = [*besides, *(crd for crds in brought for crd in crds)]
    return frozenset((crd["spec"]["group"], crd["spec"]["names"]["kind"]) for crd in crds)


def _write_source(repository: Repository, source: Elsewhere, folder: Path) -> bool:
    """Make a repository that has at a tag what is stored of a component; False if nothing is."""
    crds = charts.source_definitions(source.repository, repository.schemas)
    if not crds:
        return False
    files = {
        f"{source.path}/{crd['metadata']['name']}.yaml": json.dumps(crd).encode() for crd in crds
    }
    resources = sorted(path.rpartition("/")[2] for path in files)
    build = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    }
    files[f"{source.path}/kustomization.yaml"] = json.dumps(build).encode()
    _check_in(Tree.of(files), folder)
    git(folder, "tag", source.revision)
    return True


def readdressed(tree: Tree, addresses: Mapping[str, str]) -> Tree:
    """Replace addresses where they stand alone; one may be the beginning of an image's name."""
    known = {theirs.encode(): ours.encode() for theirs, ours in addresses.items()}
    if not known:
        return tree
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile(
        rb"(?:oci://|(?<![\w./:-]))(" + b"|".join(map(re.escape, longest_first)) + rb")(?![\w./:-])"
    )

    def changed(content: bytes) -> bytes:
        return pattern.sub(lambda found: known[found[1]], content)

    return Tree.of({path: changed(content) for path, content in tree.files.items()})


def _check_in(tree: Tree, folder: Path) -> None:
    """Make a Git repository of a tree, with one commit on `main`."""
    for path, content in tree.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    git(folder, "init", "--quiet", f"--initial-branch={BRANCH}")
    git(folder, "add", "--all", "--force")
    git(folder, *_AUTHOR, "commit", "--quiet", "--message", "Start")
