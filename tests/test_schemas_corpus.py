"""Our engine and kubeconform, with the same schemas, on the same documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from groundplan.documents import parse
from groundplan.runners.kubeconform import Status, judge
from groundplan.schemas import KindId, Missing, SchemaStore, default_store
from tests.programs import program
from tests.schema_sources import CORPUS, corpus_crds, kubernetes, mirror

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["kubernetes", "mirror"]

KINDS_ALIKE = {Status.VALID: True, Status.INVALID: False}

DIFFERENT: dict[str, str] = {}
"""Documents on which the two may differ, and why. Empty: with the same schemas they never do."""


@pytest.fixture(scope="module")
def custom() -> SchemaStore:
    """Only the kinds of the corpus's own CRDs: there is nothing that a machine may lack."""
    return SchemaStore.open("1.37", core=Missing("not needed")).with_crds(corpus_crds())


@pytest.fixture(scope="module")
def store(kubernetes: SchemaStore) -> SchemaStore:
    return kubernetes.with_crds(corpus_crds())


@pytest.fixture(scope="module")
def kubeconform() -> Path:
    return program("kubeconform")


def texts(name: str) -> list[str]:
    return (CORPUS / f"{name}.yaml").read_text("utf-8").split("\n---\n")


def body_of(text: str) -> dict[str, Any]:
    documents, problems = parse("corpus.yaml", text.encode())
    assert problems == ()
    assert len(documents) == 1
    body: dict[str, Any] = documents[0].body
    return body


def kind_of(body: dict[str, Any]) -> KindId:
    group, _, version = body["apiVersion"].rpartition("/")
    return KindId(group, version, body["kind"])


def cases(*names: str) -> list[Any]:
    return [
        pytest.param(text, id=f"{name}-{number}")
        for name in names
        for number, text in enumerate(texts(name))
    ]


def test_the_corpus_is_large_enough() -> None:
    assert sum(len(texts(path.stem)) for path in CORPUS.glob("*.yaml")) >= 100


@pytest.mark.parametrize("text", cases("core-good"))
def test_right_documents_pass(store: SchemaStore, text: str) -> None:
    assert [*store.validate_many([body_of(text)])] == [()]


@pytest.mark.parametrize("text", cases("custom-good"))
def test_right_documents_of_the_corpus_pass(custom: SchemaStore, text: str) -> None:
    assert [*custom.validate_many([body_of(text)])] == [()]


@pytest.mark.parametrize("text", cases("custom-bad"))
def test_wrong_documents_of_the_corpus_fail(custom: SchemaStore, text: str) -> None:
    test_wrong_documents_fail_where_they_are_wrong(custom, text)


@pytest.mark.parametrize("text", cases("core-bad"))
def test_wrong_documents_fail_where_they_are_wrong(store: SchemaStore, text: str) -> None:
    places = text.splitlines()[0].removeprefix("# at ").partition(":")[0].split()
    (answer,) = store.validate_many([body_of(text)])
    assert not isinstance(answer, Missing)
    assert sorted({pointer for pointer, _ in answer}) == sorted(p.strip('"') for p in places)


@pytest.mark.parametrize("text", cases("refused"))
def test_kinds_that_do_not_exist_are_refused(store: SchemaStore, text: str) -> None:
    (answer,) = store.validate_many([body_of(text)])
    assert isinstance(answer, Missing)
    assert answer.refused
    comments = [line for line in text.splitlines() if line.startswith("# ")]
    assert comments[-1].removeprefix("# ") in answer.reason


def test_kubeconform_says_the_same(store: SchemaStore, kubeconform: Path) -> None:
    assert_alike(store, kubeconform, [*texts("core-good"), *texts("core-bad")])


def test_kubeconform_says_the_same_of_the_corpus(custom: SchemaStore, kubeconform: Path) -> None:
    assert_alike(custom, kubeconform, [*texts("custom-good"), *texts("custom-bad")])


def test_kubeconform_refuses_what_has_no_schema(store: SchemaStore, kubeconform: Path) -> None:
    documents = texts("refused")
    kinds = [kind_of(body_of(text)) for text in documents]
    answers = judge(kubeconform, [text.encode() for text in documents], store, kinds)
    assert [answer.status for answer in answers] == [Status.NO_SCHEMA] * len(documents)


def test_kubeconform_tells_an_unreadable_document_from_a_wrong_one(
    store: SchemaStore, kubeconform: Path
) -> None:
    documents = [b"a: 1\na: 2\n", b"# nothing\n", texts("core-bad")[0].encode()]
    answers = judge(kubeconform, documents, store, [KindId("", "v1", "Service")])
    assert [answer.status for answer in answers] == [Status.ERROR, Status.EMPTY, Status.INVALID]
    assert answers[2].errors == (("", "additional properties 'sepc' not allowed"),)


def test_kubeconform_says_the_same_of_real_custom_resources(
    mirror: Path, kubeconform: Path
) -> None:
    store = default_store("1.37", mirror)
    assert_alike(store, kubeconform, [*texts("upstream-good"), *texts("upstream-bad")])


@pytest.mark.parametrize("text", cases("upstream-good"))
def test_right_custom_resources_pass(mirror: Path, text: str) -> None:
    assert [*default_store("1.37", mirror).validate_many([body_of(text)])] == [()]


@pytest.mark.parametrize("text", cases("upstream-bad"))
def test_wrong_custom_resources_fail(mirror: Path, text: str) -> None:
    test_wrong_documents_fail_where_they_are_wrong(default_store("1.37", mirror), text)


def test_every_schema_of_the_mirror_can_be_compiled(mirror: Path) -> None:
    store = default_store("1.37", mirror)
    assert len(store.kinds()) > 400
    found = {kind: store.lookup(*kind) for kind in store.kinds()}
    assert [kind for kind, one in found.items() if isinstance(one, Missing)] == []


def assert_alike(store: SchemaStore, kubeconform: Path, documents: list[str]) -> None:
    bodies = [body_of(text) for text in documents]
    ours = [answer == () for answer in store.validate_many(bodies)]
    kinds = [kind_of(body) for body in bodies]
    theirs = judge(kubeconform, [text.encode() for text in documents], store, kinds)
    differing = [
        (text, answer.message)
        for text, our, answer in zip(documents, ours, theirs, strict=True)
        if our is not KINDS_ALIKE.get(answer.status)
    ]
    assert [pair for pair in differing if pair[0].splitlines()[0] not in DIFFERENT] == []
