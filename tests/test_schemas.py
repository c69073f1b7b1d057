"""Objects against the schemas of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from groundplan.errors import NotEvaluatedError
from groundplan.schemas import KindId, Missing, Schema, SchemaStore, packs
from groundplan.schemas.core import convert
from groundplan.schemas.crd import definition, strict_schema
from groundplan.schemas.patterns import portable
from tests.schema_sources import SWAGGER, TINY, crd, kubernetes, small_store

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["kubernetes"]


def tiny(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Tiny", "size": 1, "parts": [], **fields}


def thing(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {}, "spec": spec}


def schema_of(store: SchemaStore, kind: KindId) -> Schema:
    found = store.lookup(*kind)
    assert isinstance(found, Schema)
    return found


@pytest.fixture
def store(tmp_path: Path) -> SchemaStore:
    return small_store(tmp_path)


@pytest.fixture
def tiny_schema(store: SchemaStore) -> Schema:
    return schema_of(store, KindId("apps", "v1", "Tiny"))


def errors_of(fields: dict[str, Any], body: dict[str, Any], tmp_path: Path) -> list[Any]:
    store = small_store(tmp_path).with_crds([crd(**fields)])
    return list(schema_of(store, KindId("example.com", "v1", "Thing")).errors(body))


def test_a_right_object_has_no_errors(tiny_schema: Schema) -> None:
    assert list(tiny_schema.errors(tiny(metadata={"name": "a"}))) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"siez": 1}, [("/siez", 'unknown field "siez"; did you mean "size"?')]),
        ({"zzz": 1}, [("/zzz", 'unknown field "zzz"')]),
        ({"SIZE": 1}, [("/SIZE", 'unknown field "SIZE"; did you mean "size"?')]),
        ({"a/b~c": 1}, [("/a~1b~0c", 'unknown field "a/b~c"')]),
        ({"size": "1"}, [("/size", 'expected integer, found string "1"')]),
        ({"size": True}, [("/size", "expected integer, found boolean true")]),
        ({"size": None}, [("/size", "expected integer, found nothing (null)")]),
        ({"size": 2**31}, [("/size", "2147483648 is too large: the limit is 2147483647")]),
        ({"parts": {}}, [("/parts", "expected array, found an object")]),
        ({"metadata": []}, [("/metadata", "expected object, found a list")]),
        (
            {"metadata": {"nmae": "a"}},
            [("/metadata/nmae", 'unknown field "nmae"; did you mean "name"?')],
        ),
        ({"parts": [None]}, [("/parts/0", "expected object, found nothing (null)")]),
        ({"again": {}}, [("/again", f'"{name}" is missing') for name in ("parts", "size")]),
    ],
)
def test_errors_name_the_place_and_the_fault(
    tiny_schema: Schema, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = list(tiny_schema.errors(tiny(**fields)))
    if "again" in fields:
        found = [pair for pair in found if "apiVersion" not in pair[1] and "kind" not in pair[1]]
    assert found == expected


def test_optional_fields_may_be_null(tiny_schema: Schema) -> None:
    assert tiny_schema.is_valid(tiny(metadata=None, status=None))


def test_the_status_of_a_manifest_need_not_be_whole(tiny_schema: Schema) -> None:
    assert tiny_schema.is_valid(tiny(status={}))
    assert list(tiny_schema.errors(tiny(status={"fase": ""}))) == [
        ("/status/fase", 'unknown field "fase"; did you mean "phase"?')
    ]


def test_lists_say_how_they_are_merged(tiny_schema: Schema) -> None:
    assert tiny_schema.list_keys(("parts",)) == ("name", "namespace")
    assert tiny_schema.list_keys(("again", "parts")) == ("name", "namespace")
    assert tiny_schema.patch_key(("parts",)) == "name"
    assert tiny_schema.list_keys(("size",)) == ()
    assert tiny_schema.patch_key(("nowhere", "at", "all")) == ""


def test_only_kinds_with_a_collection_of_their_own_are_kinds(store: SchemaStore) -> None:
    assert store.kinds() == (KindId("apps", "v1", "Tiny"),)


def test_definitions_are_shared_and_unused_ones_left_out() -> None:
    assert sorted(convert(SWAGGER).definitions) == sorted(
        name for name in SWAGGER["definitions"] if name != "io.example.Unused"
    )
    assert convert(SWAGGER).kinds[0].namespaced
    assert convert(SWAGGER).kinds[0].definition == TINY


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (("apps", "v1", "Tinny"), 'Kubernetes 1.37 has no Tinny in apps/v1; did you mean "Tiny"?'),
        (("apps", "v2", "Tiny"), "Tiny apps/v2 is not served by Kubernetes 1.37, only v1"),
        (("extensions", "v1", "Ingress"), "Kubernetes 1.37 has no Ingress in extensions/v1"),
    ],
)
def test_a_kind_that_kubernetes_lacks_is_refused(
    store: SchemaStore, kind: tuple[str, str, str], reason: str
) -> None:
    assert store.lookup(*kind) == Missing(reason, refused=True)


def test_a_kind_of_another_group_is_only_not_there(store: SchemaStore) -> None:
    missing = store.lookup("example.com", "v1", "Thing")
    assert isinstance(missing, Missing)
    assert not missing.refused
    assert missing.reason.startswith("no schema of Thing in example.com is stored; ")


def test_without_kubernetes_no_builtin_kind_is_refused() -> None:
    store = SchemaStore.open("1.37", core=Missing("nobody has it"))
    assert store.lookup("apps", "v1", "Deployment") == Missing("nobody has it")
    assert [(one.component, one.reason) for one in store.left_out] == [
        ("kubernetes", "nobody has it")
    ]


def test_a_store_learns_the_crds_of_a_repository(store: SchemaStore) -> None:
    wider = store.with_crds([crd(size={"type": "integer"}), {"kind": "Other"}], "our own")
    schema = wider.lookup("example.com", "v1", "Thing")
    assert isinstance(schema, Schema)
    assert schema.namespaced
    assert schema.provenance.source == "our own"
    assert wider.lookup("example.com", "v2", "Thing") == Missing(
        "Thing example.com/v2 is not served by our own, only v1", refused=True
    )
    assert isinstance(store.lookup("example.com", "v1", "Thing"), Missing)


def test_a_crd_is_kept_without_its_prose(store: SchemaStore) -> None:
    manifest = store.with_crds([crd(description={"type": "string", "description": "Prose."})])
    kept = manifest.crd_for("example.com", "Thing")
    assert not isinstance(kept, Missing)
    version = kept["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert version == {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"description": {"type": "string"}}}
        },
    }
    assert isinstance(store.crd_for("example.com", "Thing"), Missing)


def test_many_objects_are_answered_in_order(store: SchemaStore) -> None:
    good, bad = tiny(), tiny(x=1)
    unknown = {"apiVersion": "a.b/v1", "kind": "X"}
    answers = list(store.validate_many([good, bad, unknown, good]))
    assert answers[0] == ()
    assert answers[1] == (("/x", 'unknown field "x"'),)
    assert isinstance(answers[2], Missing)
    assert answers[3] == ()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ({"type": "string", "format": "byte"}, "s3cr3t!", "the value is not base64"),
        (
            {"type": "string", "format": "date-time"},
            "now",
            '"now" is not a time such as 2026-01-31T08:00:00Z',
        ),
        ({"type": "string", "pattern": "^a$"}, "b", '"b" does not match ^a$'),
        ({"type": "string", "minLength": 2}, "b", '"b" is shorter than 2 characters'),
        (
            {"x-kubernetes-int-or-string": True},
            [],
            "expected integer or string, found a list",
        ),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, 'one of "a", "b" is needed'),
        (
            {"type": "string", "enum": ["Always", "Never"]},
            "always",
            '"always" is not one of "Always", "Never"; did you mean "Always"?',
        ),
        ({"type": "integer", "minimum": 3}, 2, "2 is too small: the limit is 3"),
    ],
)
def test_faults_are_told_in_plain_words(
    tmp_path: Path, field: dict[str, Any], value: Any, message: str
) -> None:
    assert errors_of({"it": field}, thing(it=value), tmp_path) == [("/spec/it", message)]


def test_a_long_value_is_not_repeated_whole(tmp_path: Path) -> None:
    found = errors_of({"it": {"type": "integer"}}, thing(it="x" * 999), tmp_path)
    assert found == [("/spec/it", f'expected integer, found string "{"x" * 58}…')]


def test_a_schema_that_cannot_be_compiled_is_missing_not_passed(tmp_path: Path) -> None:
    store = small_store(tmp_path).with_crds([crd(it={"type": "string", "pattern": "("})])
    missing = store.lookup("example.com", "v1", "Thing")
    assert isinstance(missing, Missing)
    assert missing.reason.startswith("the schema of Thing example.com/v1 cannot be compiled: ")


@pytest.mark.parametrize(
    "manifest",
    [
        {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1beta1"},
        {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1"},
        {
            "kind": "CustomResourceDefinition",
            "apiVersion": "apiextensions.k8s.io/v1",
            "spec": {"preserveUnknownFields": False},
        },
    ],
)
def test_a_part_of_a_crd_is_no_crd(manifest: dict[str, Any]) -> None:
    assert definition(manifest) is None


def test_a_crd_without_fields_knows_none_but_those_of_every_object() -> None:
    schema = strict_schema({"type": "object"})
    assert sorted(schema["properties"]) == ["apiVersion", "kind", "metadata"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^a$", "^a$"),
        ("^(?i)ab[c-d]$", "^[aA][bB][c-dC-D]$"),
        ("^((?i)a|b)c$", "^([aA]|[bB])c$"),
        (r"^\PC*\pL$", r"^\P{C}*\p{L}$"),
        (r"(?i)\d\(x", r"\d\([xX]"),
        ("^(?:a)(?P<n>b)$", "^(?:a)(?P<n>b)$"),
    ],
)
def test_patterns_of_go_are_spelled_for_every_engine(pattern: str, expected: str) -> None:
    assert portable(pattern) == expected


def test_equal_contents_give_equal_packs(tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    packs.write(first, {"index.json": {"a": 1, "b": 2}, "x.json": [1]})
    packs.write(second, {"x.json": [1], "index.json": {"b": 2, "a": 1}})
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.zip", "2.zip"]


@pytest.mark.parametrize("content", [b"", b"PK no zip", b"\x00" * 100])
def test_a_broken_pack_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "crds.zip"
    path.write_bytes(content)
    with pytest.raises(NotEvaluatedError) as raised:
        SchemaStore.open("1.37", core=Missing("not needed"), crds=[path])
    assert raised.value.id == "schemas.unreadable-store"
    assert "groundplan schemas fetch" in str(raised.value)


def test_the_metadata_of_custom_resources_is_that_of_kubernetes(kubernetes: SchemaStore) -> None:
    pods = schema_of(kubernetes, KindId("", "v1", "Pod")).document["definitions"]
    own = strict_schema({"type": "object"})["definitions"]["ObjectMeta"]
    prefix = "io.k8s.apimachinery.pkg.apis.meta.v1."
    parts = [
        (own, pods[prefix + "ObjectMeta"]),
        (own["properties"]["managedFields"]["items"], pods[prefix + "ManagedFieldsEntry"]),
        (own["properties"]["ownerReferences"]["items"], pods[prefix + "OwnerReference"]),
    ]
    for ours, theirs in parts:
        assert sorted(ours["properties"]) == sorted(theirs["properties"])
        assert sorted(ours.get("required", ())) == sorted(theirs.get("required", ()))


def test_every_kind_of_kubernetes_can_be_compiled(kubernetes: SchemaStore) -> None:
    found = [kubernetes.lookup(*kind) for kind in kubernetes.kinds()]
    assert [one for one in found if isinstance(one, Missing)] == []
    assert KindId("apiextensions.k8s.io", "v1", "CustomResourceDefinition") in kubernetes.kinds()
    assert KindId("apiregistration.k8s.io", "v1", "APIService") in kubernetes.kinds()


def test_kubernetes_says_how_containers_are_merged(kubernetes: SchemaStore) -> None:
    schema = schema_of(kubernetes, KindId("apps", "v1", "Deployment"))
    containers = ("spec", "template", "spec", "containers")
    assert schema.namespaced
    assert schema.list_keys(containers) == ("name",)
    assert schema.list_keys((*containers, 0, "ports")) == ("containerPort", "protocol")
    assert schema.patch_key((*containers, 0, "ports")) == "containerPort"
    assert not schema_of(kubernetes, KindId("", "v1", "Namespace")).namespaced


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("spec", "versions"), {"v1": {}}, "expected array, found an object at /spec/versions"),
        (("spec", "versions"), ["v1"], 'expected object, found string "v1" at /spec/versions/0'),
        (("spec", "names", "plural"), [], "expected string, found a list at /spec/names/plural"),
        (("metadata",), None, "expected object, found nothing (null) at /metadata"),
    ],
)
def test_a_malformed_crd_says_why_its_kind_has_no_schema(
    path: tuple[str, ...], value: Any, why: str, tmp_path: Path
) -> None:
    manifest = crd(size={"type": "integer"})
    place = manifest
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    store = small_store(tmp_path).with_crds([manifest])
    missing = Missing(f"this repository defines Thing, but cannot be read: {why}")
    assert store.lookup("example.com", "v1", "Thing") == missing
    assert store.crd_for("example.com", "Thing") == missing


@pytest.mark.parametrize(
    "field",
    [
        {"properties": ["a"]},
        {"required": 5},
        {"pattern": 5},
        {"items": "text"},
        {"oneOf": [1]},
        {"x-kubernetes-list-map-keys": 1},
        {"$ref": "https://example.com/schema.json"},
    ],
)
def test_a_malformed_schema_in_a_crd_is_no_schema(field: dict[str, Any], tmp_path: Path) -> None:
    store = small_store(tmp_path).with_crds([crd(it=field)])
    missing = store.lookup("example.com", "v1", "Thing")
    assert isinstance(missing, Missing)
    (name,) = field
    assert f"/properties/it/{name}" in missing.reason


def test_a_keyword_that_is_null_is_left_out(tmp_path: Path) -> None:
    it = {"type": "object", "properties": None, "required": None, "additionalProperties": None}
    body = thing(it={"more": 1})
    assert errors_of({"it": it}, body, tmp_path) == [("/spec/it/more", 'unknown field "more"')]


@pytest.mark.parametrize("kind", [["a"], {"a": "b"}, 5, None])
def test_a_crd_whose_kind_is_no_text_is_left_out(kind: Any, tmp_path: Path) -> None:
    manifest = crd(size={"type": "integer"})
    manifest["spec"]["names"]["kind"] = kind
    store = small_store(tmp_path)
    assert store.with_crds([manifest]).kinds() == store.kinds()
