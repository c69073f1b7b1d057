from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.documents import Document, YamlError, dump, load, locate, parse, resources
from groundplan.documents.composing import MAX_DEPTH, DocumentError, compose
from groundplan.documents.emitting import reads_as_string
from groundplan.documents.reading import RefusedError, read
from groundplan.resources import Origin, ResourceId

CORPUS = json.loads((Path(__file__).parent / "corpus/yaml-scalars.json").read_text("utf-8"))
ROWS = [row for group, rows in CORPUS.items() if group != "provenance" for row in rows]
STRICTER = {
    # Go's map has both keys; its JSON has one of them, by chance.
    "1: a\n1.0: b\n": "duplicate-key",
    "1: a\n'1': b\n": "duplicate-key",
    "true: a\n'true': b\n": "duplicate-key",
    # Other readers take the mapping's own key here, go-yaml takes the merged one.
    "a: &m {x: 1}\nb:\n  x: 2\n  <<: *m\n": "ambiguous",
    # go-yaml's key or value is `b:`, newer readers find the key `b` or nothing at all.
    "a: {b:}\n": "syntax",
    "a: [b:]\n": "syntax",
    "a: &x 1\n*x : c\n": "syntax",
    "a: 1\n\ufeffb: 2\n": "encoding",
}
"""What sigs.k8s.io/yaml reads and we refuse, because readers differ on what it means."""
OVERRIDES = {
    "a: &m {x: 1}\nb:\n  <<: *m\n  x: 2\n",
    "a: &m {x: 1}\nb: &n {x: 2, y: 3}\nc:\n  <<: [*m, *n]\n",
    "a: &m {x: {p: 1}}\nb:\n  <<: *m\n  x: {q: 2}\n",
}
"""What Go's strict mode takes for a duplicate key: overriding a merged key, which is what `<<` is
for. Kubernetes' tools read it without strict mode, and all readers agree on the value."""


def values(text: str) -> list[Any]:
    found, problems = parse("a.yaml", text.encode())

    assert problems == ()

    return [document.body for document in found]


def problem(content: str | bytes) -> tuple[str, int, int]:
    data = content.encode() if isinstance(content, str) else content
    _, problems = parse("a.yaml", data)

    assert [found.path for found in problems] == ["a.yaml"]

    return problems[0].kind, problems[0].line, problems[0].document


def same(a: Any, b: Any) -> bool:
    """Equality that tells 1 from true and from 1.0, and knows the order of keys."""
    return json.dumps(a) == json.dumps(b)


def exactly(text: str) -> Any:
    return next(iter(compose(text.encode())), None)


class TestAsKubernetesReads:
    def test_the_corpus_says_where_it_is_from(self):
        assert CORPUS["provenance"]["module"] == "sigs.k8s.io/yaml"
        assert len(ROWS) >= 80

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["yaml"])[:60])
    def test_value_is_gos(self, row):
        text = row["yaml"]
        found, problems = parse("a.yaml", text.encode())
        # Go's functions read the first document of a text only.
        found = tuple(document for document in found if document.origin.document == 0)
        problems = tuple(one for one in problems if one.document == 0)

        if text in STRICTER:
            assert [one.kind for one in problems] == [STRICTER[text]]
        elif "error" in row or ("strict_error" in row and text not in OVERRIDES):
            assert found == ()
            assert len(problems) == 1
        else:
            assert problems == ()
            body = found[0].body if found else None
            assert json.dumps(body, sort_keys=True) == json.dumps(row["json"], sort_keys=True)

    def test_numbers_are_those_of_json(self):
        assert same(values("- 1.0\n- 1e3\n- 1e21\n- 0755\n- 1.5\n"), [[1, 1000, 1e21, 493, 1.5]])


