"""Seeded widenings of a rendered repository: each is found, in its dimension, with its owners.

And the baseline loses nothing: what a comparison of two revisions finds, drift finds too.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplan.posture.comparison import Comparison, Side, compare
from groundplan.posture.drift import baseline
from groundplan.posture.drift.judging import GATED
from groundplan.posture.drift.projection import projected
from groundplan.posture.drift.repository import Agreed, drift
from groundplan.posture.model import Dimension, Verdict
from groundplan.resources import Origin, Resource
from groundplan.tree import Tree
from tests.rendering import parsed, rendered

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TEAM = "tenants/payments/payments/app.yaml"
PLATFORM = "components/policies/more.yaml"
ROWS: list[dict[str, Any]] = [
    row
    for path in sorted(HERE.glob("widenings*.yaml"))
    for row in yaml.safe_load(path.read_text("utf-8"))
]


def listed(files: dict[str, bytes], *paths: str, instead: str = "") -> None:
    """Name files in the kustomization of the first one's folder, or in place of another file."""
    folder = paths[0].rpartition("/")[0]
    body = yaml.safe_load(files[f"{folder}/kustomization.yaml"])
    names = [path.removeprefix(f"{folder}/") for path in paths]
    body["resources"] = [name for name in body["resources"] if name != instead] + names
    files[f"{folder}/kustomization.yaml"] = yaml.safe_dump(body, sort_keys=False).encode()


@cache
def base() -> Tree:
    """The repository of a growing platform, with an application and everything that is compared."""
    files = dict(rendered("flux", "growing", ("eks",)).files)
    for path, source in ((TEAM, "team.yaml"), (PLATFORM, "platform.yaml")):
        files[path] = (HERE / "estate" / source).read_bytes()
        listed(files, path)
    # The last rule counts, whomever the template gives the folder to.
    files["CODEOWNERS"] += f"/{PLATFORM} @acme/platform\n".encode()
    return Tree.of(files)


@cache
def base_side() -> Side:
    return Side.of(base())


@cache
def places() -> dict[str, tuple[str, int]]:
    """The file and the document of every object, by what reports call it."""
    found = {}
    for path in base().files:
        if path.endswith(".yaml"):
            for index, body in enumerate(parsed(base(), path)):
                if isinstance(body, dict) and "kind" in body:
                    found.setdefault(str(Resource.of(body, Origin(path)).id), (path, index))
    return found


def change(body: Any, pointer: str, value: Any) -> None:
    """Set what a JSON pointer names; `-` adds to a list, and None takes away."""
    *way, last = [s.replace("~1", "/").replace("~0", "~") for s in pointer.split("/")[1:]]
    for step in way:
        body = body[int(step)] if isinstance(body, list) else body.setdefault(step, {})
    if isinstance(body, list):
        if last == "-":
            body.append(value)
        elif value is None:
            del body[int(last)]
        else:
            body[int(last)] = value
    elif value is None:
        del body[last]
    else:
        body[last] = value


def edited(edits: list[dict[str, Any]]) -> Tree:
    """The repository after some edits of its objects and files."""
    files, written = dict(base().files), {}
    for edit in edits:
        if "content" in edit:
            files[edit["file"]] = edit["content"].encode()
            continue
        if "file" in edit:
            assert edit["replace"].encode() in files[edit["file"]]
            text = files[edit["file"]].decode().replace(edit["replace"], edit["by"])
            files[edit["file"]] = text.encode()
            continue
        path, index = (edit["in"], -1) if "in" in edit else places()[edit["object"]]
        bodies = written.setdefault(path, copy.deepcopy(parsed(base(), path)))
        if "in" in edit:
            bodies.append(edit["new"])
        elif edit.get("delete"):
            bodies[index] = None
        else:
            for pointer, value in edit["set"].items():
                change(bodies[index], pointer, value)
    for path, bodies in written.items():
        text = yaml.safe_dump_all([body for body in bodies if body], sort_keys=False)
        files[path] = text.encode()
    return Tree.of(files)


@cache
def agreed() -> Agreed:
    """The same repository, with its baseline."""
    tree = Tree.of({**base().files, baseline.PATH: remembered(base_side())})
    return Agreed.read(tree, baseline.PATH)


def remembered(side: Side) -> str:
    return baseline.write(projected(side))


@dataclass(frozen=True)
class Edited:
    """The repository after some edits, and what a comparison of the two revisions finds."""

    row: dict[str, Any]
    side: Side
    compared: Comparison

    @classmethod
    def of(cls, tree: Tree, row: dict[str, Any]) -> Edited:
        side = Side.of(tree, base_side())
        return cls(row, side, compare(base_side(), side))

    def drifted(self) -> Comparison:
        return drift(self.side, agreed(), date(2026, 1, 1)).comparison


@pytest.fixture(scope="module", params=ROWS, ids=[row["name"] for row in ROWS])
def widened(request: pytest.FixtureRequest) -> Edited:
    """Each of the catalogue: its tests follow each other, so that it is built and compared once."""
    return Edited.of(edited(request.param["edits"]), request.param)


