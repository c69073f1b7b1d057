"""The committed baseline: what was agreed to, one object a line, without files and line numbers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundplan.documents import parse
from groundplan.errors import UsageError
from groundplan.gitops.model import Cluster, Engine, Unit
from groundplan.posture.comparison import Input, Side
from groundplan.posture.exceptions.model import FOLDER
from groundplan.posture.exceptions.reading import read as read_exceptions
from groundplan.posture.exceptions.suppressions import in_file
from groundplan.posture.owners import Codeowners
from groundplan.resources import Origin, Resource, ResourceId
from groundplan.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from groundplan.posture.owners import Owners

PATH = "posture/baseline.json"
SCHEMA = "groundplan.dev/posture-baseline/v1"
_NOWHERE = Origin("")


@dataclass(frozen=True)
class Remembered(Side):
    """What a baseline says, as a side of a comparison."""

    given: Mapping[str, Mapping[tuple[str, ...], Input]]
    asked: Side
    """Says who owns what, and what the tier is."""

    @cached_property
    def tier(self) -> str:
        """The tier that the revision has which has the baseline."""
        return self.asked.tier

    @cached_property
    def owners(self) -> Mapping[str, Owners]:
        """Who owns what on each cluster, as the revision that has the baseline says."""
        return self.asked.owners

    def inputs(self, name: str) -> Mapping[tuple[str, ...], Input]:
        """What charts and generating controllers of a cluster were given."""
        return self.given.get(name, {})


def write(side: Side) -> str:
    """Write what a projected side allows. The same meaning gives the same text."""
    entries = sorted({_canonical(entry) for entry in _entries(side)})
    head = f'{{"schema": {json.dumps(SCHEMA)}, "entries": [\n'
    return head + ",\n".join(entries) + "\n]}\n"


def _canonical(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _entries(side: Side) -> Iterator[dict[str, Any]]:
    for name, cluster in side.clusters.items():
        yield {"cluster": name, "engine": cluster.engine}
        for unit in cluster.units:
            for resource in unit.resources:
                yield {"cluster": name, "object": resource.body}
        for key, given in side.inputs(name).items():
            words = {"key": list(key), "digest": given.digest, "subject": given.subject}
            yield {"cluster": name, "input": words}
    rules = [[pattern, list(owners)] for pattern, owners, _ in Codeowners.read(side.tree).rules]
    yield {"codeowners": rules}
    for path, content in side.tree.files.items():
        if path.startswith(f"{FOLDER}/") and path.endswith((".yaml", ".yml")):
            found, _ = read_exceptions({path: content})
            names = {one.name for one in found}
            for document in parse(path, content)[0]:
                body = document.body if isinstance(document.body, dict) else {}
                if body.get("metadata", {}).get("name") in names:
                    yield {"exception": body}
    told = Counter(
        check for path, content in side.tree.files.items() for check, _ in in_file(path, content)
    )
    for check, places in told.items():
        yield {"suppression": check, "places": places}


def read(content: bytes, where: str, asked: Side) -> Remembered:
    """Read a baseline; `asked` says who owns what.

    Raises:
        UsageError: `posture.baseline` when it is none.
    """
    try:
        said = json.loads(content)
        if said["schema"] != SCHEMA:
            raise ValueError(said["schema"])
        return _read(said["entries"], asked)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            "posture.baseline",
            "is no baseline that this version of groundplan can read",
            where=where,
            fix="write it anew with `groundplan posture drift --write-baseline`",
        ) from error


def _read(entries: Iterable[Mapping[str, Any]], asked: Side) -> Remembered:
    engines: dict[str, Engine] = {}
    found: dict[str, list[Resource]] = {}
    given: dict[str, dict[tuple[str, ...], Input]] = {}
    files: dict[str, str] = {}
    for number, entry in enumerate(entries):
        name = entry.get("cluster", "")
        if "engine" in entry:
            engines[name] = Engine(entry["engine"])
        elif "object" in entry:
            found.setdefault(name, []).append(Resource.of(entry["object"], _NOWHERE))
        elif "input" in entry:
            said = entry["input"]
            one = Input(said["digest"], _NOWHERE, said["subject"])
            given.setdefault(name, {})[tuple(said["key"])] = one
        elif "codeowners" in entry:
            lines = (" ".join((pattern, *owners)) for pattern, owners in entry["codeowners"])
            files["CODEOWNERS"] = "\n".join(lines)
        elif "exception" in entry:
            files[f"{FOLDER}/{number}.yaml"] = json.dumps(entry["exception"])
        else:
            files[f"{number}.yaml"] = _suppressed(entry["suppression"]) * int(entry["places"])
            if entry["suppression"].startswith("trivy/"):
                word = entry["suppression"].removeprefix("trivy/")
                content = files.pop(f"{number}.yaml")
                files[f"{number}/.trivyignore"] = f"{word}\n" * len(content.splitlines())
            elif entry["suppression"] == "checkov/baseline":
                for place in range(int(entry["places"])):
                    files[f"{number}/{place}/.checkov.baseline"] = ""
    clusters = {
        name: Cluster(name, engine, "", (_unit(found.get(name, ())),))
        for name, engine in engines.items()
    }
    return Remembered(Tree.of(files), clusters, given, asked)


def _unit(resources: Iterable[Resource]) -> Unit:
    nothing = ResourceId("", "", "Baseline", "", "")
    return Unit(nothing, _NOWHERE, (), (), 0, tuple(resources), (), ())


def _suppressed(check: str) -> str:
    """A comment that silences a check, as its scanner reads it."""
    scanner, _, word = check.partition("/")
    return f"# kics-scan {word}\n" if scanner == "kics" else f"# checkov:skip={word}\n"