class TestDocuments:
    def test_empty_ones_are_dropped_and_counted(self):
        found, problems = parse("a.yaml", b"# c\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n")

        assert problems == ()
        assert [(one.origin, one.body) for one in found] == [
            (Origin("a.yaml", 0), {"a": 1}),
            (Origin("a.yaml", 3), {"b": 2}),
        ]

    def test_byte_order_mark_is_no_part_of_the_first_key(self):
        assert values("\ufeffa: 1\n") == [{"a": 1}]

    def test_windows_line_ends(self):
        assert values("a: 1\r\n---\r\nb: |\r\n  x\r\n") == [{"a": 1}, {"b": "x\n"}]

    def test_end_marks_separate_too(self):
        assert values("a: 1\n...\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]

    def test_separator_inside_a_block_scalar_is_text(self):
        assert values("a: |\n  x\n  ---\n  y\nb: 1\n") == [{"a": "x\n---\ny\n", "b": 1}]

    def test_one_problem_leaves_the_other_documents(self):
        found, problems = parse("a.yaml", b"a: 1\n---\nb: [\n---\nc: 3\n")

        assert [one.body for one in found] == [{"a": 1}, {"c": 3}]
        assert [(one.kind, one.document) for one in problems] == [("syntax", 1)]

    def test_no_two_documents_share_a_value(self):
        first, second = values("a: [x]\nb: {c: d}\n---\na: [x]\nb: {c: d}\n")

        assert first == second
        assert first["a"] is not second["a"]
        assert first["b"] is not second["b"]

    def test_templates_for_other_tools_are_strings(self):
        text = "name: '{{ .name }}'\npath: a/{{ .b }}\nc: ${REPLICAS}\n"

        assert values(text) == [{"name": "{{ .name }}", "path": "a/{{ .b }}", "c": "${REPLICAS}"}]


class TestProblems:
    @pytest.mark.parametrize(
        ("content", "kind", "line", "document"),
        [
            ("a: 1\n---\nb: 1\nc: 2\nb: 3\n", "duplicate-key", 5, 1),
            ("a:\n\tb: c\n", "syntax", 2, 0),
            ("a: 1\nb: 'c\n", "syntax", 3, 0),
            ("a:\n  - b\n c: 1\n", "syntax", 3, 0),
            ("a: .inf\n", "syntax", 1, 0),
            ("a: 1\n~: b\n", "syntax", 2, 0),
            ("%YAML 1.2\n---\na: 1\n", "syntax", 1, 0),
            ("a: 1\nb: *c\n", "syntax", 2, 0),
            (b"a: 1\nb: \0\n", "binary", 2, 0),
            (b"\x7fELF\x00\xff", "binary", 1, 0),
            (b"a: \x07\n", "binary", 1, 0),
            (b"a: 1\nb: \xe9\n", "encoding", 2, 0),
            ("a: 1\n".encode("utf-16"), "encoding", 1, 0),
            ("a: 1\n---\n\ufeffb: 2\n", "encoding", 3, 0),
            ("a: 1\n{{- if .x }}\nb: 2\n{{- end }}\n", "helm-template", 2, 0),
            ("a: 1\nb: {{ .x }}\n", "helm-template", 2, 0),
            ("a:\n  {{- toYaml .x | nindent 2 }}\n", "helm-template", 2, 0),
            ("{% if x %}\na: 1\n{% endif %}\n", "helm-template", 1, 0),
            ("kind: A\napiVersion: '{{ .api }}'\n", "helm-template", 2, 0),
            ("a: &m {x: 1}\nb:\n  x: 2\n  <<: *m\n", "ambiguous", 4, 0),
            ("a: &a [*a]\n", "anchor-bomb", 1, 0),
        ],
    )
    def test_kind_line_and_document(self, content, kind, line, document):
        assert problem(content) == (kind, line, document)

    def test_a_duplicate_key_names_both_lines(self):
        _, problems = parse("a.yaml", b"---\na: 1\nb: 2\n'a': 3\n")

        assert problems[0].message == "key `a` is on line 2 and again on line 4"

    def test_a_quoted_template_does_not_excuse_a_syntax_error(self):
        assert problem("a: '{{ .x }}'\nb: [\n")[0] == "syntax"

    def test_aliases_may_not_multiply(self):
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

        assert problem("\n".join(lines))[0] == "anchor-bomb"

    @pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000 + "a", "{a: " * 5000])
    def test_nesting_is_bounded(self, text):
        assert problem(text)[0] == "syntax"

    def test_deep_block_style_is_bounded_too(self):
        text = "".join(f"{' ' * depth}a:\n" for depth in range(MAX_DEPTH + 10))

        assert problem(text) == ("syntax", MAX_DEPTH + 1, 0)


