"""YAML documents with the values that Kubernetes would read."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from groundplan.documents.composing import DocumentError, compose
from groundplan.documents.emitting import dump
from groundplan.documents.places import lines_of
from groundplan.documents.reading import RefusedError, read
from groundplan.errors import UsageError
from groundplan.resources import Origin, Resource

__all__ = ["Document", "YamlError", "YamlProblem", "dump", "load", "locate", "parse", "resources"]

_SEPARATOR = re.compile(r"\n---(?=[ \t\n]|\Z)")
_CONTENT = re.compile(r"^[ \t]*[^#\s]", re.MULTILINE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_INNER_BOM = re.compile(r"(?<=\n)\ufeff")
_TEMPLATE = re.compile(r"""^[ ]*(?:-[ ]+)*(?:[^\s#"'{][^\n"'{]*?:[ ]+)?\{[{%]""", re.MULTILINE)
_TEMPLATE_MESSAGE = "a template, not YAML; render it, or leave it out of the manifests"
_BOM = "\ufeff"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file."""

    origin: Origin
    body: Any
    """Values as sigs.k8s.io/yaml resolves them. Never changed in place."""


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """Why a document could not be read."""

    kind: str
    """`duplicate-key`, `syntax`, `binary`, `encoding`, `helm-template`, `ambiguous` or
    `anchor-bomb`."""
    message: str
    path: str
    line: int
    document: int


class YamlError(UsageError):
    """YAML that groundplan itself needs and cannot read; the id is `yaml.<kind>`."""


def parse(path: str, content: bytes) -> tuple[tuple[Document, ...], tuple[YamlProblem, ...]]:
    """Read every document of a file; empty ones are dropped.

    A document that cannot be read is a problem and no document; the others are still read.
    """
    try:
        text = content.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        return (), (_undecodable(path, content, error),)
    documents: list[Document] = []
    problems: list[YamlProblem] = []
    for chunk, first_line, index in _chunks(text):
        values = _read_quickly(chunk)
        if values is None:
            garbage = _garbage(path, text)
            if garbage:
                return (), (garbage,)
            values = compose(chunk.encode(), first_line)
        for number, value in enumerate(values, index):
            problem = _problem(path, number, value, chunk, first_line)
            if problem:
                problems.append(problem)
            elif value is not None:
                documents.append(Document(Origin(path, number), value))
    return tuple(documents), tuple(problems)


def locate(content: bytes, document: int, pointer: str) -> int:
    """Find the line (from 1) of a JSON pointer's key or item, or of its nearest parent."""
    lines = _document_lines(content, document)
    while pointer not in lines and pointer:
        pointer = pointer.rpartition("/")[0]
    return lines.get(pointer, 1)


def load(text: str | bytes, where: str = "") -> Any:
    """Read text that holds one document.

    Raises:
        YamlError: `yaml.<kind>` of the first problem; `yaml.documents` when there are several.
    """
    content = text.encode() if isinstance(text, str) else text
    documents, problems = parse(where, content)
    for problem in problems:
        place = f"{where}:{problem.line}" if where else f"line {problem.line}"
        raise YamlError(f"yaml.{problem.kind}", problem.message, where=place)
    if len(documents) > 1:
        raise YamlError("yaml.documents", "more than one YAML document", where=where)
    return documents[0].body if documents else None


def resources(documents: Iterable[Document]) -> tuple[Resource, ...]:
    """Give the Kubernetes objects, with lists expanded; other documents are no objects."""
    return tuple(
        resource for document in documents for resource in _objects(document.body, document.origin)
    )


def _objects(body: Any, origin: Origin) -> Iterator[Resource]:
    if not isinstance(body, Mapping):
        return
    version, kind = body.get("apiVersion"), body.get("kind")
    if not (isinstance(version, str) and version and isinstance(kind, str) and kind):
        return
    items = body.get("items")
    if not (kind.endswith("List") and isinstance(items, list)):
        yield Resource.of(body, origin)
        return
    # The items of a typed list, such as a RoleList, may leave out what the list says already.
    implied = {} if kind == "List" else {"apiVersion": version, "kind": kind.removesuffix("List")}
    for index, item in enumerate(items):
        if isinstance(item, Mapping):
            place = Origin(origin.path, origin.document, f"{origin.pointer}/items/{index}")
            yield from _objects({**implied, **item} if implied else item, place)


def _read_quickly(chunk: str) -> Iterable[Any] | None:
    """Read one document with the quick reader; nothing when it refuses."""
    if chunk.startswith("---"):
        head, _, chunk = chunk.partition("\n")
        if head.rstrip(" ") != "---":
            return None
    try:
        return (read(chunk),)
    except RefusedError:
        return None


def _undecodable(path: str, content: bytes, error: UnicodeDecodeError) -> YamlProblem:
    """Say what a file is that is not UTF-8."""
    if content.startswith(_UTF16):
        return YamlProblem("encoding", "UTF-16; save it as UTF-8", path, 1, 0)
    line = content.count(b"\n", 0, error.start) + 1
    if b"\0" in content:
        return YamlProblem("binary", "a binary file", path, line, 0)
    message = f"byte 0x{content[error.start]:02x} is not UTF-8"
    return YamlProblem("encoding", message, path, line, 0)


def _garbage(path: str, text: str) -> YamlProblem | None:
    """Find characters that no YAML may hold."""
    found = _CONTROL.search(text)
    if found:
        message = f"a binary file: it has the control character U+{ord(found[0]):04X}"
        return YamlProblem("binary", message, path, text.count("\n", 0, found.start()) + 1, 0)
    found = _INNER_BOM.search(text)
    if found:
        message = "a byte order mark inside the file; remove it"
        return YamlProblem("encoding", message, path, text.count("\n", 0, found.start()) + 1, 0)
    return None


def _chunks(text: str) -> Iterator[tuple[str, int, int]]:
    """Cut a file before each `---`; give each part, its first line, its first document's index.

    At the start of a line `---` always begins a document, whatever stands around it.
    """
    starts = [match.start() + 1 for match in _SEPARATOR.finditer(text)]
    if not starts or _ends_documents_otherwise(text):
        yield text, 1, 0
        return
    line, index = 1, 0
    head = text[: starts[0]]
    if head.startswith("---") or _CONTENT.search(head):
        yield head, line, index
        index += 1
    line += head.count("\n")
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[start:end], line, index
        index += 1
        line += text.count("\n", start, end)


def _ends_documents_otherwise(text: str) -> bool:
    return text.startswith(("%", "...")) or "\n%" in text or "\n..." in text or "\r" in text


def _problem(
    path: str, document: int, value: Any, chunk: str, first_line: int
) -> YamlProblem | None:
    """Say what is wrong with a value that was read, or with one that could not be."""
    if isinstance(value, DocumentError):
        template = _TEMPLATE.search(chunk) if value.kind == "syntax" else None
        if template is None:
            return YamlProblem(value.kind, value.message, path, value.line, document)
        line = first_line + chunk.count("\n", 0, template.start())
        return YamlProblem("helm-template", _TEMPLATE_MESSAGE, path, line, document)
    if value.__class__ is dict:
        # Nothing fills in an object's type later, so a quoted template there is one too.
        for field in ("apiVersion", "kind"):
            if "{{" in str(value.get(field, "")):
                line = lines_of(chunk.encode(), first_line).get(f"/{field}", first_line)
                return YamlProblem("helm-template", _TEMPLATE_MESSAGE, path, line, document)
    return None


class _Part(NamedTuple):
    """Where one part of a file is, in bytes."""

    document: int
    first_line: int
    start: int
    end: int


@lru_cache(maxsize=64)
def _index(content: bytes) -> tuple[_Part, ...]:
    """Cut a file up once, however many of its documents are asked for."""
    # What is not UTF-8 keeps its length.
    text = content.decode("utf-8", "surrogateescape")
    chunks = [
        (document, first_line, len(chunk.encode("utf-8", "surrogateescape")))
        for chunk, first_line, document in _chunks(text.removeprefix(_BOM))
    ]
    # Only what stands before the first part is in none.
    end = len(content) - sum(length for _, _, length in chunks)
    parts = []
    for document, first_line, length in chunks:
        start, end = end, end + length
        parts.append(_Part(document, first_line, start, end))
    return tuple(parts)


@lru_cache(maxsize=64)
def _document_lines(content: bytes, document: int) -> Mapping[str, int]:
    parts = _index(content)
    place = bisect_right(parts, document, key=attrgetter("document")) - 1
    if place < 0:
        return {}
    part = parts[place]
    text = content[part.start : part.end].decode("utf-8", "replace")
    return lines_of(text.encode(), part.first_line, document - part.document)
