"""Builds against the kustomize command: the same objects, and problems where it would fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groundplan import documents
from groundplan.kustomize import Builder, build
from groundplan.process import Command
from groundplan.tree import Tree
from tests.programs import program
from tests.rendering import rendered

CORPUS = Path(__file__).parent / "corpus" / "kustomize"
CASES = sorted(case.name for case in CORPUS.iterdir() if case.is_dir())
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '1'}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n"


def parsed(tree: Tree) -> dict[str, tuple[documents.Document, ...]]:
    return {
        path: documents.parse(path, content)[0]
        for path, content in tree.files.items()
        if path.endswith((".yaml", ".yml", ".json"))
    }


def builder(files: dict[str, str], **options: bool) -> Builder:
    tree = Tree.of(files)
    return Builder(tree, parsed(tree), **options)


def typed(value: Any) -> Any:
    """Equal only when types are equal too: 1 is not true."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


def objects(text: bytes) -> list[Any]:
    found, problems = documents.parse("expected.yaml", text)
    assert problems == ()
    return [typed(document.body) for document in found]


def built(case: str) -> list[Any]:
    tree = Tree.of(
        {
            file.relative_to(CORPUS / case).as_posix(): file.read_bytes()
            for file in (CORPUS / case).rglob("*")
            if file.is_file() and file.name != "expected.yaml"
        }
    )
    result = build(tree, parsed(tree), "app")
    assert result.problems == ()
    return [typed(resource.body) for resource in result.resources]


def kustomize() -> str:
    """The command to compare with."""
    return str(program("kustomize"))


@pytest.mark.parametrize("case", CASES)
def test_builds_what_kustomize_is_known_to_build(case: str) -> None:
    assert built(case) == objects((CORPUS / case / "expected.yaml").read_bytes())


@pytest.mark.parametrize("case", CASES)
def test_builds_what_the_kustomize_at_hand_builds(case: str) -> None:
    output = Command((kustomize(), "build", str(CORPUS / case / "app"))).run().stdout
    assert built(case) == objects(output)


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_builds_what_we_render_as_kustomize_does(engine: str, tmp_path: Path) -> None:
    command = kustomize()
    tree = rendered(engine, "enterprise", ("kind", "eks"))
    for path, content in tree.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    builds = Builder(tree, parsed(tree))
    files = [path for path in tree.files if path.endswith("/kustomization.yaml")]
    files = [path for path in files if b"kind: Component" not in tree.files[path]]
    folders = [path.rpartition("/")[0] for path in files]
    assert folders
    for folder in folders:
        output = Command((command, "build", str(tmp_path / folder))).run().stdout
        result = builds.build(folder)
        assert result.problems == ()
        assert [typed(resource.body) for resource in result.resources] == objects(output), folder


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 40