KEYS = st.sampled_from(
    ["a", "b", "y", "on", "1", "0755", "1.5", "'q'", '"q"', "a/b", "a.b", "null", "~", "<<", "é"]
)
SCALARS = st.one_of(
    st.sampled_from([row["yaml"][3:-1] for row in CORPUS["values"] if row["yaml"][:3] == "a: "]),
    st.sampled_from(["|", ">", "|-", ">-", "|+", ">+", "|2", "[", "]", "'", '"', "- x", "b: c"]),
    st.sampled_from(["x # c", "'x' # c", "[a, 'b', 1]", "[a b]", "{}", "{a: [b]}", "x  ", "x\t"]),
    st.text(alphabet="ab1-:# '\"[]{},&*!|>%?~.0_\t", max_size=8),
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    indent = " " * draw(st.integers(0, 4))
    dash = draw(st.sampled_from(["", "", "- ", "-  ", "- - "]))
    shape = draw(st.sampled_from(["key", "value", "pair", "pair", "pair", "blank", "comment"]))
    if shape == "blank":
        return indent
    if shape == "comment":
        return f"{indent}# {draw(SCALARS)}"
    if shape == "value":
        return f"{indent}{dash}{draw(SCALARS)}"
    if shape == "key":
        return f"{indent}{dash}{draw(KEYS)}:"
    return f"{indent}{dash}{draw(KEYS)}: {draw(SCALARS)}"


TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=12)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(min_size=1, max_size=6), inner)
    ),
    max_leaves=12,
)


class TestQuickReader:
    @settings(max_examples=500, deadline=None)
    @given(st.lists(lines(), max_size=7), st.sampled_from(["\n", ""]))
    def test_what_it_reads_is_what_the_exact_reader_reads(self, text, end):
        joined = "\n".join(text) + end
        try:
            quick = read(joined)
        except RefusedError:
            return
        exact = exactly(joined)

        assert not isinstance(exact, DocumentError), (joined, quick, exact)
        assert same(quick, exact), joined

    @settings(max_examples=200, deadline=None)
    @given(TREES)
    def test_on_what_we_write(self, value):
        text = dump(value)
        with contextlib.suppress(RefusedError):
            assert same(read(text), exactly(text))

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["yaml"])[:60])
    def test_on_the_corpus(self, row):
        try:
            quick = read(row["yaml"])
        except RefusedError:
            return

        assert same(quick, exactly(row["yaml"]))

    def test_reads_the_style_of_manifests(self):
        text = (
            "# c\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a  # b\n  labels: {}\n"
            "data:\n  one: |\n    x: y\n\n      z\n  two: >-\n    a\n    b\n\n    c\n"
            "list:\n- a: 1\n  b: [x, 'y', 2]\n-   - c\n"
        )

        with pytest.raises(RefusedError):
            read(text)
        assert read(text.replace("-   - c\n", "-   c:\n    - d\n")) == {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a", "labels": {}},
            "data": {"one": "x: y\n\n  z\n", "two": "a b\nc"},
            "list": [{"a": 1, "b": ["x", "y", 2]}, {"c": ["d"]}],
        }


class TestLocate:
    TEXT = b'# c\n---\na: 1\n---\nb:\n  - x: 1\n    y/z: 3\n  - [p, q]\n"c~d":\n  yes: 1\n'

    @pytest.mark.parametrize(
        ("document", "pointer", "line"),
        [
            (0, "", 3),
            (0, "/a", 3),
            (1, "", 5),
            (1, "/b/0", 6),
            (1, "/b/0/y~1z", 7),
            (1, "/b/1/1", 8),
            (1, "/c~0d", 9),
            (1, "/c~0d/true", 10),
            (1, "/b/0/missing/deeper", 6),
            (1, "/missing", 5),
        ],
    )
    def test_line_of_a_pointer_or_of_what_holds_it(self, document, pointer, line):
        assert locate(self.TEXT, document, pointer) == line

    def test_documents_after_an_end_mark(self):
        assert locate(b"a: 1\n...\n---\nb: 2\n", 1, "/b") == 4

    def test_what_cannot_be_read_has_lines_up_to_the_fault(self):
        assert locate(b"a: 1\nb: [\n", 0, "/b") == 2

    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"# \xc3\xa4\n", b"# \xff\n"])
    def test_what_stands_before_the_first_document_is_counted(self, start: bytes) -> None:
        content = start + "---\na: ä\n---\nb: ö\nc: 1\n".encode()
        lines = start.count(b"\n")
        assert locate(content, 0, "/a") == lines + 2
        assert locate(content, 1, "/c") == lines + 5

    def test_a_file_is_cut_up_once(self) -> None:
        def calls(count: int) -> int:
            content = b"---\n".join(b"n: %d\n" % number for number in range(count))
            counted = 0

            def note(_frame: object, event: str, _argument: object) -> None:
                nonlocal counted
                counted += event == "call"

            before = sys.getprofile()
            sys.setprofile(note)
            try:
                for number in range(count):
                    locate(content, number, "/n")
            finally:
                sys.setprofile(before)
            return counted

        assert calls(200) < 2.2 * calls(100)