def test_a_widening_is_found(widened: Edited) -> None:
    said, row = widened.compared, widened.row
    verdict = Verdict(row.get("verdict", "widened"))
    worse = said.of(Verdict.WIDENED, Verdict.INCOMPARABLE)
    found = {(str(j.change.subject), j.change.atom): j for j in worse}
    judged = found[row["subject"], row["atom"]]
    assert (judged.change.verdict, judged.change.dimension) == (verdict, row["dimension"])
    fix = row["fix"]
    assert (judged.fix.name, judged.affected.name) == (fix, row.get("affects", fix))
    assert judged.fix.because
    assert judged.location.path
    assert judged.location.line
    dimensions = {j.change.dimension for j in worse}
    assert dimensions == {row["dimension"], *row.get("also", ())}
    assert not said.gaps


def test_drift_finds_what_a_comparison_of_revisions_finds(widened: Edited) -> None:
    direct, found = widened.compared, widened.drifted()
    # The same connections can be told apart by one label or by another.
    networks = Dimension.NETWORK
    told = [
        {j for j in said.of(*GATED) if j.change.dimension != networks} for said in (found, direct)
    ]
    assert {j.change.fingerprint for j in told[0]} == {j.change.fingerprint for j in told[1]}
    subjects = [
        {(j.change.dimension, j.change.subject) for j in c.of(*GATED)} for c in (found, direct)
    ]
    assert subjects[0] == subjects[1]
    assert found.gaps == ()


def test_the_catalogue_is_wide() -> None:
    counts = Counter(row["dimension"] for row in ROWS)
    print(f"\n{len(ROWS)} widenings: {dict(counts)}")
    assert len(ROWS) >= 60
    assert len({row["name"] for row in ROWS}) == len(ROWS)


REFACTORINGS = yaml.safe_load((HERE / "refactorings.yaml").read_text("utf-8"))


def moved() -> dict[str, bytes]:
    files = dict(base().files)
    content = files.pop(TEAM)
    listed(files, "tenants/payments/payments/more.yml", instead="app.yaml")
    return {**files, "tenants/payments/payments/more.yml": content}


def one_file_each() -> dict[str, bytes]:
    files = dict(base().files)
    documents = files.pop(TEAM).split(b"---\n")
    names = [f"tenants/payments/payments/app-{number}.yaml" for number in range(len(documents))]
    listed(files, *names, instead="app.yaml")
    return {**files, **dict(zip(names, documents, strict=True))}


def reversed_documents() -> dict[str, bytes]:
    files = dict(base().files)
    files[TEAM] = b"---\n".join(reversed(files[TEAM].split(b"---\n")))
    return files


def rewritten(**style: Any) -> dict[str, bytes]:
    bodies = {path: parsed(base(), path) for path in (TEAM, PLATFORM)}
    dumped = {path: yaml.safe_dump_all(found, **style) for path, found in bodies.items()}
    return {**base().files, **{path: text.encode() for path, text in dumped.items()}}


def in_a_list() -> dict[str, bytes]:
    whole = {"apiVersion": "v1", "kind": "List", "items": parsed(base(), TEAM)}
    return {**base().files, TEAM: yaml.safe_dump(whole).encode()}


FILES = {
    "a file moved": moved,
    "a file for each object": one_file_each,
    "documents in another order": reversed_documents,
    "keys in another order": lambda: rewritten(sort_keys=True),
    "flow style and quotes": lambda: rewritten(default_flow_style=True, default_style='"'),
    "a list of objects": in_a_list,
}


@pytest.fixture(scope="module", params=REFACTORINGS, ids=[row["name"] for row in REFACTORINGS])
def refactored(request: pytest.FixtureRequest) -> Edited:
    return Edited.of(edited(request.param["edits"]), request.param)


def test_a_refactoring_is_silent(refactored: Edited) -> None:
    said = refactored.compared
    assert [(j.change.verdict, str(j.change.subject), j.change.atom) for j in said.changes] == []
    assert said.gaps == ()


def test_a_refactoring_is_no_drift(refactored: Edited) -> None:
    found = refactored.drifted()
    assert (found.changes, found.gaps) == ((), ())


@pytest.fixture(scope="module", params=FILES)
def rewritten_files(request: pytest.FixtureRequest) -> Edited:
    return Edited.of(Tree.of(FILES[request.param]()), {})


def test_another_way_to_write_it_is_silent(rewritten_files: Edited) -> None:
    said = rewritten_files.compared
    assert (said.changes, said.gaps) == ((), ())


def test_another_way_to_write_it_leaves_the_baseline_as_it_is(rewritten_files: Edited) -> None:
    written = remembered(rewritten_files.side)
    assert written.splitlines() == remembered(base_side()).splitlines()
    found = rewritten_files.drifted()
    assert (found.changes, found.gaps) == ((), ())


def test_there_are_many_refactorings() -> None:
    assert len(REFACTORINGS) + len(FILES) >= 20
