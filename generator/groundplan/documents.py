"""YAML documents with the values that Kubernetes would read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from groundplan.composing import DocumentError, compose
from groundplan.emitting import dump
from groundplan.errors import UsageError
from groundplan.places import lines_of
from groundplan.resources import Origin, Resource

__all__ = ["Document", "YamlError", "YamlProblem", "dump", "load", "locate", "parse", "resources"]

_SEPARATOR = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_SPLITS_OTHERWISE = re.compile(
    rb"^(?:%|\.\.\.(?:[ \t\r\n]|\Z))|\r(?!\n)|\xef\xbb\xbf", re.MULTILINE
)
_CONTENT = re.compile(rb"^[ \t]*[^#\s]", re.MULTILINE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_TEMPLATE = re.compile(rb"""^[ ]*(?:-[ ]+)*(?:[^\s#"'{][^\n"'{]*?:[ ]+)?\{[{%]""", re.MULTILINE)
_TEMPLATE_MESSAGE = "a template, not YAML; render it, or leave it out of the manifests"
_BOM = b"\xef\xbb\xbf"
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
    problem = _unreadable(path, content)
    if problem:
        return (), (problem,)
    documents: list[Document] = []
    problems: list[YamlProblem] = []
    for chunk, first_line, index in _chunks(content):
        for number, value in enumerate(compose(chunk, first_line), index):
            if isinstance(value, DocumentError):
                problems.append(_problem(path, number, value, chunk, first_line))
            elif value is not None:
                document = Document(Origin(path, number), value)
                template = b"{{" in chunk and _templated_identity(document, chunk, first_line)
                if template:
                    problems.append(template)
                else:
                    documents.append(document)
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


def _unreadable(path: str, content: bytes) -> YamlProblem | None:
    """Say what keeps the file from being text."""
    if content.startswith(_UTF16):
        return YamlProblem("encoding", "UTF-16; save it as UTF-8", path, 1, 0)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        if b"\0" in content:
            return YamlProblem("binary", "a binary file", path, line, 0)
        byte = content[error.start]
        return YamlProblem("encoding", f"byte 0x{byte:02x} is not UTF-8", path, line, 0)
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        message = f"a binary file: it has the control character U+{ord(control[0]):04X}"
        return YamlProblem("binary", message, path, line, 0)
    return None


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Cut a file before each `---`; give each part, its first line, its first document's index.

    At the start of a line `---` always begins a document, whatever stands around it.
    """
    body = content.removeprefix(_BOM)
    starts = [match.start() for match in _SEPARATOR.finditer(body)]
    if not starts or _SPLITS_OTHERWISE.search(body):
        yield body, 1, 0
        return
    line, index = 1, 0
    if _CONTENT.search(body, 0, starts[0]):
        yield body[: starts[0]], line, index
        index += 1
    line += body.count(b"\n", 0, starts[0])
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        yield body[start:end], line, index
        index += 1
        line += body.count(b"\n", start, end)


def _problem(
    path: str, document: int, error: DocumentError, chunk: bytes, first_line: int
) -> YamlProblem:
    template = _TEMPLATE.search(chunk) if error.kind == "syntax" else None
    if template:
        line = first_line + chunk.count(b"\n", 0, template.start())
        return YamlProblem("helm-template", _TEMPLATE_MESSAGE, path, line, document)
    return YamlProblem(error.kind, error.message, path, error.line, document)


def _templated_identity(document: Document, chunk: bytes, first_line: int) -> YamlProblem | None:
    """Recognise a quoted template by the object's type, which nothing fills in later."""
    body = document.body
    if not isinstance(body, Mapping):
        return None
    for field in ("apiVersion", "kind"):
        if "{{" in str(body.get(field, "")):
            origin = document.origin
            line = lines_of(chunk, first_line).get(f"/{field}", first_line)
            return YamlProblem(
                "helm-template", _TEMPLATE_MESSAGE, origin.path, line, origin.document
            )
    return None


@lru_cache(maxsize=32)
def _document_lines(content: bytes, document: int) -> Mapping[str, int]:
    for chunk, first_line, index in reversed(tuple(_chunks(content))):
        if index <= document:
            return lines_of(chunk, first_line, document - index)
    return {}