class TestLoad:
    def test_gives_the_value(self):
        assert load("a: yes\n") == {"a": True}
        assert load("# nothing\n") is None

    @pytest.mark.parametrize(
        ("text", "id", "where"),
        [
            ("a: 1\na: 2\n", "yaml.duplicate-key", "answers.yaml:2"),
            ("a: [\n", "yaml.syntax", "answers.yaml:2"),
            ("a: 1\n---\nb: 2\n", "yaml.documents", "answers.yaml"),
        ],
    )
    def test_refuses_with_an_id(self, text, id, where):
        with pytest.raises(YamlError) as caught:
            load(text, "answers.yaml")

        assert (caught.value.id, caught.value.where) == (id, where)


class TestDump:
    def test_looks_as_people_write(self):
        value = {"b": [1, {"c": "x", "d": None}], "a": "one\ntwo\n", "e": True, "f": {}, "g": "h i"}

        assert dump(value) == (
            "b:\n- 1\n- c: x\n  d: null\na: |\n  one\n  two\ne: true\nf: {}\ng: h i\n"
        )

    @pytest.mark.parametrize("row", CORPUS["values"], ids=lambda row: ascii(row["yaml"])[:60])
    def test_strings_that_others_read_as_something_else_are_quoted(self, row):
        text = row["yaml"][3:-1]

        assert load(dump({"a": text, text: [text]})) == {"a": text, text: [text]}
        if not reads_as_string(text):
            assert dump(text) != f"{text}\n...\n"

    @pytest.mark.parametrize(
        "text", ["yes", "0755", "1e3", "12:30:45", "2026-01-01", "=", "<<", "0o7", "inf", "y", "~"]
    )
    def test_plain_would_be_ambiguous(self, text):
        assert dump([text]) == f'- "{text}"\n'

    @settings(max_examples=200, deadline=None)
    @given(TREES)
    def test_is_read_back(self, value):
        assert same(load(dump(value)), value)

    def test_is_read_back_by_gos_rules_as_recorded(self):
        for row in ROWS:
            if "json" in row and row["yaml"] not in STRICTER:
                assert same(load(dump(row["json"])), row["json"])

    def test_refuses_what_json_cannot_hold(self):
        with pytest.raises(ValueError, match="inf"):
            dump({"a": float("inf")})


class TestResources:
    def find(self, text: str) -> list[tuple[str, str]]:
        return [
            (str(one.id), one.origin.pointer) for one in resources(parse("a", text.encode())[0])
        ]

    def test_objects_only(self):
        text = "apiVersion: v1\nkind: A\nmetadata: {name: x}\n---\na: 1\n---\n- apiVersion: v1\n"

        assert self.find(text) == [("A x", "")]

    def test_lists_are_expanded(self):
        items = [
            {"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}},
            {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "B"}]},
        ]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

        assert self.find(text) == [("A x", "/items/0"), ("B ", "/items/1/items/0")]

    def test_items_of_a_typed_list_inherit_its_type(self):
        body = {"apiVersion": "g/v1", "kind": "RoleList", "items": [{"metadata": {"name": "x"}}]}
        (found,) = resources([Document(Origin("a"), body)])

        assert found.id == ResourceId("g", "v1", "Role", "", "x")