PROBLEMS = {
    "remote-url": (
        "resources: ['https://example.com/install.yaml']",
        ("remote-base", "/resources/0", False),
    ),
    "remote-git": (
        "resources: ['github.com/acme/base?ref=v1']",
        ("remote-base", "/resources/0", False),
    ),
    "remote-ssh": (
        "resources: ['git@github.com:acme/base.git']",
        ("remote-base", "/resources/0", False),
    ),
    "missing-file": ("resources: [nowhere.yaml]", ("missing-path", "/resources/0", True)),
    "missing-patch": (
        "resources: [c.yaml]\npatches: [{path: nowhere.yaml}]",
        ("missing-path", "/patches/0", True),
    ),
    "outside-the-tree": ("resources: [../../c.yaml]", ("outside-tree", "/resources/0", False)),
    "absolute": ("resources: [/etc/passwd]", ("outside-tree", "/resources/0", False)),
    "above-the-root": ("resources: [../c.yaml]", ("outside-root", "/resources/0", True)),
    "cycle": ("resources: [../app]", ("cycle", "/resources/0", True)),
    "cycle-through-parent": ("resources: [..]", ("cycle", "/resources/0", True)),
    "folder-without-kustomization": ("resources: [../empty]", ("missing-path", "", True)),
    "generators": (
        "resources: [c.yaml]\ngenerators: [g.yaml]",
        ("plugin", "/generators", False),
    ),
    "transformers": (
        "resources: [c.yaml]\ntransformers: [g.yaml]",
        ("plugin", "/transformers", False),
    ),
    "validators": (
        "resources: [c.yaml]\nvalidators: [g.yaml]",
        ("plugin", "/validators", False),
    ),
    "helm-charts": ("helmCharts: [{name: x}]", ("helm-charts", "/helmCharts/0", False)),
    "own-schema": (
        "resources: [c.yaml]\nopenapi: {path: s.json}",
        ("unsupported", "/openapi/path", False),
    ),
    "vars": (
        "resources: [c.yaml]\nvars: [{name: X, objref: {kind: ConfigMap, name: c}}]",
        ("unsupported", "/vars", False),
    ),
    "unknown-field": ("resources: [c.yaml]\nresorces: []", ("syntax", "/resorces", True)),
    "wrong-type": ("resources: c.yaml", ("syntax", "/resources", True)),
    "wrong-kind": ("kind: Deployment\nresources: [c.yaml]", ("syntax", "/kind", True)),
    "empty": ("kind: Kustomization", ("syntax", "", True)),
    "twice": ("resources: [c.yaml, same.yaml]", ("duplicate-object", "/resources/1", True)),
    "patch-for-nobody": (
        "resources: [c.yaml]\npatches: [{path: pod.yaml}]",
        ("kustomize", "/patches/0", True),
    ),
    "patch-without-target": (
        "resources: [c.yaml]\npatches: [{patch: '[{op: remove, path: /data}]'}]",
        ("kustomize", "/patches/0", True),
    ),
    "patch-of-missing-path": (
        "resources: [c.yaml]\n"
        "patches: [{target: {kind: ConfigMap}, patch: '[{op: remove, path: /nothing}]'}]",
        ("kustomize", "/patches/0", True),
    ),
    "merge-without-base": (
        "configMapGenerator: [{name: x, behavior: merge, literals: [a=b]}]",
        ("nothing-to-change", "/configMapGenerator/0", True),
    ),
    "generator-without-file": (
        "configMapGenerator: [{name: x, files: [nowhere]}]",
        ("missing-path", "/configMapGenerator/0", True),
    ),
    "replicas-for-nobody": (
        "resources: [c.yaml]\nreplicas: [{name: x, count: 2}]",
        ("kustomize", "/replicas/0", True),
    ),
    "replacement-without-source": (
        "resources: [c.yaml]\nreplacements: [{source: {kind: Pod}, targets: []}]",
        ("kustomize", "/replacements/0", True),
    ),
    "component-as-resource": ("resources: [../part]", ("kustomize", "/kind", True)),
    "base-as-component": (
        "resources: [c.yaml]\ncomponents: [../base]",
        ("kustomize", "/components/0", True),
    ),
    "not-an-object": ("resources: [values.yaml]", ("kustomize", "", True)),
    "not-yaml": ("resources: [broken.yaml]", ("syntax", "", True)),
    "lookahead": (
        "resources: [c.yaml]\npatches: [{target: {name: '(?!x).*'}, path: pod.yaml}]",
        ("kustomize", "/patches/0", True),
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_says_what_is_wrong_and_where(case: str) -> None:
    kustomization, expected = PROBLEMS[case]
    files = {
        "c.yaml": CONFIG_MAP,
        "empty/README.md": "",
        "app/kustomization.yaml": kustomization,
        "app/c.yaml": CONFIG_MAP,
        "app/same.yaml": CONFIG_MAP,
        "app/pod.yaml": POD,
        "app/values.yaml": "replicas: 1\n",
        "app/broken.yaml": "a: [\n",
        "part/kustomization.yaml": "kind: Component\nnamePrefix: x-\n",
        "base/kustomization.yaml": "namePrefix: x-\n",
    }
    problems = builder(files).build("app").problems
    assert [(p.kind, p.pointer, p.evaluated) for p in problems] == [expected]


def test_a_remote_base_leaves_the_other_objects_and_excuses_patches_for_it() -> None:
    result = builder(
        {
            "app/kustomization.yaml": (
                "resources: [c.yaml, 'https://example.com/x.yaml']\npatches: [{path: pod.yaml}]"
            ),
            "app/c.yaml": CONFIG_MAP,
            "app/pod.yaml": POD,
        }
    ).build("app")
    assert [p.kind for p in result.problems] == ["remote-base"]
    assert [str(resource.id) for resource in result.resources] == ["ConfigMap c"]


def test_every_missing_resource_is_reported_at_once() -> None:
    result = builder({"app/kustomization.yaml": "resources: [a.yaml, b.yaml]"}).build("app")
    assert [p.message for p in result.problems] == [
        "a.yaml does not exist",
        "b.yaml does not exist",
    ]
    assert result.resources == ()


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(CONFIG_MAP)
    app = tmp_path / "repository" / "app"
    app.mkdir(parents=True)
    (app / "kustomization.yaml").write_text("resources: [c.yaml]")
    (app / "c.yaml").symlink_to(outside)
    tree = Tree.read(tmp_path / "repository")
    (problem,) = build(tree, parsed(tree), "app").problems
    assert (problem.kind, problem.pointer, problem.evaluated) == (
        "outside-tree",
        "/resources/0",
        False,
    )


def test_a_file_that_is_only_half_read_ends_the_build() -> None:
    tree = Tree.of(
        {"app/kustomization.yaml": "resources: [c.yaml]", "app/c.yaml": f"{CONFIG_MAP}---\na: [\n"}
    )
    found, problems = documents.parse("app/c.yaml", tree.files["app/c.yaml"])
    kustomization = parsed(tree)["app/kustomization.yaml"]
    known = {"app/c.yaml": found, "app/kustomization.yaml": kustomization}
    result = Builder(tree, known, yaml_problems=problems).build("app")
    assert [(p.kind, p.origin.path) for p in result.problems] == [("syntax", "app/c.yaml")]


def test_without_confinement_files_may_lie_beside_the_folder() -> None:
    files = {"app/kustomization.yaml": "resources: [../c.yaml]", "c.yaml": CONFIG_MAP}
    assert [str(r.id) for r in builder(files, confined=False).build("app").resources] == [
        "ConfigMap c"
    ]


def test_objects_know_the_document_that_they_were_written_in() -> None:
    files = {
        "app/kustomization.yaml": (
            "resources: [all.yaml]\nconfigMapGenerator: [{name: g, literals: [a=b]}]"
        ),
        "app/all.yaml": (
            f"{POD}---\napiVersion: v1\nkind: List\nitems:\n"
            "- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n"
        ),
    }
    origins = {r.id.kind: r.origin for r in builder(files).build("app").resources}
    assert {kind: (o.path, o.document, o.pointer) for kind, o in origins.items()} == {
        "Pod": ("app/all.yaml", 0, ""),
        "Secret": ("app/all.yaml", 1, "/items/0"),
        "ConfigMap": ("app/kustomization.yaml", 0, "/configMapGenerator/0"),
    }


def test_builds_of_one_builder_do_not_change_each_other() -> None:
    shared = {
        "base/kustomization.yaml": "resources: [c.yaml]",
        "base/c.yaml": CONFIG_MAP,
        "one/kustomization.yaml": "resources: [../base]\nnamePrefix: one-",
        "two/kustomization.yaml": "resources: [../base]\ncommonLabels: {two: 'yes'}",
    }
    builds = builder(shared)
    first = builds.build("base").resources
    builds.build("one")
    builds.build("two")
    assert builds.build("base").resources == first
    assert [str(r.id) for r in builds.build("one").resources] == ["ConfigMap one-c"]


BOMBS = {
    "recursive": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: &a {b: *a}\n",
    "wide": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
            for before, name in zip("abcdefg", "bcdefgh", strict=True)
        )
    ),
    "deep": f"kind: ConfigMap\nmetadata: {{name: c}}\ndata: {'[' * 500}{']' * 500}\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_patch_that_explodes_is_refused(bomb: str) -> None:
    files = {
        "app/kustomization.yaml": "resources: [c.yaml]\npatches: [{path: bomb.yaml}]",
        "app/c.yaml": CONFIG_MAP,
        "app/bomb.yaml": BOMBS[bomb],
    }
    problems = builder(files).build("app").problems
    assert [(p.kind, p.pointer) for p in problems] == [("syntax", "/patches/0")]
